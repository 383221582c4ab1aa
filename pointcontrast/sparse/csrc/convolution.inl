// Forward pass, and the gradient of the features: the same sum with the sides exchanged.
// Included by kernels.inl.

// Average number of entries of one tap that a task convolves at a time: few enough that their rows
// stay in the cache from tap to tap, enough to reuse each tap's weights.
constexpr std::int64_t kEntriesPerTask = 100;

// The kernel's columns [first, first + columns) of one tap as a panel: (depth, vectors) in the
// order in which multiply_rows reads it, padded with zeros.
template <typename T>
void pack_panel(const Convolution<T>& work, std::int64_t tap, std::int64_t first,
                std::int64_t columns, T* panel) {
  const std::int64_t width = vectors_for<T>(columns) * kLanes<T>;
  const Sum<T>* kernel = work.kernel + tap * work.depth * work.channels;
  const std::int64_t across = work.transposed ? work.depth : 1;
  const std::int64_t down = work.transposed ? 1 : work.channels;
  const std::int64_t whole = work.depth / kTerms<T>;
  const auto pack = [&](std::int64_t k, std::int64_t c) POINTCONTRAST_INLINE_LAMBDA {
    const Sum<T>* at = kernel + (first + c) * across + k * kTerms<T> * down;
    panel[k * width + c] = factor<T>(at, k < whole ? at + down : nullptr);
  };
  const std::int64_t depth = divide_up(work.depth, kTerms<T>);
  if (work.transposed) {
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t k = 0; k < depth; ++k) pack(k, c);
  } else {
    for (std::int64_t k = 0; k < depth; ++k)
      for (std::int64_t c = 0; c < columns; ++c) pack(k, c);
  }
  for (std::int64_t k = 0; k < depth; ++k)
    std::fill(panel + k * width + columns, panel + (k + 1) * width, T(0));
}

// Adds the `count` entries from `begin` on, all of one tap, to some panels of columns. `packed`:
// all panels of the tap.
template <typename T>
void multiply_tap(const Convolution<T>& work, const T* packed, std::int64_t begin,
                  std::int64_t count, std::int64_t first_panel, std::int64_t last_panel) {
  const std::int64_t depth = divide_up(work.depth, kTerms<T>), channels = work.channels;
  const std::int32_t* read_rows = work.entries.read_rows + begin;
  const std::int32_t* write_rows = work.entries.write_rows + begin;
  const EvenTiles cut(count);
  for (std::int64_t panel = first_panel; panel < last_panel; ++panel) {
    const std::int64_t column = panel * kPanel<T>;
    const std::int64_t columns = std::min<std::int64_t>(channels - column, kPanel<T>);
    const int vectors = vectors_for<T>(columns);
    const auto& multiply = kTable<T>.by_rows[vectors - 1];
    const RowTiles<T> tiles{work.features, packed + panel * depth * kPanel<T>,
                            work.out + column, depth, channels, panel == first_panel};
    if (columns == vectors * kLanes<T>) {
      const std::int64_t done = cut.num_higher * (cut.height + 1);
      if (done > 0) multiply[cut.height](tiles, read_rows, write_rows, cut.num_higher);
      multiply[cut.height - 1](tiles, read_rows + done, write_rows + done,
                               cut.count - cut.num_higher);
      continue;
    }
    for (std::int64_t tile = 0, at = 0; tile < cut.count; at += cut.size(tile), ++tile) {
      const std::int64_t size = cut.size(tile);
      Sum<T>* write[kRows];
      for (std::int64_t r = 0; r < size; ++r)
        write[r] = tiles.out + write_rows[at + r] * channels;
      on_padded_rows(write, size, columns, [&](Sum<T>(*rows)[kPanel<T>]) {
        RowTiles<T> padded = tiles;
        padded.out = rows[0];
        padded.channels = kPanel<T>;
        multiply[size - 1](padded, read_rows + at, kInOrder, 1);
      });
    }
  }
}

