// Batch norm with what follows it, one pass over the rows each way besides the sums. Included as
// kernels.inl is, after it.

// Partial sums of `kSumRows` rows each, two numbers a channel, in double precision.
inline std::int64_t num_sums(std::int64_t rows) { return divide_up(rows, kSumRows); }

template <typename T>
int statistics(const T* in, std::int64_t rows, std::int64_t channels, T* mean, T* variance,
               int num_threads) {
  const std::int64_t num_parts = num_sums(rows);
  auto* parts = static_cast<double*>(
      scratch(sizeof(double) * static_cast<std::size_t>((num_parts + 1) * 2 * channels)));
  if (!parts) return -1;
  // Mean and squared distance of each part, the second about the first: no digits are lost where
  // the mean is large beside the deviation.
  for_each_task(num_parts, num_threads, [&](std::int64_t part, int) {
    const std::int64_t first = part * kSumRows, last = std::min(first + kSumRows, rows);
    double* part_mean = parts + (part + 1) * 2 * channels;
    double* part_square = part_mean + channels;
    std::fill(part_mean, part_mean + 2 * channels, 0.0);
    for (std::int64_t row = first; row < last; ++row)
      for (std::int64_t c = 0; c < channels; ++c)
        part_mean[c] += static_cast<double>(in[row * channels + c]);
    for (std::int64_t c = 0; c < channels; ++c) part_mean[c] /= static_cast<double>(last - first);
    for (std::int64_t row = first; row < last; ++row)
      for (std::int64_t c = 0; c < channels; ++c) {
        const double distance = static_cast<double>(in[row * channels + c]) - part_mean[c];
        part_square[c] += distance * distance;
      }
  });
  double* all_mean = parts;
  double* all_square = parts + channels;
  std::fill(all_mean, all_mean + 2 * channels, 0.0);
  double count = 0;
  for (std::int64_t part = 0; part < num_parts; ++part) {
    const auto here = static_cast<double>(std::min(kSumRows, rows - part * kSumRows));
    const double* part_mean = parts + (part + 1) * 2 * channels;
    const double* part_square = part_mean + channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const double apart = part_mean[c] - all_mean[c];
      all_square[c] += part_square[c] + apart * apart * (count * here / (count + here));
      all_mean[c] += apart * (here / (count + here));
    }
    count += here;
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    mean[c] = static_cast<T>(all_mean[c]);
    variance[c] = static_cast<T>(all_square[c] / count);
  }
  return 0;
}

template <typename T>
int normalize(const Normalization<T>& work, int num_threads) {
  const std::int64_t channels = work.channels;
  auto* scale = static_cast<T*>(scratch(sizeof(T) * static_cast<std::size_t>(channels)));
  if (!scale) return -1;
  for (std::int64_t c = 0; c < channels; ++c) scale[c] = work.inverse_deviation[c] * work.weight[c];
  for_each_task(num_sums(work.rows), num_threads, [&](std::int64_t part, int) {
    const std::int64_t first = part * kSumRows, last = std::min(first + kSumRows, work.rows);
    for (std::int64_t row = first; row < last; ++row) {
      const T* __restrict in = work.in + row * channels;
      const T* __restrict shortcut = work.shortcut + (work.shortcut ? row * channels : 0);
      T* __restrict out = work.out + row * channels;
      const T* __restrict mean = work.mean;
      const T* __restrict bias = work.bias;
      const T* __restrict by = scale;
      if (work.shortcut && work.rectify) {
        for (std::int64_t c = 0; c < channels; ++c) {
          const T value = (in[c] - mean[c]) * by[c] + bias[c] + shortcut[c];
          out[c] = value < 0 ? T(0) : value;  // NaN stays
        }
      } else if (work.rectify) {
        for (std::int64_t c = 0; c < channels; ++c) {
          const T value = (in[c] - mean[c]) * by[c] + bias[c];
          out[c] = value < 0 ? T(0) : value;
        }
      } else if (work.shortcut) {
        for (std::int64_t c = 0; c < channels; ++c)
          out[c] = (in[c] - mean[c]) * by[c] + bias[c] + shortcut[c];
      } else {
        for (std::int64_t c = 0; c < channels; ++c) out[c] = (in[c] - mean[c]) * by[c] + bias[c];
      }
    }
  });
  return 0;
}

