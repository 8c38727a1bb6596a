// Pooling. A window's place (i, j) covers rows i*sh - ph .. + kh and columns j*sw - pw .. + kw.

// `winners`, where given, says which number of the window was the largest (row * kw + column); the first of equals, and
// NaN wins, as in PyTorch.
template <int V>
__device__ void max_pool(const element* x, element* y, u8* winners, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow, u32 kh, u32 kw, u32 sh, u32 sw, u32 ph, u32 pw) {
    u32 packs = c / V;
    EACH(i, (size_t)images * oh * ow * packs) {
        u32 pack = i % packs, column = i / packs % ow, row = i / packs / ow % oh;
        size_t image = i / packs / ow / oh;
        float best[V];
        u8 where[V];
        for (int k = 0; k < V; k++) {
            best[k] = __int_as_float(0xff800000);
            where[k] = 255;
        }
        for (u32 u = 0; u < kh; u++)
            for (u32 v = 0; v < kw; v++) {
                int yy = (int)(row * sh + u) - (int)ph, xx = (int)(column * sw + v) - (int)pw;
                if (yy < 0 || xx < 0 || yy >= (int)h || xx >= (int)w) continue;
                float value[V];
                load<V>(x, ((image * h + yy) * w + xx) * packs + pack, value);
                for (int k = 0; k < V; k++)
                    if (where[k] == 255 || value[k] > best[k] || value[k] != value[k]) {
                        best[k] = value[k];
                        where[k] = (u8)(u * kw + v);
                    }
            }
        save<V>(y, i, best);
        if (winners)
            for (int k = 0; k < V; k++) winners[i * V + k] = where[k];
    }
}
extern "C" __global__ void max_pool_1(const element* x, element* y, u8* winners, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow, u32 kh, u32 kw, u32 sh, u32 sw, u32 ph, u32 pw) { max_pool<1>(x, y, winners, images, h, w, c, oh, ow, kh, kw, sh, sw, ph, pw); }
extern "C" __global__ void max_pool_v(const element* x, element* y, u8* winners, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow, u32 kh, u32 kw, u32 sh, u32 sw, u32 ph, u32 pw) { max_pool<PACK>(x, y, winners, images, h, w, c, oh, ow, kh, kw, sh, sw, ph, pw); }

// Each input gathers the gradients of the windows that it won.
template <int V>
__device__ void max_pool_backward(const u8* winners, const element* d, element* dx, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow, u32 kh, u32 kw, u32 sh, u32 sw, u32 ph, u32 pw) {
    u32 packs = c / V;
    EACH(i, (size_t)images * h * w * packs) {
        u32 pack = i % packs, column = i / packs % w, row = i / packs / w % h;
        size_t image = i / packs / w / h;
        float sum[V];
        for (int k = 0; k < V; k++) sum[k] = 0.0f;
        for (u32 u = 0; u < kh; u++) {
            u32 top = row + ph - u;
            if (row + ph < u || top % sh || top / sh >= oh) continue;
            for (u32 v = 0; v < kw; v++) {
                u32 left = column + pw - v;
                if (column + pw < v || left % sw || left / sw >= ow) continue;
                size_t at = ((image * oh + top / sh) * ow + left / sw) * packs + pack;
                float g[V];
                load<V>(d, at, g);
                for (int k = 0; k < V; k++)
                    if (winners[at * V + k] == (u8)(u * kw + v)) sum[k] += g[k];
            }
        }
        save<V>(dx, i, sum);
    }
}
extern "C" __global__ void max_pool_backward_1(const u8* winners, const element* d, element* dx, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow, u32 kh, u32 kw, u32 sh, u32 sw, u32 ph, u32 pw) { max_pool_backward<1>(winners, d, dx, images, h, w, c, oh, ow, kh, kw, sh, sw, ph, pw); }
extern "C" __global__ void max_pool_backward_v(const u8* winners, const element* d, element* dx, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow, u32 kh, u32 kw, u32 sh, u32 sw, u32 ph, u32 pw) { max_pool_backward<PACK>(winners, d, dx, images, h, w, c, oh, ow, kh, kw, sh, sw, ph, pw); }