template <typename T>
void finish_row(const Epilogue<T>& epilogue, T* out, const T* shortcut, std::int64_t first,
                std::int64_t last) {
  if (epilogue.scale)
    for (std::int64_t c = first; c < last; ++c)
      out[c] = out[c] * epilogue.scale[c] + epilogue.shift[c];
  if (shortcut)
    for (std::int64_t c = first; c < last; ++c) out[c] += shortcut[c];
  if (epilogue.rectify)
    for (std::int64_t c = first; c < last; ++c) out[c] = out[c] < 0 ? T(0) : out[c];  // NaN stays
}

template <typename T>
int convolve(const Convolution<T>& work, int num_threads) {
  const MapEntries& entries = work.entries;
  const std::int64_t depth = divide_up(work.depth, kTerms<T>), channels = work.channels;
  const std::int64_t num_panels = divide_up(channels, kPanel<T>);
  const std::int64_t panel_size = depth * kPanel<T>;
  auto* packed = static_cast<T*>(
      scratch(static_cast<std::size_t>(entries.num_taps * num_panels * panel_size) * sizeof(T)));
  if (!packed) return -1;
  for_each_task(entries.num_taps * num_panels, num_threads, [&](std::int64_t task, int) {
    const std::int64_t first = task % num_panels * kPanel<T>;
    pack_panel(work, task / num_panels, first, std::min<std::int64_t>(channels - first, kPanel<T>),
               packed + task * panel_size);
  });

  // With few rows, tasks of some panels each, so that every thread has work.
  const std::int64_t blocks_per_task = blocks_for(entries, kEntriesPerTask);
  const std::int64_t num_runs = divide_up(entries.num_blocks, blocks_per_task);
  const std::int64_t num_groups =
      std::min(num_panels, divide_up(4 * static_cast<std::int64_t>(num_threads),
                                     std::max<std::int64_t>(num_runs, 1)));
  const std::int64_t panels_per_group = divide_up(num_panels, num_groups);
  for_each_task(num_runs * num_groups, num_threads, [&](std::int64_t task, int) {
    const std::int64_t first_block = task / num_groups * blocks_per_task;
    const std::int64_t last_block = std::min(first_block + blocks_per_task, entries.num_blocks);
    const std::int64_t first_panel = task % num_groups * panels_per_group;
    const std::int64_t last_panel = std::min(first_panel + panels_per_group, num_panels);
    const std::int64_t first_column = first_panel * kPanel<T>;
    const std::int64_t last_column = std::min(last_panel * kPanel<T>, channels);
    if (first_column >= last_column) return;
    const std::int32_t* rows = entries.write_order + first_block * kBlockRows;
    const std::int64_t num_rows =
        std::min(last_block * kBlockRows, entries.num_written) - first_block * kBlockRows;
    for (std::int64_t i = 0; i < num_rows; ++i)
      std::fill(work.out + rows[i] * channels + first_column,
                work.out + rows[i] * channels + last_column, Sum<T>(0));
    for (std::int64_t tap = 0; tap < entries.num_taps; ++tap) {
      const std::int32_t* cuts = entries.cuts + tap * (entries.num_blocks + 1);
      const std::int64_t begin = entries.tap_starts[tap] + cuts[first_block];
      const std::int64_t count = cuts[last_block] - cuts[first_block];
      if (count == 0) continue;
      multiply_tap(work, packed + tap * num_panels * panel_size, begin, count, first_panel,
                   last_panel);
    }
    const Epilogue<Sum<T>>& epilogue = work.epilogue;
    if (epilogue.scale || epilogue.shortcut || epilogue.rectify)
      for (std::int64_t i = 0; i < num_rows; ++i)
        finish_row(epilogue, work.out + rows[i] * channels,
                   epilogue.shortcut ? epilogue.shortcut + rows[i] * channels : nullptr,
                   first_column, last_column);
  });
  return 0;
}

