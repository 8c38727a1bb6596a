// What all kernels share. Activations are `element`s: f32, or bf16 where ELEMENT_BF16 is defined; arithmetic is f32.
// Maps are images x height x width x channels. Every kernel gives the same bits from run to run: sums are split into a
// fixed number of parts, which are added in a fixed order, and nothing is added atomically.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifdef ELEMENT_BF16
struct element { u16 bits; };
#define PACK 8
__device__ __forceinline__ float widen(element e) { return __uint_as_float((u32)e.bits << 16); }
// To the nearest, ties to even; NaN stays NaN.
__device__ __forceinline__ element narrow(float value) {
    u32 bits = __float_as_uint(value);
    element e;
    if ((bits & 0x7fffffffu) > 0x7f800000u) e.bits = (u16)((bits >> 16) | 0x40u);
    else e.bits = (u16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    return e;
}
#else
typedef float element;
#define PACK 4
__device__ __forceinline__ float widen(element e) { return e; }
__device__ __forceinline__ element narrow(float value) { return value; }
#endif

// V numbers that lie side by side, read and written at once. V is 1 or PACK.
template <int V> struct alignas(sizeof(element) * V) Pack { element at[V]; };

template <int V> __device__ __forceinline__ void load(const element* from, size_t index, float (&to)[V]) {
    Pack<V> pack = reinterpret_cast<const Pack<V>*>(from)[index];
#pragma unroll
    for (int i = 0; i < V; i++) to[i] = widen(pack.at[i]);
}

template <int V> __device__ __forceinline__ void save(element* to, size_t index, const float (&from)[V]) {
    Pack<V> pack;
#pragma unroll
    for (int i = 0; i < V; i++) pack.at[i] = narrow(from[i]);
    reinterpret_cast<Pack<V>*>(to)[index] = pack;
}

// The numbers that a thread of a grid works on. There are less than 2^31 of anything, so 32 bits do, whose divisions are
// several times faster than those of 64.
#define EACH(index, count) \
    for (u32 index = blockIdx.x * blockDim.x + threadIdx.x; index < (u32)(count); index += gridDim.x * blockDim.x)

// The sum over the 32 threads of a warp, in each of them.
template <typename T> __device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
    return value;
}
