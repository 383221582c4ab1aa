// What the kernels of each instruction set offer. The same source, kernels.inl, is compiled once for
// every set; instruction_set.cpp chooses at run time.

#pragma once

#include <cstdint>

namespace pointcontrast {

// The meetings of a kernel map, seen from the side that is written. Meeting m of tap t, with
// tap_starts[t] <= m < tap_starts[t + 1], reads row read_rows[m] and writes row write_rows[m]; within
// a tap the meetings follow `write_order`, all written rows in the order of space. Block b is the
// rows write_order[b * kBlockRows ...]; its meetings of tap t start at cuts[t * (num_blocks + 1) + b].
struct Meetings {
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

// What follows a convolution in evaluation, while its rows are still in the cache:
// out = max(0, out * scale + shift + shortcut), each part optional.
template <typename T>
struct Epilogue {
  const T* scale;     // (channels,), with shift, or null
  const T* shift;     // (channels,)
  const T* shortcut;  // rows like the result's, or null
  int rectify;
};

// out[w] = sum over taps t and meetings (r, w): features[r] @ kernel[t], in the order of the taps.
// kernel is (taps, depth, channels), or (taps, channels, depth) where `transposed`.
template <typename T>
struct Convolution {
  Meetings meetings;
  const T* features;  // (rows, depth)
  const T* kernel;
  T* out;  // (num_written, channels)
  std::int64_t depth;
  std::int64_t channels;
  int transposed;
  Epilogue<T> epilogue;
};

// grad_kernel[t] = sum over meetings (r, w) of t: outer(features[r], grad_out[w]), in the meetings'
// order.
template <typename T>
struct KernelGradient {
  Meetings meetings;
  const T* features;  // (rows, depth)
  const T* grad_out;  // (num_written, channels)
  T* grad_kernel;     // (taps, depth, channels)
  std::int64_t depth;
  std::int64_t channels;
};

// Batch norm, then a shortcut and max(0, x) where wanted:
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
  const T* out;  // the rectified result, or null where it was not
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

// Each returns 0, or -1 where memory ran out.
template <typename T>
struct KernelsOf {
  int (*convolve)(const Convolution<T>&, int num_threads);
  int (*kernel_gradient)(const KernelGradient<T>&, int num_threads);
  // mean and biased variance of each channel
  int (*statistics)(const T* in, std::int64_t rows, std::int64_t channels, T* mean, T* variance,
                    int num_threads);
  int (*normalize)(const Normalization<T>&, int num_threads);
  int (*normalize_gradient)(const NormalizationGradient<T>&, int num_threads);
  // multiply-adds a second of registers alone, two operations each
  double (*peak)(double seconds, int num_threads);
};

struct Kernels {
  KernelsOf<float> of_float;
  KernelsOf<double> of_double;
};

extern const Kernels kPortableKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

}  // namespace pointcontrast