// With g the gradient behind the rectifier, x the normalised input and n the rows:
// grad_bias = sum g, grad_weight = sum g x,
// grad_in = weight / deviation * (g - grad_bias / n - x * grad_weight / n).
template <typename T>
int normalize_gradient(const NormalizationGradient<T>& work, int num_threads) {
  const std::int64_t rows = work.rows, channels = work.channels;
  const std::int64_t num_parts = num_sums(rows);
  const auto wide = static_cast<std::size_t>(channels);
  const std::size_t part_bytes = 2 * wide * sizeof(double);
  auto* memory = static_cast<char*>(
      scratch(part_bytes * static_cast<std::size_t>(num_parts + 1) + 3 * wide * sizeof(T)));
  if (!memory) return -1;
  auto* parts = reinterpret_cast<double*>(memory);
  auto* factor = reinterpret_cast<T*>(memory + part_bytes * static_cast<std::size_t>(num_parts + 1));
  T* mean_gradient = factor + channels;
  T* mean_product = mean_gradient + channels;

  for_each_task(num_parts, num_threads, [&](std::int64_t part, int) {
    const std::int64_t first = part * kSumRows, last = std::min(first + kSumRows, rows);
    double* __restrict sum = parts + (part + 1) * 2 * channels;
    double* __restrict product = sum + channels;
    const T* __restrict mean = work.mean;
    std::fill(sum, sum + 2 * channels, 0.0);
    for (std::int64_t row = first; row < last; ++row) {
      const T* __restrict grad = work.grad_out + row * channels;
      const T* __restrict in = work.in + row * channels;
      if (work.out) {
        const T* __restrict out = work.out + row * channels;
        for (std::int64_t c = 0; c < channels; ++c) {
          const T here = out[c] <= 0 ? T(0) : grad[c];
          sum[c] += static_cast<double>(here);
          product[c] += static_cast<double>(here * (in[c] - mean[c]));
        }
      } else {
        for (std::int64_t c = 0; c < channels; ++c) {
          sum[c] += static_cast<double>(grad[c]);
          product[c] += static_cast<double>(grad[c] * (in[c] - mean[c]));
        }
      }
    }
  });
  double* sum = parts;
  double* product = parts + channels;
  std::fill(sum, sum + 2 * channels, 0.0);
  for (std::int64_t part = 1; part <= num_parts; ++part)
    for (std::int64_t c = 0; c < 2 * channels; ++c) sum[c] += parts[part * 2 * channels + c];
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto inverse = static_cast<double>(work.inverse_deviation[c]);
    work.grad_bias[c] = static_cast<T>(sum[c]);
    work.grad_weight[c] = static_cast<T>(product[c] * inverse);
    factor[c] = work.weight[c] * work.inverse_deviation[c];
    mean_gradient[c] = static_cast<T>(sum[c] / static_cast<double>(rows));
    mean_product[c] = static_cast<T>(product[c] * inverse * inverse / static_cast<double>(rows));
  }

  for_each_task(num_parts, num_threads, [&](std::int64_t part, int) {
    const std::int64_t first = part * kSumRows, last = std::min(first + kSumRows, rows);
    const T* __restrict mean = work.mean;
    const T* __restrict by = factor;
    const T* __restrict less = mean_gradient;
    const T* __restrict tilt = mean_product;
    for (std::int64_t row = first; row < last; ++row) {
      const T* __restrict grad = work.grad_out + row * channels;
      const T* __restrict in = work.in + row * channels;
      T* __restrict grad_in = work.grad_in + row * channels;
      if (!work.out) {
        for (std::int64_t c = 0; c < channels; ++c)
          grad_in[c] = by[c] * (grad[c] - less[c] - (in[c] - mean[c]) * tilt[c]);
        continue;
      }
      const T* __restrict out = work.out + row * channels;
      if (work.grad_shortcut) {
        T* __restrict grad_shortcut = work.grad_shortcut + row * channels;
        for (std::int64_t c = 0; c < channels; ++c) {
          const T here = out[c] <= 0 ? T(0) : grad[c];
          grad_shortcut[c] = here;
          grad_in[c] = by[c] * (here - less[c] - (in[c] - mean[c]) * tilt[c]);
        }
      } else {
        for (std::int64_t c = 0; c < channels; ++c) {
          const T here = out[c] <= 0 ? T(0) : grad[c];
          grad_in[c] = by[c] * (here - less[c] - (in[c] - mean[c]) * tilt[c]);
        }
      }
    }
  });
  return 0;
}

// Chains of multiply-adds that never leave the registers, as many as a tile has: what the processor
// can do at most.
template <typename T>
double peak(double seconds, int num_threads) {
  using Clock = std::chrono::steady_clock;
  constexpr int kChains = kRows * kVectors;
  constexpr std::int64_t kSteps = 20000;
  std::atomic<std::int64_t> steps{0};
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  for_each_task(num_threads, num_threads, [&](std::int64_t, int) {
    Vector<T> chain[kChains], factor = Vector<T>{} + T(1), term = Vector<T>{};
    for (auto& value : chain) value = Vector<T>{} + T(1);
    std::int64_t here = 0;
    do {
      asm volatile("" : "+m"(factor), "+m"(term));  // not known to the compiler
      const Vector<T> by = factor, plus = term;
      for (std::int64_t step = 0; step < kSteps; ++step)
        for (auto& value : chain) value = value * by + plus;
      here += kSteps;
    } while (elapsed() < seconds);
    for (auto& value : chain) asm volatile("" : "+m"(value));  // not dead
    steps += here;
  });
  return static_cast<double>(steps.load()) * kChains * kLanes<T> / elapsed();
}

template <typename T>
constexpr KernelsOf<T> kernels_of() {
  return {convolve<T>, kernel_gradient<T>, statistics<T>, normalize<T>, normalize_gradient<T>, peak<T>};
}
