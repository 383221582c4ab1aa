// The kernels, written once in the compiler's generic vectors. A file that includes this one
// defines
//   POINTCONTRAST_SET     a namespace for the instruction set
//   POINTCONTRAST_BYTES   of one vector register
//   POINTCONTRAST_ROWS    of a tile of results that stays in registers
//   POINTCONTRAST_VECTORS of a row of that tile
//   POINTCONTRAST_FMA3    where there are x86's fused multiply-adds
//   POINTCONTRAST_BF16    where there are x86's products of bfloat16
// and includes headers.h before it selects the instruction set: inline functions from there must
// run on any processor, because the linker keeps one copy for all.
//
// The order of floating-point sums does not depend on the number of threads: each row of a
// convolution adds its taps in turn, and each kernel gradient its entries, in pieces that depend on
// the sizes alone.

#define POINTCONTRAST_INLINE __attribute__((always_inline)) inline
#define POINTCONTRAST_INLINE_LAMBDA __attribute__((always_inline))

namespace pointcontrast {
namespace POINTCONTRAST_SET {
namespace {

constexpr int kRows = POINTCONTRAST_ROWS;
constexpr int kVectors = POINTCONTRAST_VECTORS;

inline std::int64_t divide_up(std::int64_t count, std::int64_t size) {
  return (count + size - 1) / size;
}

// Blocks of rows that hold `count` entries of each tap on average.
inline std::int64_t blocks_for(const MapEntries& entries, std::int64_t count) {
  const std::int64_t in_all = std::max<std::int64_t>(entries.tap_starts[entries.num_taps], 1);
  const std::int64_t wanted = count * entries.num_taps * entries.num_blocks / in_all;
  return std::max<std::int64_t>(1, std::min<std::int64_t>(wanted, 16));
}

#include "vectors.inl"
#include "tiles.inl"
#include "convolution.inl"
#include "kernel_gradient.inl"

template <typename T>
constexpr ProductsOf<T> products_of() {
  return {convolve<T>, kernel_gradient<T>};
}

#if !defined(POINTCONTRAST_BF16)
#include "normalization.inl"
#include "peak.inl"

template <typename T>
constexpr KernelsOf<T> kernels_of() {
  return {products_of<T>(), statistics<T>, normalize<T>, normalize_gradient<T>, peak<T>};
}
#endif

}  // namespace
}  // namespace POINTCONTRAST_SET
}  // namespace pointcontrast
