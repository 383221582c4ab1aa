// The gradient of a convolution's kernel. Included by kernels.inl.

// Entries per step: the packed rows of a step fit into the L2 cache, one panel of them into L1.
constexpr std::int64_t kStep = 256;
constexpr std::int64_t kStepBytes = 1 << 18;
// Rows that are fetched before they are packed.
constexpr std::int64_t kAhead = 8;

// Division of the work. A unit is a tap and some panels, one sum from the first entry to the last.
// Each lane has units of its own, so that all lanes go through the blocks of rows together and a
// block is fetched once.
struct Units {
  std::int64_t panels_per_unit, units_per_tap, count, num_lanes;
  std::int64_t* lane_of;  // (count,)

  Units(std::int64_t num_taps, std::int64_t num_panels, int num_threads)
      : panels_per_unit(num_panels),
        units_per_tap(1),
        count(num_taps),
        num_lanes(1),
        lane_of(nullptr) {
    // With few taps, several units of each, so that every thread has work.
    const std::int64_t wanted =
        divide_up(3 * static_cast<std::int64_t>(num_threads), std::max<std::int64_t>(num_taps, 1));
    panels_per_unit = divide_up(num_panels, std::min(num_panels, wanted));
    units_per_tap = divide_up(num_panels, panels_per_unit);
    count = num_taps * units_per_tap;
    num_lanes = std::max<std::int64_t>(1, std::min<std::int64_t>(num_threads, count));
  }

  // Size of the memory that `deal` needs, in int64.
  std::int64_t room() const { return 2 * count + num_lanes; }

  // Largest unit first, each to the lane with the least work.
  void deal(const MapEntries& entries, std::int64_t* memory) {
    lane_of = memory;
    std::int64_t* by_size = lane_of + count;
    std::int64_t* load_of = by_size + count;
    const auto size_of = [&](std::int64_t unit) {
      const std::int64_t tap = unit / units_per_tap;
      return entries.tap_starts[tap + 1] - entries.tap_starts[tap];
    };
    for (std::int64_t unit = 0; unit < count; ++unit) by_size[unit] = unit;
    std::sort(by_size, by_size + count, [&](std::int64_t a, std::int64_t b) {
      return size_of(a) != size_of(b) ? size_of(a) > size_of(b) : a < b;
    });
    std::fill(load_of, load_of + num_lanes, 0);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t lane = std::min_element(load_of, load_of + num_lanes) - load_of;
      lane_of[by_size[i]] = lane;
      load_of[lane] += size_of(by_size[i]);
    }
  }
};

// Copy the columns [first, last) of row m to panels of `length` rows, padded with zeros.
template <typename T>
void pack_panels(const FactorRows<T>& row, std::int64_t m, std::int64_t length, std::int64_t first,
                 std::int64_t last, T* panels) {
  for (; first < last; first += kPanel<T>, panels += length * kPanel<T>) {
    const std::int64_t columns = std::min<std::int64_t>(last - first, kPanel<T>);
    if (columns == kPanel<T>) {
      T* to = panels + m * kPanel<T>;
      for (int v = 0; v < kVectors; ++v)
        row.from(first + v * kLanes<T>).copy_vector(to + v * kLanes<T>);
    } else {
      const std::int64_t width = vectors_for<T>(columns) * kLanes<T>;
      T* to = panels + m * width;
      row.from(first).copy(columns, to);
      std::fill(to + columns, to + width, T(0));
    }
  }
}

// gradient (depth, channels) += left^T @ right for `count` packed factors and the columns
// [first, last).
template <typename T>
void multiply_packed(const KernelGradient<T>& work, const T* left, const T* right,
                     std::int64_t count, std::int64_t first, std::int64_t last,
                     Sum<T>* gradient) {
  const EvenTiles tiles(work.depth);
  for (; first < last; first += kPanel<T>, right += count * kPanel<T>) {
    const std::int64_t columns = std::min<std::int64_t>(last - first, kPanel<T>);
    const int vectors = vectors_for<T>(columns);
    for (std::int64_t tile = 0, k = 0; tile < tiles.count; k += tiles.size(tile), ++tile) {
      const std::int64_t size = tiles.size(tile);
      const auto multiply = kTable<T>.by_columns[vectors - 1][size - 1];
      Sum<T>* write[kRows];
      for (std::int64_t r = 0; r < size; ++r) write[r] = gradient + (k + r) * work.channels + first;
      if (columns == vectors * kLanes<T>) {
        multiply(left + k * count, right, count, write);
      } else {
        on_padded_rows(write, size, columns, [&](Sum<T>(*padded)[kPanel<T>]) {
          Sum<T>* rows[kRows];
          for (std::int64_t r = 0; r < size; ++r) rows[r] = padded[r];
          multiply(left + k * count, right, count, rows);
        });
      }
    }
  }
}

