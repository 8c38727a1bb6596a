// Weights: between PyTorch's layout (out, in, height, width), in which the optimizer keeps them in f32, and the one that
// convolutions read (out, height, width, in, with `padded` input channels), in elements. And the optimizers.

// One entry per tensor: where it lies in either block, its size, and the first block of threads that works on it.
struct Tensor { u32 from, to, out, in, padded, taps, first; };

// Finds the tensor of a block of threads.
__device__ __forceinline__ Tensor tensor_of(const Tensor* tensors, u32 count) {
    u32 low = 0, high = count - 1;
    while (low < high) {
        u32 middle = (low + high + 1) / 2;
        if (tensors[middle].first <= blockIdx.x) low = middle;
        else high = middle - 1;
    }
    return tensors[low];
}

// Each block of threads does 1024 numbers of the packed form.
extern "C" __global__ void pack_weights(const Tensor* tensors, u32 count, const float* weights, element* packed) {
    Tensor t = tensor_of(tensors, count);
    u32 size = t.out * t.taps * t.padded;
    for (u32 at = (blockIdx.x - t.first) * 1024 + threadIdx.x, k = 0; k < 4 && at < size; k++, at += 256) {
        u32 in = at % t.padded, tap = at / t.padded % t.taps, out = at / t.padded / t.taps;
        packed[t.to + at] = narrow(in < t.in ? weights[t.from + (out * t.in + in) * t.taps + tap] : 0.0f);
    }
}

// The way back, for gradients.
extern "C" __global__ void unpack_gradients(const Tensor* tensors, u32 count, const element* packed, float* gradients) {
    Tensor t = tensor_of(tensors, count);
    u32 size = t.out * t.taps * t.padded;
    for (u32 at = (blockIdx.x - t.first) * 1024 + threadIdx.x, k = 0; k < 4 && at < size; k++, at += 256) {
        u32 in = at % t.padded, tap = at / t.padded % t.taps, out = at / t.padded / t.taps;
        if (in < t.in) gradients[t.from + (out * t.in + in) * t.taps + tap] = widen(packed[t.to + at]);
    }
}

// Parts of the block of weights that step alike.
struct Part { u32 start, end; float rate, decay; };

__device__ __forceinline__ Part part_of(const Part* parts, u32 count, u32 at) {
    u32 low = 0, high = count - 1;
    while (low < high) {
        u32 middle = (low + high + 1) / 2;
        if (parts[middle].start <= at) low = middle;
        else high = middle - 1;
    }
    return parts[low];
}

// g <- scale * g + decay * w; v <- m * v + g (v is zero at first); w <- w - rate * v, or with Nesterov's variant
// w <- w - rate * (g + m * v). `average` may be null.
extern "C" __global__ void sgd(const Part* parts, u32 count, const float* gradients, float* weights, float* velocity, float* average, u32 len, float rate, float decay, float scale, float momentum, u32 nesterov, float ema) {
    EACH(i, len) {
        Part part = part_of(parts, count, i);
        float w = weights[i], g = scale * gradients[i] + decay * part.decay * w;
        float step = g;
        if (velocity) {
            float v = momentum * velocity[i] + g;
            velocity[i] = v;
            step = nesterov ? g + momentum * v : v;
        }
        w -= rate * part.rate * step;
        weights[i] = w;
        if (average) average[i] = ema * average[i] + (1.0f - ema) * w;
    }
}

// `step_size` = 1 / (1 - beta1^t), `root` = sqrt(1 - beta2^t); decoupled decay shrinks the weights (AdamW).
extern "C" __global__ void adam(const Part* parts, u32 count, const float* gradients, float* weights, float* mean, float* square, float* average, u32 len, float rate, float decay, float scale, float one_minus_beta1, float beta2, float one_minus_beta2, float step_size, float root, float eps, u32 decoupled, float ema) {
    EACH(i, len) {
        Part part = part_of(parts, count, i);
        float w = weights[i], g = scale * gradients[i];
        float lambda = decay * part.decay, lr = rate * part.rate;
        if (decoupled) w *= 1.0f - lr * lambda;
        else g += lambda * w;
        float m = mean[i] + one_minus_beta1 * (g - mean[i]);
        float v = beta2 * square[i] + one_minus_beta2 * g * g;
        mean[i] = m;
        square[i] = v;
        w -= lr * step_size * m / (sqrtf(v) / root + eps);
        weights[i] = w;
        if (average) average[i] = ema * average[i] + (1.0f - ema) * w;
    }
}

// average <- ema * average + (1 - ema) * now
extern "C" __global__ void follow(const float* now, float* average, u32 len, float ema) {
    EACH(i, len) average[i] = ema * average[i] + (1.0f - ema) * now[i];
}

// The sum of squares: 256 parts, each by one block of threads, then their sum.
__device__ __forceinline__ double block_sum(double value) {
    __shared__ double shared[8];
    value = warp_sum(value);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
    __syncthreads();
    double sum = 0.0;
    for (int i = 0; i < 8; i++) sum += shared[i];
    return sum;
}
extern "C" __global__ void squares(const float* gradients, double* partial, u32 len) {
    double sum = 0.0;
    EACH(i, len) sum += (double)gradients[i] * (double)gradients[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
extern "C" __global__ void squares_finish(double* partial, u32 parts) {
    double sum = block_sum(threadIdx.x < parts ? partial[threadIdx.x] : 0.0);
    if (threadIdx.x == 0) partial[0] = sum;
}
