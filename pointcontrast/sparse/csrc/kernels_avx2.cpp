// The kernels for AVX2 and FMA: 16 registers of 32 bytes, 12 of them a tile.

#if defined(__x86_64__)

#include "headers.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#define POINTCONTRAST_SET avx2
#define POINTCONTRAST_BYTES 32
#define POINTCONTRAST_ROWS 6
#define POINTCONTRAST_VECTORS 2
#define POINTCONTRAST_FMA3

#include "kernels.inl"

const pointcontrast::Kernels pointcontrast::kAvx2Kernels = {
    avx2::kernels_of<float>(), avx2::kernels_of<double>(),
    avx2::products_of<Bfloat16Pair>()};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