template <typename T>
int kernel_gradient(const KernelGradient<T>& work, int num_threads) {
  const MapEntries& entries = work.entries;
  const std::int64_t depth = work.depth, channels = work.channels;
  const std::int64_t num_panels = divide_up(channels, kPanel<T>);
  const std::int64_t packed_row = depth + num_panels * kPanel<T>;
  constexpr auto element_bytes = static_cast<std::int64_t>(sizeof(Element<T>));
  const std::int64_t row_bytes = packed_row * element_bytes;
  const std::int64_t step = std::max<std::int64_t>(
      64, std::min<std::int64_t>(kStep, kStepBytes / row_bytes) / kTerms<T> * kTerms<T>);
  const std::int64_t blocks_per_step = blocks_for(entries, step);
  const auto row_size = [](std::int64_t columns) {
    return divide_up(columns, kTerms<T>) * kTerms<T>;
  };
  const auto features_of = [&](std::int64_t entry) {
    return work.features + entries.read_rows[entry] * row_size(depth);
  };
  const auto grad_of = [&](std::int64_t entry) {
    return work.grad_out + entries.write_rows[entry] * row_size(channels);
  };

  Units units(entries.num_taps, num_panels, num_threads);
  const std::size_t lane_bytes =
      static_cast<std::size_t>(step * row_bytes + kCacheLine) / kCacheLine * kCacheLine;
  auto* memory = static_cast<char*>(
      scratch(static_cast<std::size_t>(units.num_lanes) * lane_bytes +
              sizeof(std::int64_t) * static_cast<std::size_t>(units.room())));
  if (!memory) return -1;
  units.deal(entries, reinterpret_cast<std::int64_t*>(
                           memory + static_cast<std::size_t>(units.num_lanes) * lane_bytes));

  for_each_task(units.num_lanes, num_threads, [&](std::int64_t lane, int) {
    auto* right = reinterpret_cast<T*>(memory + static_cast<std::size_t>(lane) * lane_bytes);
    T* left = right + step / kTerms<T> * num_panels * kPanel<T>;
    const auto each_unit = [&](const auto& body) {
      for (std::int64_t unit = 0; unit < units.count; ++unit) {
        if (units.lane_of[unit] != lane) continue;
        const std::int64_t first = unit % units.units_per_tap * units.panels_per_unit * kPanel<T>;
        const std::int64_t last = std::min(first + units.panels_per_unit * kPanel<T>, channels);
        body(unit / units.units_per_tap, first, last);
      }
    };
    each_unit([&](std::int64_t tap, std::int64_t first, std::int64_t last) {
      for (std::int64_t k = 0; k < depth; ++k) {
        Sum<T>* row = work.grad_kernel + (tap * depth + k) * channels;
        std::fill(row + first, row + last, Sum<T>(0));
      }
    });
    const EvenTiles tiles(depth);
    const auto pack_left = kTable<T>.pack[tiles.height - 1];
    for (std::int64_t block = 0; block < entries.num_blocks; block += blocks_per_step) {
      const std::int64_t block_end = std::min(block + blocks_per_step, entries.num_blocks);
      each_unit([&](std::int64_t tap, std::int64_t first, std::int64_t last) {
        const std::int32_t* cuts = entries.cuts + tap * (entries.num_blocks + 1);
        for (std::int64_t at = cuts[block]; at < cuts[block_end]; at += step) {
          const std::int64_t begin = entries.tap_starts[tap] + at;
          const std::int64_t count = std::min<std::int64_t>(step, cuts[block_end] - at);
          const std::int64_t length = divide_up(count, kTerms<T>);
          for (std::int64_t i = 0; i < length; ++i) {
            FactorRows<T> features{}, grad{};
            for (std::int64_t term = 0; term < kTerms<T>; ++term) {
              const std::int64_t m = i * kTerms<T> + term;
              if (m + kAhead < count) {
                prefetch(features_of(begin + m + kAhead), depth * element_bytes);
                prefetch(grad_of(begin + m + kAhead) + first, (last - first) * element_bytes);
              }
              if (term > 0 && m >= count) break;  // the last has no partner
              features.rows[term] = features_of(begin + m);
              grad.rows[term] = grad_of(begin + m);
            }
            pack_left(features, i, length, tiles, left);
            pack_panels(grad, i, length, first, last, right);
          }
          multiply_packed(work, left, right, length, first, last,
                          work.grad_kernel + tap * depth * channels);
        }
      });
    }
  });
  return 0;
}
