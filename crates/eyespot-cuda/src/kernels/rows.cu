// Rows of numbers: softmax, Gaussian units, normalisation across channels.

// One warp per row of n. With `logarithm` the result is x - log(sum e^x).
extern "C" __global__ void softmax(const element* x, element* y, u32 rows, u32 n, u32 logarithm) {
    u32 row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    const element* from = x + (size_t)row * n;
    element* to = y + (size_t)row * n;
    float largest = __int_as_float(0xff800000), sum = 0.0f;
    for (u32 i = threadIdx.x; i < n; i += 32) largest = fmaxf(largest, widen(from[i]));
    for (int step = 16; step > 0; step /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, step));
    for (u32 i = threadIdx.x; i < n; i += 32) sum += expf(widen(from[i]) - largest);
    sum = warp_sum(sum);
    float log_sum = logf(sum);
    for (u32 i = threadIdx.x; i < n; i += 32) {
        float moved = widen(from[i]) - largest;
        to[i] = narrow(logarithm ? moved - log_sum : expf(moved) / sum);
    }
}

// softmax: dx = y * (d - sum(d * y)); log-softmax: dx = d - e^y * sum(d)
extern "C" __global__ void softmax_backward(const element* y, const element* d, element* dx, u32 rows, u32 n, u32 logarithm) {
    u32 row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    size_t from = (size_t)row * n;
    float sum = 0.0f;
    for (u32 i = threadIdx.x; i < n; i += 32) sum += widen(d[from + i]) * (logarithm ? 1.0f : widen(y[from + i]));
    sum = warp_sum(sum);
    for (u32 i = threadIdx.x; i < n; i += 32) {
        float value = widen(y[from + i]), g = widen(d[from + i]);
        dx[from + i] = narrow(logarithm ? g - expf(value) * sum : value * (g - sum));
    }
}

// y[image][o] = -1/2 * sum over i of (x[image][i] - w[o][i])^2; one warp per result.
extern "C" __global__ void gaussian(const element* x, const float* w, element* y, u32 images, u32 inputs, u32 outputs) {
    u32 at = blockIdx.x * blockDim.y + threadIdx.y;
    if (at >= images * outputs) return;
    const element* row = x + (size_t)(at / outputs) * inputs;
    const float* centre = w + (size_t)(at % outputs) * inputs;
    float sum = 0.0f;
    for (u32 i = threadIdx.x; i < inputs; i += 32) {
        float difference = widen(row[i]) - centre[i];
        sum += difference * difference;
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) y[at] = narrow(-0.5f * sum);
}

extern "C" __global__ void gaussian_backward_input(const element* x, const float* w, const element* d, element* dx, u32 images, u32 inputs, u32 outputs) {
    EACH(at, images * inputs) {
        u32 image = at / inputs, i = at % inputs;
        float value = widen(x[at]), sum = 0.0f;
        for (u32 o = 0; o < outputs; o++) sum += widen(d[image * outputs + o]) * (w[(size_t)o * inputs + i] - value);
        dx[at] = narrow(sum);
    }
}

extern "C" __global__ void gaussian_backward_weights(const element* x, const float* w, const element* d, float* dw, u32 images, u32 inputs, u32 outputs) {
    EACH(at, outputs * inputs) {
        u32 o = at / inputs, i = at % inputs;
        float value = w[at], sum = 0.0f;
        for (u32 image = 0; image < images; image++) sum += widen(d[image * outputs + o]) * (widen(x[(size_t)image * inputs + i]) - value);
        dw[at] = sum;
    }
}

// y = x / b^beta, b = k + alpha/size * sum of x^2 over channels from c - size/2 to c + (size - 1)/2
__device__ __forceinline__ float response_base(const element* pixel, int c, int channels, int size, float alpha, float k) {
    float sum = 0.0f;
    for (int i = max(0, c - size / 2); i <= min(channels - 1, c + (size - 1) / 2); i++) {
        float value = widen(pixel[i]);
        sum += value * value;
    }
    return k + alpha / size * sum;
}

extern "C" __global__ void local_response_norm(const element* x, element* y, u32 count, u32 channels, u32 size, float alpha, float beta, float k) {
    EACH(at, count) {
        int c = at % channels;
        y[at] = narrow(widen(x[at]) * powf(response_base(x + (at - c), c, channels, size, alpha, k), -beta));
    }
}

// dx_i = d_i b_i^-beta - 2 alpha beta / size * x_i * sum of d_j x_j b_j^(-beta - 1) over the j whose window holds i
extern "C" __global__ void local_response_norm_backward(const element* x, const element* d, element* dx, u32 count, u32 channels, u32 size, float alpha, float beta, float k) {
    EACH(at, count) {
        int c = at % channels, n = channels;
        const element* pixel = x + (at - c);
        float sum = 0.0f;
        for (int j = max(0, c - (int)(size - 1) / 2); j <= min(n - 1, c + (int)size / 2); j++) {
            float base = response_base(pixel, j, n, size, alpha, k);
            sum += widen(d[at - c + j]) * widen(pixel[j]) * powf(base, -beta - 1.0f);
        }
        float own = response_base(pixel, c, n, size, alpha, k);
        dx[at] = narrow(widen(d[at]) * powf(own, -beta) - 2.0f * alpha * beta / size * widen(pixel[c]) * sum);
    }
}
