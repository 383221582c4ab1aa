// The kernels for any processor: vectors of 16 bytes, which SSE2 and NEON have. 64-bit Arm has
// twice the registers of SSE2, and so a larger tile.

#include "headers.h"

#define POINTCONTRAST_SET portable
#define POINTCONTRAST_BYTES 16
#define POINTCONTRAST_ROWS 6
#if defined(__aarch64__)
#define POINTCONTRAST_VECTORS 4
#else
#define POINTCONTRAST_VECTORS 2
#endif

#include "kernels.inl"

const pointcontrast::Kernels pointcontrast::kPortableKernels = {
    portable::kernels_of<float>(), portable::kernels_of<double>(),
    portable::products_of<Bfloat16Pair>()};
