// Numbers that only change their place or their type, dropout, and products.

// From the caller's f32 images to elements, each pixel widened from c to `padded` channels by zeros.
extern "C" __global__ void take_images(const float* x, element* y, u32 pixels, u32 c, u32 padded) {
    EACH(i, (size_t)pixels * padded) {
        u32 channel = i % padded;
        y[i] = narrow(channel < c ? x[i / padded * c + channel] : 0.0f);
    }
}

extern "C" __global__ void to_f32(const element* x, float* y, u32 count) {
    EACH(i, count) y[i] = widen(x[i]);
}

extern "C" __global__ void from_f32(const float* x, element* y, u32 count) {
    EACH(i, count) y[i] = narrow(x[i]);
}

extern "C" __global__ void copy(const element* x, element* y, u32 count) {
    EACH(i, count) y[i] = x[i];
}

// Pixels of `channels` numbers into wider ones of `total`, from `offset` on; and back.
extern "C" __global__ void insert(const element* x, element* y, u32 pixels, u32 channels, u32 total, u32 offset) {
    EACH(i, (size_t)pixels * channels) y[i / channels * total + offset + i % channels] = x[i];
}
extern "C" __global__ void extract(const element* y, element* x, u32 pixels, u32 channels, u32 total, u32 offset) {
    EACH(i, (size_t)pixels * channels) x[i] = y[i / channels * total + offset + i % channels];
}

// From memory order to PyTorch's (channel, pixel), or back.
extern "C" __global__ void flatten(const element* x, element* y, u32 images, u32 pixels, u32 channels, u32 back) {
    u32 per_image = pixels * channels;
    EACH(i, (size_t)images * per_image) {
        u32 at = i % per_image;
        size_t other = i - at + (size_t)(at % channels) * pixels + at / channels;
        if (back) y[i] = x[other];
        else y[other] = x[i];
    }
}

// y[n, p, c] = x[n, p, c] * s[n, c]; a picture has `picture` numbers and `channels` factors.
extern "C" __global__ void product(const element* x, const element* s, element* y, u32 count, u32 picture, u32 channels) {
    EACH(i, count) y[i] = narrow(widen(x[i]) * widen(s[i / picture * channels + i % channels]));
}
// The gradient at the factors: the sum over a picture's pixels of x times d.
extern "C" __global__ void product_factors(const element* x, const element* d, element* ds, u32 count, u32 picture, u32 channels) {
    EACH(i, count) {
        size_t first = (size_t)(i / channels) * picture;
        float sum = 0.0f;
        for (u32 at = i % channels; at < picture; at += channels) sum += widen(x[first + at]) * widen(d[first + at]);
        ds[i] = narrow(sum);
    }
}

// The CIFAR ResNets' shortcut: every stride-th pixel, zeros before and behind its channels.
extern "C" __global__ void pad_shortcut(const element* x, element* y, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow, u32 oc, u32 stride) {
    u32 pad = (oc - c) / 2;
    EACH(i, (size_t)images * oh * ow * oc) {
        u32 o = i % oc, column = i / oc % ow, row = i / oc / ow % oh;
        size_t image = i / oc / ow / oh;
        bool inside = o >= pad && o < pad + c;
        y[i] = inside ? x[((image * h + row * stride) * w + column * stride) * c + o - pad] : narrow(0.0f);
    }
}
extern "C" __global__ void pad_shortcut_backward(const element* d, element* dx, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow, u32 oc, u32 stride) {
    u32 pad = (oc - c) / 2;
    EACH(i, (size_t)images * h * w * c) {
        u32 o = i % c, column = i / c % w, row = i / c / w % h;
        size_t image = i / c / w / h;
        bool read = row % stride == 0 && column % stride == 0 && row / stride < oh && column / stride < ow;
        dx[i] = read ? d[((image * oh + row / stride) * ow + column / stride) * oc + o + pad] : narrow(0.0f);
    }
}

// The CPU's masks: splitmix64 over seed, step, layer and block of 16384 numbers, then a mixer over the index in it.
// `draw` is seed and step.
__device__ __forceinline__ u64 mix(u64 key) {
    u64 z = key + 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}
extern "C" __global__ void dropout(const element* x, element* y, const u64* draw, u64 layer, u32 count, u32 threshold, float scale, u32 block) {
    EACH(i, count) {
        u64 key = mix(mix(mix(mix(draw[0]) ^ draw[1]) ^ layer) ^ (i / block));
        u32 h = (u32)(i % block) * 0x9e3779b9u ^ (u32)key;
        h = (h ^ (h >> 16)) * 0x7feb352du;
        h = (h ^ (u32)(key >> 32) ^ (h >> 15)) * 0x846ca68bu;
        h ^= h >> 16;
        y[i] = narrow((h >> 8) < threshold ? 0.0f : widen(x[i]) * scale);
    }
}
