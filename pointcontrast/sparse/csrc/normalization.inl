// Batch norm with a shortcut and a rectifier: the sums over the rows, then one pass. Included by
// kernels.inl.

// Rows per partial sum, which has the precision of the numbers; partial sums are added in double.
constexpr std::int64_t kSumRows = 256;

// Call body(c, kind) for all channels, a vector at a time and then one by one; decltype(kind) is
// the type of the step.
template <typename T, typename Body>
POINTCONTRAST_INLINE void each_channel(std::int64_t channels, const Body& body) {
  std::int64_t c = 0;
  for (; c + kLanes<T> <= channels; c += kLanes<T>) body(c, Vector<T>{});
  for (; c < channels; ++c) body(c, T{});
}

template <typename V, typename T>
POINTCONTRAST_INLINE V get(const T* from) {
  V value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// max(0, x); NaN stays
template <typename V>
POINTCONTRAST_INLINE V rectified(V value) {
  const V zero{};
  return value < zero ? zero : value;
}

// Gradient of the input of a rectifier whose result is `out`.
template <typename V>
POINTCONTRAST_INLINE V before_rectifier(V grad, V out) {
  const V zero{};
  return out <= zero ? zero : grad;
}

// Call body(first row, last row, part) for every part of the rows, on all threads.
template <typename Body>
void each_part(std::int64_t rows, int num_threads, const Body& body) {
  for_each_task(divide_up(rows, kSumRows), num_threads, [&](std::int64_t part, int) {
    body(part * kSumRows, std::min((part + 1) * kSumRows, rows), part);
  });
}

template <typename T>
int statistics(const T* in, std::int64_t rows, std::int64_t channels, T* mean, T* variance,
               int num_threads) {
  const std::int64_t num_parts = divide_up(rows, kSumRows);
  const auto width = static_cast<std::size_t>(2 * channels);
  auto* memory = static_cast<char*>(scratch(
      width * (sizeof(double) + static_cast<std::size_t>(num_parts) * sizeof(T))));
  if (!memory) return -1;
  auto* all_mean = reinterpret_cast<double*>(memory);
  auto* all_square = all_mean + channels;
  auto* parts = reinterpret_cast<T*>(memory + width * sizeof(double));
  // Mean and squared distance of each part, the second about the first: no digits are lost if
  // the mean is large compared to the deviation.
  each_part(rows, num_threads, [&](std::int64_t first, std::int64_t last, std::int64_t part) {
    T* part_mean = parts + part * 2 * channels;
    T* part_square = part_mean + channels;
    std::fill(part_mean, part_mean + 2 * channels, T(0));
    for (std::int64_t row = first; row < last; ++row)
      each_channel<T>(channels, [&](std::int64_t c, auto kind) POINTCONTRAST_INLINE_LAMBDA {
        using V = decltype(kind);
        const V sum = get<V>(part_mean + c) + get<V>(in + row * channels + c);
        std::memcpy(part_mean + c, &sum, sizeof sum);
      });
    for (std::int64_t c = 0; c < channels; ++c) part_mean[c] /= static_cast<T>(last - first);
    for (std::int64_t row = first; row < last; ++row)
      each_channel<T>(channels, [&](std::int64_t c, auto kind) POINTCONTRAST_INLINE_LAMBDA {
        using V = decltype(kind);
        const V distance = get<V>(in + row * channels + c) - get<V>(part_mean + c);
        const V sum = get<V>(part_square + c) + distance * distance;
        std::memcpy(part_square + c, &sum, sizeof sum);
      });
  });
  std::fill(all_mean, all_mean + 2 * channels, 0.0);
  double count = 0;
  for (std::int64_t part = 0; part < num_parts; ++part) {
    const auto here = static_cast<double>(std::min(kSumRows, rows - part * kSumRows));
    const T* part_mean = parts + part * 2 * channels;
    const T* part_square = part_mean + channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const double apart = static_cast<double>(part_mean[c]) - all_mean[c];
      all_square[c] += static_cast<double>(part_square[c]) +
                       apart * apart * (count * here / (count + here));
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
  const auto run = [&](auto has_shortcut, auto rectify) {
    each_part(work.rows, num_threads, [&](std::int64_t first, std::int64_t last, std::int64_t) {
      for (std::int64_t row = first; row < last; ++row)
        each_channel<T>(channels, [&](std::int64_t c, auto kind) POINTCONTRAST_INLINE_LAMBDA {
          using V = decltype(kind);
          V value = (get<V>(work.in + row * channels + c) - get<V>(work.mean + c)) *
                        get<V>(scale + c) + get<V>(work.bias + c);
          if constexpr (has_shortcut) value += get<V>(work.shortcut + row * channels + c);
          if constexpr (rectify) value = rectified(value);
          std::memcpy(work.out + row * channels + c, &value, sizeof value);
        });
    });
  };
  using Yes = std::true_type;
  using No = std::false_type;
  if (work.shortcut)
    work.rectify ? run(Yes{}, Yes{}) : run(Yes{}, No{});
  else
    work.rectify ? run(No{}, Yes{}) : run(No{}, No{});
  return 0;
}

// With g the gradient of the rectifier's input, x the normalised input and n the rows:
// grad_bias = sum g, grad_weight = sum g x,
// grad_in = weight / deviation * (g - grad_bias / n - x * grad_weight / n).
template <typename T, typename Rectified>
int normalize_gradient(const NormalizationGradient<T>& work, int num_threads,
                       Rectified is_rectified) {
  const std::int64_t rows = work.rows, channels = work.channels;
  const std::int64_t num_parts = divide_up(rows, kSumRows);
  const auto width = static_cast<std::size_t>(2 * channels);
  auto* memory = static_cast<char*>(scratch(
      width * (sizeof(double) + static_cast<std::size_t>(num_parts + 2) * sizeof(T))));
  if (!memory) return -1;
  auto* sum = reinterpret_cast<double*>(memory);
  auto* product = sum + channels;
  auto* factor = reinterpret_cast<T*>(memory + width * sizeof(double));
  T* less = factor + channels;
  T* tilt = less + channels;
  T* parts = tilt + channels;

  const auto gradient_at = [&](std::int64_t at, auto kind) POINTCONTRAST_INLINE_LAMBDA {
    using V = decltype(kind);
    const V grad = get<V>(work.grad_out + at);
    if constexpr (is_rectified)
      return before_rectifier(grad, get<V>(work.out + at));
    else
      return grad;
  };
  each_part(rows, num_threads, [&](std::int64_t first, std::int64_t last, std::int64_t part) {
    T* part_sum = parts + part * 2 * channels;
    T* part_product = part_sum + channels;
    std::fill(part_sum, part_sum + 2 * channels, T(0));
    for (std::int64_t row = first; row < last; ++row)
      each_channel<T>(channels, [&](std::int64_t c, auto kind) POINTCONTRAST_INLINE_LAMBDA {
        using V = decltype(kind);
        const std::int64_t at = row * channels + c;
        const V grad = gradient_at(at, kind);
        const V new_sum = get<V>(part_sum + c) + grad;
        const V new_product =
            get<V>(part_product + c) + grad * (get<V>(work.in + at) - get<V>(work.mean + c));
        std::memcpy(part_sum + c, &new_sum, sizeof new_sum);
        std::memcpy(part_product + c, &new_product, sizeof new_product);
      });
  });
  std::fill(sum, sum + 2 * channels, 0.0);
  for (std::int64_t part = 0; part < num_parts; ++part)
    for (std::int64_t c = 0; c < 2 * channels; ++c)
      sum[c] += static_cast<double>(parts[part * 2 * channels + c]);
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto inverse = static_cast<double>(work.inverse_deviation[c]);
    work.grad_bias[c] = static_cast<T>(sum[c]);
    work.grad_weight[c] = static_cast<T>(product[c] * inverse);
    factor[c] = work.weight[c] * work.inverse_deviation[c];
    less[c] = static_cast<T>(sum[c] / static_cast<double>(rows));
    tilt[c] = static_cast<T>(product[c] * inverse * inverse / static_cast<double>(rows));
  }

  const auto run = [&](auto has_shortcut) {
    each_part(rows, num_threads, [&](std::int64_t first, std::int64_t last, std::int64_t) {
      for (std::int64_t row = first; row < last; ++row)
        each_channel<T>(channels, [&](std::int64_t c, auto kind) POINTCONTRAST_INLINE_LAMBDA {
          using V = decltype(kind);
          const std::int64_t at = row * channels + c;
          const V grad = gradient_at(at, kind);
          const V here = get<V>(factor + c) *
                         (grad - get<V>(less + c) -
                          (get<V>(work.in + at) - get<V>(work.mean + c)) * get<V>(tilt + c));
          if constexpr (has_shortcut) std::memcpy(work.grad_shortcut + at, &grad, sizeof grad);
          std::memcpy(work.grad_in + at, &here, sizeof here);
        });
    });
  };
  work.grad_shortcut ? run(std::true_type{}) : run(std::false_type{});
  return 0;
}

template <typename T>
int normalize_gradient(const NormalizationGradient<T>& work, int num_threads) {
  return work.out ? normalize_gradient(work, num_threads, std::true_type{})
                  : normalize_gradient(work, num_threads, std::false_type{});
}