// How many numbers a window's mean is over: padding counts where `include`, what hangs over the padding never does.
__device__ __forceinline__ u32 window_size(u32 place, u32 size, u32 kernel, u32 stride, u32 padding, u32 include) {
    int from = (int)(place * stride) - (int)padding, to = from + (int)kernel;
    int low = include ? -(int)padding : 0, high = include ? (int)(size + padding) : (int)size;
    return min(to, high) - max(from, low);
}

extern "C" __global__ void avg_pool(const element* x, element* y, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow, u32 kh, u32 kw, u32 sh, u32 sw, u32 ph, u32 pw, u32 include) {
    EACH(i, (size_t)images * oh * ow * c) {
        u32 channel = i % c, column = i / c % ow, row = i / c / ow % oh;
        size_t image = i / c / ow / oh;
        float sum = 0.0f;
        for (u32 u = 0; u < kh; u++)
            for (u32 v = 0; v < kw; v++) {
                int yy = (int)(row * sh + u) - (int)ph, xx = (int)(column * sw + v) - (int)pw;
                if (yy < 0 || xx < 0 || yy >= (int)h || xx >= (int)w) continue;
                sum += widen(x[((image * h + yy) * w + xx) * c + channel]);
            }
        y[i] = narrow(sum / (window_size(row, h, kh, sh, ph, include) * window_size(column, w, kw, sw, pw, include)));
    }
}

extern "C" __global__ void avg_pool_backward(const element* d, element* dx, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow, u32 kh, u32 kw, u32 sh, u32 sw, u32 ph, u32 pw, u32 include) {
    EACH(i, (size_t)images * h * w * c) {
        u32 channel = i % c, column = i / c % w, row = i / c / w % h;
        size_t image = i / c / w / h;
        float sum = 0.0f;
        for (u32 u = 0; u < kh; u++) {
            u32 top = row + ph - u;
            if (row + ph < u || top % sh || top / sh >= oh) continue;
            for (u32 v = 0; v < kw; v++) {
                u32 left = column + pw - v;
                if (column + pw < v || left % sw || left / sw >= ow) continue;
                u32 size = window_size(top / sh, h, kh, sh, ph, include) * window_size(left / sw, w, kw, sw, pw, include);
                sum += widen(d[((image * oh + top / sh) * ow + left / sw) * c + channel]) / size;
            }
        }
        dx[i] = narrow(sum);
    }
}

// Window i of n over `size` numbers: from floor(i * size / n) to ceil((i + 1) * size / n).
extern "C" __global__ void adaptive_avg_pool(const element* x, element* y, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow) {
    EACH(i, (size_t)images * oh * ow * c) {
        u32 channel = i % c, column = i / c % ow, row = i / c / ow % oh;
        size_t image = i / c / ow / oh;
        u32 y0 = row * h / oh, y1 = ((row + 1) * h + oh - 1) / oh, x0 = column * w / ow, x1 = ((column + 1) * w + ow - 1) / ow;
        float sum = 0.0f;
        for (u32 yy = y0; yy < y1; yy++)
            for (u32 xx = x0; xx < x1; xx++) sum += widen(x[((image * h + yy) * w + xx) * c + channel]);
        y[i] = narrow(sum / ((y1 - y0) * (x1 - x0)));
    }
}

extern "C" __global__ void adaptive_avg_pool_backward(const element* d, element* dx, u32 images, u32 h, u32 w, u32 c, u32 oh, u32 ow) {
    EACH(i, (size_t)images * h * w * c) {
        u32 channel = i % c, column = i / c % w, row = i / c / w % h;
        size_t image = i / c / w / h;
        float sum = 0.0f;
        for (u32 r = row * oh / h; r < oh && r * h / oh <= row; r++) {
            u32 y0 = r * h / oh, y1 = ((r + 1) * h + oh - 1) / oh;
            if (row < y0 || row >= y1) continue;
            for (u32 q = column * ow / w; q < ow && q * w / ow <= column; q++) {
                u32 x0 = q * w / ow, x1 = ((q + 1) * w + ow - 1) / ow;
                if (column < x0 || column >= x1) continue;
                sum += widen(d[((image * oh + r) * ow + q) * c + channel]) / ((y1 - y0) * (x1 - x0));
            }
        }
        dx[i] = narrow(sum);
    }
}
