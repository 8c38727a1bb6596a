// Convolutions for the shapes that cuDNN has no kernel for, and linear layers. Weights of convolutions lie as out x
// height x width x in (of a group).

struct Shape { u32 h, w, c, oh, ow, oc, kh, kw, sh, sw, ph, pw, dh, dw, groups, stride; };

// One thread per result; pixels of y lie `stride` numbers apart.
extern "C" __global__ void convolution(const Shape* shape, u32 images, const element* x, const element* weights, element* y) {
    Shape s = *shape;
    u32 in = s.c / s.groups, per_group = s.oc / s.groups;
    EACH(i, images * s.oh * s.ow * s.oc) {
        u32 o = i % s.oc, column = i / s.oc % s.ow, row = i / s.oc / s.ow % s.oh, image = i / s.oc / s.ow / s.oh;
        float sum = 0.0f;
        for (u32 u = 0; u < s.kh; u++)
            for (u32 v = 0; v < s.kw; v++) {
                int yy = (int)(row * s.sh + u * s.dh) - (int)s.ph, xx = (int)(column * s.sw + v * s.dw) - (int)s.pw;
                if (yy < 0 || xx < 0 || yy >= (int)s.h || xx >= (int)s.w) continue;
                const element* pixel = x + ((size_t)(image * s.h + yy) * s.w + xx) * s.c + o / per_group * in;
                const element* w = weights + ((size_t)(o * s.kh + u) * s.kw + v) * in;
                for (u32 k = 0; k < in; k++) sum += widen(pixel[k]) * widen(w[k]);
            }
        y[(size_t)(i / s.oc) * s.stride + o] = narrow(sum);
    }
}

// One thread per number of dx.
extern "C" __global__ void convolution_backward_data(const Shape* shape, u32 images, const element* d, const element* weights, element* dx) {
    Shape s = *shape;
    u32 in = s.c / s.groups, per_group = s.oc / s.groups;
    EACH(i, images * s.h * s.w * s.c) {
        u32 c = i % s.c, column = i / s.c % s.w, row = i / s.c / s.w % s.h, image = i / s.c / s.w / s.h;
        u32 group = c / in;
        float sum = 0.0f;
        for (u32 u = 0; u < s.kh; u++) {
            int top = (int)(row + s.ph) - (int)(u * s.dh);
            if (top < 0 || top % s.sh || top / s.sh >= s.oh) continue;
            for (u32 v = 0; v < s.kw; v++) {
                int left = (int)(column + s.pw) - (int)(v * s.dw);
                if (left < 0 || left % s.sw || left / s.sw >= s.ow) continue;
                const element* pixel = d + ((size_t)(image * s.oh + top / s.sh) * s.ow + left / s.sw) * s.oc;
                for (u32 o = group * per_group; o < (group + 1) * per_group; o++)
                    sum += widen(pixel[o]) * widen(weights[((size_t)(o * s.kh + u) * s.kw + v) * in + c % in]);
            }
        }
        dx[i] = narrow(sum);
    }
}

// One block of 256 threads per weight.
extern "C" __global__ void convolution_backward_filter(const Shape* shape, u32 images, const element* x, const element* d, element* dweights) {
    Shape s = *shape;
    u32 in = s.c / s.groups, per_group = s.oc / s.groups, at = blockIdx.x;
    u32 k = at % in, v = at / in % s.kw, u = at / in / s.kw % s.kh, o = at / in / s.kw / s.kh;
    u32 c = o / per_group * in + k;
    float sum = 0.0f;
    for (u32 i = threadIdx.x; i < images * s.oh * s.ow; i += 256) {
        u32 column = i % s.ow, row = i / s.ow % s.oh, image = i / s.ow / s.oh;
        int yy = (int)(row * s.sh + u * s.dh) - (int)s.ph, xx = (int)(column * s.sw + v * s.dw) - (int)s.pw;
        if (yy < 0 || xx < 0 || yy >= (int)s.h || xx >= (int)s.w) continue;
        sum += widen(x[((size_t)(image * s.h + yy) * s.w + xx) * s.c + c]) * widen(d[(size_t)i * s.oc + o]);
    }
    __shared__ float shared[8];
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int i = 1; i < 8; i++) sum += shared[i];
        dweights[at] = narrow(sum);
    }
}

// c[m][n] = act(sum over k of a[m][k] * b[k][n] + bias[n]), where a and b are read through functions. Each block of
// 16 x 16 threads computes 64 x 64 results, four by four in a thread.
template <typename A, typename B, typename C> __device__ void product(u32 m, u32 n, u32 k, A a, B b, C c) {
    __shared__ float left[16][65], right[16][65];
    u32 row = blockIdx.y * 64, column = blockIdx.x * 64, own = threadIdx.y * 16 + threadIdx.x;
    float sums[4][4] = {};
    for (u32 from = 0; from < k; from += 16) {
        for (u32 i = own; i < 1024; i += 256) {
            u32 deep = i % 16, at = i / 16;
            left[deep][at] = row + at < m && from + deep < k ? a(row + at, from + deep) : 0.0f;
        }
        for (u32 i = own; i < 1024; i += 256) {
            u32 at = i % 64, deep = i / 64;
            right[deep][at] = column + at < n && from + deep < k ? b(from + deep, column + at) : 0.0f;
        }
        __syncthreads();
        for (u32 deep = 0; deep < 16; deep++) {
            float l[4], r[4];
            for (int i = 0; i < 4; i++) l[i] = left[deep][threadIdx.y * 4 + i];
            for (int i = 0; i < 4; i++) r[i] = right[deep][threadIdx.x + 16 * i];
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++) sums[i][j] += l[i] * r[j];
        }
        __syncthreads();
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            u32 y = row + threadIdx.y * 4 + i, x = column + threadIdx.x + 16 * j;
            if (y < m && x < n) c(y, x, sums[i][j]);
        }
}

// y = act(x W^T + bias); weights are out x in, in f32. `bias` may be null; `then` as in `finish`.
extern "C" __global__ void linear(const element* x, const float* weights, const float* bias, element* y, u32 images, u32 inputs, u32 outputs, u32 then) {
    product(images, outputs, inputs,
        [&](u32 i, u32 k) { return widen(x[(size_t)i * inputs + k]); },
        [&](u32 k, u32 o) { return weights[(size_t)o * inputs + k]; },
        [&](u32 i, u32 o, float sum) {
            if (bias) sum += bias[o];
            if (then) sum = sum < 0.0f ? 0.0f : sum;
            if (then == 2 && sum > 6.0f) sum = 6.0f;
            y[(size_t)i * outputs + o] = narrow(sum);
        });
}

extern "C" __global__ void linear_backward_input(const element* d, const float* weights, element* dx, u32 images, u32 inputs, u32 outputs) {
    product(images, inputs, outputs,
        [&](u32 i, u32 o) { return widen(d[(size_t)i * outputs + o]); },
        [&](u32 o, u32 k) { return weights[(size_t)o * inputs + k]; },
        [&](u32 i, u32 k, float sum) { dx[(size_t)i * inputs + k] = narrow(sum); });
}

extern "C" __global__ void linear_backward_weights(const element* x, const element* d, float* dweights, u32 images, u32 inputs, u32 outputs) {
    product(outputs, inputs, images,
        [&](u32 o, u32 i) { return widen(d[(size_t)i * outputs + o]); },
        [&](u32 i, u32 k) { return widen(x[(size_t)i * inputs + k]); },
        [&](u32 o, u32 k, float sum) { dweights[(size_t)o * inputs + k] = sum; });
}
