// Batch norm in training, on `rows` pixels of `channels` numbers.
//
// Sums over rows have three stages: each block of threads sums a part of the rows (`parts` parts), a second kernel adds
// the parts, a third one uses the sums. `partial` is parts x channels pairs.

enum { NOTHING, THEN_RELU, THEN_RELU6, THEN_ADD_RELU };

// The rows and the pack of channels of a thread: the channels' numbers stay in registers while it goes down the rows.
#define EACH_ROW(row, rows) \
    _Pragma("unroll 4") for (u32 row = blockIdx.y * blockDim.y + threadIdx.y; row < (rows); row += gridDim.y * blockDim.y)

// Threads: x = packs of channels, y = rows, 256 in all. Grid: x = packs, y = parts.
template <int V, typename F> __device__ void sum_rows(u32 rows, u32 channels, float2* partial, F f) {
    __shared__ float2 shared[V][256];
    u32 pack = blockIdx.x * blockDim.x + threadIdx.x, packs = channels / V;
    u32 own = threadIdx.y * blockDim.x + threadIdx.x;
    float2 sums[V];
    for (int k = 0; k < V; k++) sums[k] = make_float2(0.0f, 0.0f);
    if (pack < packs)
        EACH_ROW(row, rows) f((size_t)row * packs + pack, sums);
    for (int k = 0; k < V; k++) shared[k][own] = sums[k];
    __syncthreads();
    if (threadIdx.y == 0 && pack < packs)
        for (int k = 0; k < V; k++) {
            float2 sum = shared[k][threadIdx.x];
            for (u32 i = 1; i < blockDim.y; i++) {
                float2 part = shared[k][i * blockDim.x + threadIdx.x];
                sum.x += part.x;
                sum.y += part.y;
            }
            partial[(size_t)blockIdx.y * channels + pack * V + k] = sum;
        }
}

