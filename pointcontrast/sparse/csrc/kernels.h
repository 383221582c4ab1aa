// Interface of the kernels of each instruction set. The same source, kernels.inl, is compiled once
// per set; instruction_set.cpp selects one at run time.

#pragma once

#include <cstdint>

// Compilers that know the instruction which multiplies bfloat16.
#if defined(__x86_64__) && (defined(__clang__) ? __clang_major__ >= 9 : __GNUC__ >= 11)
#define POINTCONTRAST_HAS_AVX512_BF16 1
#else
#define POINTCONTRAST_HAS_AVX512_BF16 0
#endif

namespace pointcontrast {

// Entries of a kernel map, sorted by the row that they write. Entry m of tap t, with
// tap_starts[t] <= m < tap_starts[t + 1], reads row read_rows[m] and writes row write_rows[m].
// `write_order` holds all written rows in the order of space, which the entries of a tap follow.
// Block b is the rows write_order[b * kBlockRows ...]; its entries of tap t start at
// cuts[t * (num_blocks + 1) + b].
struct MapEntries {
  const std::int32_t* read_rows;
  const std::int32_t* write_rows;
  const std::int64_t* tap_starts;
  const std::int32_t* write_order;
  const std::int32_t* cuts;
  std::int64_t num_taps;
  std::int64_t num_written;
  std::int64_t num_blocks;
};

constexpr std::int64_t kBlockRows = 128;

// Two bfloat16, the first in the lower half. One instruction multiplies two such pairs and adds
// both products to a float.
using Bfloat16Pair = std::uint32_t;

// Factor of a product, a number or a pair of numbers: type of its elements, type of the sum, and
// number of products per factor.
template <typename T>
struct Factor {
  using Element = T;
  using Sum = T;
  static constexpr int kTerms = 1;
};
template <>
struct Factor<Bfloat16Pair> {
  using Element = std::uint16_t;
  using Sum = float;
  static constexpr int kTerms = 2;
};
template <typename T>
using Element = typename Factor<T>::Element;
template <typename T>
using Sum = typename Factor<T>::Sum;
template <typename T>
constexpr int kTerms = Factor<T>::kTerms;

// Operations fused into a convolution in evaluation, while its rows are still in the cache:
// out = max(0, out * scale + shift + shortcut), each part optional.
template <typename T>
struct Epilogue {
  const T* scale;     // (channels,), with shift, or null
  const T* shift;     // (channels,)
  const T* shortcut;  // rows like the result's, or null
  int rectify;
};

// out[w] = sum over taps t and entries (r, w): features[r] @ kernel[t], in the order of the taps.
// kernel is (taps, depth, channels), or (taps, channels, depth) if `transposed`. It is rounded to
// the type of the features.
template <typename T>
struct Convolution {
  MapEntries entries;
  const T* features;  // (rows, depth / kTerms, rounded up: the last pair is filled up with zero)
  const Sum<T>* kernel;
  Sum<T>* out;  // (num_written, channels)
  std::int64_t depth;
  std::int64_t channels;
  int transposed;
  Epilogue<Sum<T>> epilogue;
};

// grad_kernel[t] = sum over entries (r, w) of t: outer(features[r], grad_out[w]), in the entries'
// order.
template <typename T>
struct KernelGradient {
  MapEntries entries;
  const Element<T>* features;  // (rows, depth), rows at whole multiples of kTerms
  const Element<T>* grad_out;  // (num_written, channels), likewise
  Sum<T>* grad_kernel;         // (taps, depth, channels)
  std::int64_t depth;
  std::int64_t channels;
};

// Batch norm, then optionally a shortcut and max(0, x):
// out = max(0, (in - mean) * inverse_deviation * weight + bias + shortcut).
template <typename T>
struct Normalization {
  const T* in;  // (rows, channels)
  T* out;
  const T* shortcut;  // or null
  const T* mean;      // (channels,), as are the next three
  const T* inverse_deviation;
  const T* weight;
  const T* bias;
  std::int64_t rows;
  std::int64_t channels;
  int rectify;
};

template <typename T>
struct NormalizationGradient {
  const T* grad_out;  // (rows, channels)
  const T* in;
  const T* out;  // the rectified result, or null without a rectifier
  const T* mean;
  const T* inverse_deviation;
  const T* weight;
  T* grad_in;
  T* grad_shortcut;  // or null
  T* grad_weight;    // (channels,)
  T* grad_bias;
  std::int64_t rows;
  std::int64_t channels;
};

// Each returns 0, or -1 if memory ran out.
template <typename T>
struct ProductsOf {
  int (*convolve)(const Convolution<T>&, int num_threads);
  int (*kernel_gradient)(const KernelGradient<T>&, int num_threads);
};

template <typename T>
struct KernelsOf {
  ProductsOf<T> products;
  // mean and biased variance of each channel
  int (*statistics)(const T* in, std::int64_t rows, std::int64_t channels, T* mean, T* variance,
                    int num_threads);
  int (*normalize)(const Normalization<T>&, int num_threads);
  int (*normalize_gradient)(const NormalizationGradient<T>&, int num_threads);
  // multiply-adds per second in registers alone, two operations each
  double (*peak)(double seconds, int num_threads);
};

struct Kernels {
  KernelsOf<float> of_float;
  KernelsOf<double> of_double;
  ProductsOf<Bfloat16Pair> of_bfloat16;  // by the products of floats
};

extern const Kernels kPortableKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif
#if POINTCONTRAST_HAS_AVX512_BF16
extern const ProductsOf<Bfloat16Pair> kAvx512Bf16Products;
#endif

}  // namespace pointcontrast
