// The kernels for AVX-512: 32 registers of 64 bytes, 24 of them a tile.

#if defined(__x86_64__)

#include "headers.h"

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#endif

#define POINTCONTRAST_SET avx512
#define POINTCONTRAST_BYTES 64
#define POINTCONTRAST_ROWS 12
#define POINTCONTRAST_VECTORS 2
#define POINTCONTRAST_FMA3

#include "kernels.inl"

const pointcontrast::Kernels pointcontrast::kAvx512Kernels = {
    avx512::kernels_of<float>(), avx512::kernels_of<double>(),
    avx512::products_of<Bfloat16Pair>()};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
