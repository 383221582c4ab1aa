// The products of bfloat16 where AVX-512 multiplies them: otherwise as kernels_avx512.cpp.

#include "headers.h"

#if POINTCONTRAST_HAS_AVX512_BF16

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512bf16,avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512bf16,avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#endif

#define POINTCONTRAST_SET avx512_bf16
#define POINTCONTRAST_BYTES 64
#define POINTCONTRAST_ROWS 12
#define POINTCONTRAST_VECTORS 2
#define POINTCONTRAST_FMA3
#define POINTCONTRAST_BF16

#include "kernels.inl"

const pointcontrast::ProductsOf<pointcontrast::Bfloat16Pair> pointcontrast::kAvx512Bf16Products =
    avx512_bf16::products_of<Bfloat16Pair>();

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