// The two sums of a channel over all parts, in every thread of a block of 32 (channels) x 8.
__device__ __forceinline__ double2 add_parts(const float2* partial, u32 channels, u32 parts, u32 channel) {
    __shared__ double2 shared[8][32];
    double2 sum = make_double2(0.0, 0.0);
    if (channel < channels)
        for (u32 part = threadIdx.y; part < parts; part += 8) {
            float2 p = partial[(size_t)part * channels + channel];
            sum.x += p.x;
            sum.y += p.y;
        }
    shared[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    sum = shared[0][threadIdx.x];
    for (int i = 1; i < 8; i++) {
        sum.x += shared[i][threadIdx.x].x;
        sum.y += shared[i][threadIdx.x].y;
    }
    return sum;
}

// The sums of x - p and (x - p)^2, p the channel's first number, so that little is lost where the mean is large.
template <int V> __device__ void norm_sums(const element* x, float2* partial, u32 rows, u32 channels) {
    u32 first = blockIdx.x * blockDim.x + threadIdx.x;
    float pivot[V];
    for (int k = 0; k < V; k++) pivot[k] = 0.0f;
    if (first < channels / V) load<V>(x, first, pivot);
    sum_rows<V>(rows, channels, partial, [&](size_t at, float2* sums) {
        float v[V];
        load<V>(x, at, v);
        for (int k = 0; k < V; k++) {
            float moved = v[k] - pivot[k];
            sums[k].x += moved;
            sums[k].y += moved * moved;
        }
    });
}
extern "C" __global__ void norm_sums_1(const element* x, float2* partial, u32 rows, u32 channels) { norm_sums<1>(x, partial, rows, channels); }
extern "C" __global__ void norm_sums_v(const element* x, float2* partial, u32 rows, u32 channels) { norm_sums<PACK>(x, partial, rows, channels); }

// Mean and 1 / standard deviation of the batch; the running statistics follow, the variance without bias.
extern "C" __global__ void norm_statistics(const element* x, const float2* partial, float* mean, float* inv_std, float* running_mean, float* running_var, u32 rows, u32 channels, u32 parts, float eps, float momentum) {
    u32 c = blockIdx.x * 32 + threadIdx.x;
    double2 sum = add_parts(partial, channels, parts, c);
    if (c >= channels || threadIdx.y) return;
    double moved = sum.x / rows, var = sum.y / rows - moved * moved;
    if (var < 0.0) var = 0.0;
    double center = (double)widen(x[c]) + moved;
    mean[c] = (float)center;
    inv_std[c] = (float)(1.0 / sqrt(var + (double)eps));
    double unbiased = rows > 1 ? var * rows / (rows - 1) : var;
    running_mean[c] = (1.0f - momentum) * running_mean[c] + momentum * (float)center;
    running_var[c] = (1.0f - momentum) * running_var[c] + momentum * (float)unbiased;
}

// y = act((x - mean) * inv_std * weight + bias + other)
template <int V>
__device__ void norm_apply(const element* x, const element* other, element* y, const float* mean, const float* inv_std, const float* weight, const float* bias, u32 rows, u32 channels, u32 then) {
    u32 packs = channels / V, pack = blockIdx.x * blockDim.x + threadIdx.x;
    if (pack >= packs) return;
    float m[V], s[V], b[V];
    for (int k = 0; k < V; k++) {
        u32 c = pack * V + k;
        m[k] = mean[c];
        s[k] = inv_std[c] * weight[c];
        b[k] = bias[c];
    }
    EACH_ROW(row, rows) {
        size_t at = (size_t)row * packs + pack;
        float v[V], o[V];
        load<V>(x, at, v);
        if (then == THEN_ADD_RELU) load<V>(other, at, o);
        for (int k = 0; k < V; k++) {
            v[k] = (v[k] - m[k]) * s[k] + b[k];
            if (then == THEN_ADD_RELU) v[k] += o[k];
            if (then) v[k] = v[k] < 0.0f ? 0.0f : v[k];
            if (then == THEN_RELU6 && v[k] > 6.0f) v[k] = 6.0f;
        }
        save<V>(y, at, v);
    }
}
extern "C" __global__ void norm_apply_1(const element* x, const element* other, element* y, const float* mean, const float* inv_std, const float* weight, const float* bias, u32 rows, u32 channels, u32 then) { norm_apply<1>(x, other, y, mean, inv_std, weight, bias, rows, channels, then); }
extern "C" __global__ void norm_apply_v(const element* x, const element* other, element* y, const float* mean, const float* inv_std, const float* weight, const float* bias, u32 rows, u32 channels, u32 then) { norm_apply<PACK>(x, other, y, mean, inv_std, weight, bias, rows, channels, then); }

// The gradient before the activation: d where the activation let through. `y` is the result where a sum was added, else
// it is computed again from x.
__device__ __forceinline__ float unmasked(u32 then, float d, float x, float y, float mean, float scale, float bias) {
    if (then == NOTHING) return d;
    if (then == THEN_ADD_RELU) return y > 0.0f ? d : 0.0f;
    float value = (x - mean) * scale + bias;
    if (value <= 0.0f) return 0.0f;
    return then == THEN_RELU6 && value >= 6.0f ? 0.0f : d;
}

// The sums of g and g * xhat, g the gradient before the activation.
template <int V>
__device__ void norm_backward_sums(const element* x, const element* y, const element* d, float2* partial, const float* mean, const float* inv_std, const float* weight, const float* bias, u32 rows, u32 channels, u32 then) {
    u32 c = (blockIdx.x * blockDim.x + threadIdx.x) * V;
    float m[V], s[V], w[V], b[V];
    for (int k = 0; k < V; k++) {
        bool inside = c + k < channels;
        m[k] = inside ? mean[c + k] : 0.0f;
        s[k] = inside ? inv_std[c + k] : 0.0f;
        w[k] = inside ? weight[c + k] : 0.0f;
        b[k] = inside ? bias[c + k] : 0.0f;
    }
    sum_rows<V>(rows, channels, partial, [&](size_t at, float2* sums) {
        float v[V], g[V], r[V];
        load<V>(x, at, v);
        load<V>(d, at, g);
        if (then == THEN_ADD_RELU) load<V>(y, at, r);
        for (int k = 0; k < V; k++) {
            float grad = unmasked(then, g[k], v[k], r[k], m[k], s[k] * w[k], b[k]);
            sums[k].x += grad;
            sums[k].y += grad * ((v[k] - m[k]) * s[k]);
        }
    });
}
extern "C" __global__ void norm_backward_sums_1(const element* x, const element* y, const element* d, float2* partial, const float* mean, const float* inv_std, const float* weight, const float* bias, u32 rows, u32 channels, u32 then) { norm_backward_sums<1>(x, y, d, partial, mean, inv_std, weight, bias, rows, channels, then); }
extern "C" __global__ void norm_backward_sums_v(const element* x, const element* y, const element* d, float2* partial, const float* mean, const float* inv_std, const float* weight, const float* bias, u32 rows, u32 channels, u32 then) { norm_backward_sums<PACK>(x, y, d, partial, mean, inv_std, weight, bias, rows, channels, then); }

// The gradients of bias and weight: the sums.
extern "C" __global__ void norm_backward_statistics(const float2* partial, float* dweight, float* dbias, u32 channels, u32 parts) {
    u32 c = blockIdx.x * 32 + threadIdx.x;
    double2 sum = add_parts(partial, channels, parts, c);
    if (c >= channels || threadIdx.y) return;
    dbias[c] = (float)sum.x;
    dweight[c] = (float)sum.y;
}

// dx = weight * inv_std * (g - dbias/rows - xhat * dweight/rows). Behind a sum d becomes g, the gradient at the other
// summand. dx may be d where there is no sum.
template <int V>
__device__ void norm_backward(const element* x, const element* y, element* d, element* dx, const float* mean, const float* inv_std, const float* weight, const float* bias, const float* dweight, const float* dbias, u32 rows, u32 channels, u32 then) {
    u32 packs = channels / V, pack = blockIdx.x * blockDim.x + threadIdx.x;
    if (pack >= packs) return;
    float share = 1.0f / rows;
    float m[V], s[V], w[V], b[V], dw[V], db[V];
    for (int k = 0; k < V; k++) {
        u32 c = pack * V + k;
        m[k] = mean[c];
        s[k] = inv_std[c];
        w[k] = weight[c] * s[k];
        b[k] = bias[c];
        dw[k] = dweight[c] * share;
        db[k] = dbias[c] * share;
    }
    EACH_ROW(row, rows) {
        size_t at = (size_t)row * packs + pack;
        float v[V], g[V], r[V];
        load<V>(x, at, v);
        load<V>(d, at, g);
        if (then == THEN_ADD_RELU) load<V>(y, at, r);
        for (int k = 0; k < V; k++) {
            float grad = unmasked(then, g[k], v[k], r[k], m[k], w[k], b[k]);
            g[k] = grad;
            v[k] = w[k] * (grad - db[k] - (v[k] - m[k]) * s[k] * dw[k]);
        }
        if (then == THEN_ADD_RELU) save<V>(d, at, g);
        save<V>(dx, at, v);
    }
}
extern "C" __global__ void norm_backward_1(const element* x, const element* y, element* d, element* dx, const float* mean, const float* inv_std, const float* weight, const float* bias, const float* dweight, const float* dbias, u32 rows, u32 channels, u32 then) { norm_backward<1>(x, y, d, dx, mean, inv_std, weight, bias, dweight, dbias, rows, channels, then); }
extern "C" __global__ void norm_backward_v(const element* x, const element* y, element* d, element* dx, const float* mean, const float* inv_std, const float* weight, const float* bias, const float* dweight, const float* dbias, u32 rows, u32 channels, u32 then) { norm_backward<PACK>(x, y, d, dx, mean, inv_std, weight, bias, dweight, dbias, rows, channels, then); }

// The sums of a gradient's columns: the gradient of a bias. The second sum is not used.
template <int V> __device__ void column_sums(const element* d, float2* partial, u32 rows, u32 channels) {
    sum_rows<V>(rows, channels, partial, [&](size_t at, float2* sums) {
        float g[V];
        load<V>(d, at, g);
        for (int k = 0; k < V; k++) sums[k].x += g[k];
    });
}
extern "C" __global__ void column_sums_1(const element* d, float2* partial, u32 rows, u32 channels) { column_sums<1>(d, partial, rows, channels); }
extern "C" __global__ void column_sums_v(const element* d, float2* partial, u32 rows, u32 channels) { column_sums<PACK>(d, partial, rows, channels); }
extern "C" __global__ void column_sums_finish(const float2* partial, float* sums, u32 channels, u32 parts) {
    u32 c = blockIdx.x * 32 + threadIdx.x;
    double2 sum = add_parts(partial, channels, parts, c);
    if (c < channels && threadIdx.y == 0) sums[c] = (float)sum.x;
}
