// Functions of single numbers. `function` is one of the numbers below; `a` is LeakyReLU's slope.

enum { RELU, RELU6, LEAKY_RELU, SIGMOID, TANH, SGN, GELU, GELU_TANH, SILU, HARD_SWISH, HARD_SIGMOID };

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
__device__ __forceinline__ float gelu_argument(float x) { return 0.7978845608f * (x + 0.044715f * x * x * x); }
__device__ __forceinline__ float hard_sigmoid(float x) { return fminf(fmaxf(x + 3.0f, 0.0f), 6.0f) / 6.0f; }

__device__ __forceinline__ float value_of(u32 function, float a, float x) {
    switch (function) {
        case RELU: return x < 0.0f ? 0.0f : x;
        case RELU6: return x < 0.0f ? 0.0f : (x > 6.0f ? 6.0f : x);
        case LEAKY_RELU: return x > 0.0f ? x : a * x;
        case SIGMOID: return sigmoid(x);
        case TANH: return tanhf(x);
        case SGN: return x >= 0.0f ? 1.0f : 0.0f;
        case GELU: return x * normcdff(x);
        case GELU_TANH: return 0.5f * x * (1.0f + tanhf(gelu_argument(x)));
        case SILU: return x * sigmoid(x);
        case HARD_SWISH: return x * hard_sigmoid(x);
        default: return hard_sigmoid(x);
    }
}

// The derivative, from the input x (GELU, SiLU, hard-swish) or the result y (all others).
__device__ __forceinline__ float slope_of(u32 function, float a, float kept) {
    float x = kept, y = kept;
    switch (function) {
        case RELU: return y <= 0.0f ? 0.0f : 1.0f;
        case RELU6: return y <= 0.0f || y >= 6.0f ? 0.0f : 1.0f;
        case LEAKY_RELU: return y > 0.0f ? 1.0f : a;
        case SIGMOID: return (1.0f - y) * y;
        case TANH: return 1.0f - y * y;
        case SGN: return 0.0f;
        case GELU: return normcdff(x) + x * 0.3989422804f * expf(-0.5f * x * x);
        case GELU_TANH: {
            float t = tanhf(gelu_argument(x));
            return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * 0.7978845608f * (1.0f + 0.134145f * x * x);
        }
        case SILU: {
            float s = sigmoid(x);
            return s * (1.0f + x * (1.0f - s));
        }
        case HARD_SWISH: return x <= -3.0f ? 0.0f : (x >= 3.0f ? 1.0f : x / 3.0f + 0.5f);
        default: return y <= 0.0f || y >= 1.0f ? 0.0f : 1.0f / 6.0f;
    }
}

template <int V> __device__ void pointwise(u32 function, float a, const element* x, element* y, u32 count) {
    EACH(i, count / V) {
        float v[V];
        load<V>(x, i, v);
        for (int k = 0; k < V; k++) v[k] = value_of(function, a, v[k]);
        save<V>(y, i, v);
    }
}
extern "C" __global__ void pointwise_1(u32 function, float a, const element* x, element* y, u32 count) { pointwise<1>(function, a, x, y, count); }
extern "C" __global__ void pointwise_v(u32 function, float a, const element* x, element* y, u32 count) { pointwise<PACK>(function, a, x, y, count); }

// d <- d * f'
template <int V> __device__ void pointwise_backward(u32 function, float a, const element* kept, element* d, u32 count) {
    EACH(i, count / V) {
        float v[V], g[V];
        load<V>(kept, i, v);
        load<V>(d, i, g);
        for (int k = 0; k < V; k++) g[k] *= slope_of(function, a, v[k]);
        save<V>(d, i, g);
    }
}
extern "C" __global__ void pointwise_backward_1(u32 function, float a, const element* kept, element* d, u32 count) { pointwise_backward<1>(function, a, kept, d, count); }
extern "C" __global__ void pointwise_backward_v(u32 function, float a, const element* kept, element* d, u32 count) { pointwise_backward<PACK>(function, a, kept, d, count); }

// y = a + b; with y = b it adds in place.
template <int V> __device__ void add(const element* a, const element* b, element* y, u32 count) {
    EACH(i, count / V) {
        float v[V], w[V];
        load<V>(a, i, v);
        load<V>(b, i, w);
        for (int k = 0; k < V; k++) v[k] += w[k];
        save<V>(y, i, v);
    }
}
extern "C" __global__ void add_1(const element* a, const element* b, element* y, u32 count) { add<1>(a, b, y, count); }
extern "C" __global__ void add_v(const element* a, const element* b, element* y, u32 count) { add<PACK>(a, b, y, count); }

// y <- act(y + bias[channel] + residual) on pixels of `channels` numbers that lie `stride` apart in y. `bias` and
// `residual` may be null; `then` is 0 for nothing, 1 for ReLU, 2 for ReLU6.
template <int V>
__device__ void finish(const float* bias, const element* residual, element* y, u32 channels, u32 stride, u32 pixels, u32 then) {
    u32 packs = channels / V;
    EACH(i, (size_t)pixels * packs) {
        u32 pixel = i / packs, pack = i % packs;
        size_t at = (size_t)pixel * (stride / V) + pack;
        float v[V], r[V];
        load<V>(y, at, v);
        if (residual) load<V>(residual, i, r);
        for (int k = 0; k < V; k++) {
            if (bias) v[k] += bias[pack * V + k];
            if (residual) v[k] += r[k];
            if (then) v[k] = v[k] < 0.0f ? 0.0f : v[k];
            if (then == 2 && v[k] > 6.0f) v[k] = 6.0f;
        }
        save<V>(y, at, v);
    }
}
extern "C" __global__ void finish_1(const float* bias, const element* residual, element* y, u32 channels, u32 stride, u32 pixels, u32 then) { finish<1>(bias, residual, y, channels, stride, pixels, then); }
extern "C" __global__ void finish_v(const float* bias, const element* residual, element* y, u32 channels, u32 stride, u32 pixels, u32 then) { finish<PACK>(bias, residual, y, channels, stride, pixels, then); }

// y = x * scale[channel] + shift[channel]
extern "C" __global__ void scale_shift(const element* x, const float* scale, const float* shift, element* y, u32 channels, u32 count) {
    EACH(i, count) {
        u32 c = i % channels;
        y[i] = narrow(widen(x[i]) * scale[c] + shift[c]);
    }
}
