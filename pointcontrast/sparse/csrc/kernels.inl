// The kernels, written once in the compiler's generic vectors. A file that includes this one has
// included <algorithm>, <chrono>, <cstring>, kernels.h, parallel.h and scratch.h, and defines
//   POINTCONTRAST_SET     a namespace for the instruction set
//   POINTCONTRAST_BYTES   of one vector register
//   POINTCONTRAST_ROWS    of a tile of results that stays in registers
//   POINTCONTRAST_VECTORS of a row of that tile
// Floating-point sums have one order, whatever the number of threads: each row of a convolution adds
// its taps in turn, each kernel gradient its meetings, in pieces that depend on the sizes alone.

#define POINTCONTRAST_INLINE __attribute__((always_inline)) inline
#define POINTCONTRAST_INLINE_LAMBDA __attribute__((always_inline))

namespace pointcontrast {
namespace POINTCONTRAST_SET {
namespace {

constexpr int kRows = POINTCONTRAST_ROWS;
constexpr int kVectors = POINTCONTRAST_VECTORS;
// Meetings of one tap that a task convolves at a time, on average: their rows stay in the cache from
// tap to tap, and each tap's weights, once there, serve so many.
constexpr std::int64_t kMeetingsATask = 100;
// Meetings of one step of a kernel gradient: a panel of as many rows fits the nearest cache.
constexpr std::int64_t kChunk = 256;
// Rows of one partial sum of batch norm.
constexpr std::int64_t kSumRows = 512;

template <typename T>
struct VectorOf {
  typedef T Type __attribute__((vector_size(POINTCONTRAST_BYTES)));
};
template <typename T>
using Vector = typename VectorOf<T>::Type;

template <typename T>
constexpr int kLanes = POINTCONTRAST_BYTES / static_cast<int>(sizeof(T));
template <typename T>
constexpr int kPanel = kLanes<T>* kVectors;

template <typename T>
inline Vector<T> load(const T* from) {
  Vector<T> value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
inline void store(T* to, const Vector<T>& value) {
  std::memcpy(to, &value, sizeof value);
}

inline std::int64_t divide_up(std::int64_t count, std::int64_t size) {
  return (count + size - 1) / size;
}

// Blocks of rows that hold `count` meetings of each tap on average.
inline std::int64_t blocks_for(const Meetings& meetings, std::int64_t count) {
  const std::int64_t in_all = std::max<std::int64_t>(meetings.tap_starts[meetings.num_taps], 1);
  const std::int64_t wanted = count * meetings.num_taps * meetings.num_blocks / in_all;
  return std::max<std::int64_t>(1, std::min<std::int64_t>(wanted, 16));
}

// Vectors that hold `columns` of a panel.
template <typename T>
inline int vectors_for(std::int64_t columns) {
  return static_cast<int>(std::min<std::int64_t>(divide_up(columns, kLanes<T>), kVectors));
}

// body(r, v) for every register of a tile, written out: only what never was a loop over an array stays
// in registers from the first instruction to the last.
template <int VECTORS, typename Body, int... I>
POINTCONTRAST_INLINE void each_of(std::integer_sequence<int, I...>, const Body& body) {
  (body(std::integral_constant<int, I / VECTORS>{}, std::integral_constant<int, I % VECTORS>{}), ...);
}
template <int ROWS, int VECTORS, typename Body>
POINTCONTRAST_INLINE void each_register(const Body& body) {
  each_of<VECTORS>(std::make_integer_sequence<int, ROWS * VECTORS>{}, body);
}

// write[r] += sum over k < length: left(r, k) * panel[k], a tile of ROWS rows and VECTORS vectors.
template <typename T, int ROWS, int VECTORS, typename Left>
POINTCONTRAST_INLINE void multiply_tile(const Left& left, const T* panel, std::int64_t length,
                                        T* const* write) {
  Vector<T> tile[ROWS][VECTORS];
  each_register<ROWS, VECTORS>([&](auto r, auto v) POINTCONTRAST_INLINE_LAMBDA {
    tile[r][v] = load(write[r] + v * kLanes<T>);
  });
  const auto step = [&](std::int64_t k) POINTCONTRAST_INLINE_LAMBDA {
    Vector<T> right[VECTORS];
    each_register<1, VECTORS>([&](auto, auto v) POINTCONTRAST_INLINE_LAMBDA {
      right[v] = load(panel + (k * VECTORS + v) * kLanes<T>);
    });
    each_register<ROWS, VECTORS>([&](auto r, auto v) POINTCONTRAST_INLINE_LAMBDA {
      tile[r][v] += left(r, k) * right[v];
    });
  };
  std::int64_t k = 0;
  for (; k + 4 <= length; k += 4) {
    step(k);
    step(k + 1);
    step(k + 2);
    step(k + 3);
  }
  for (; k < length; ++k) step(k);
  each_register<ROWS, VECTORS>([&](auto r, auto v) POINTCONTRAST_INLINE_LAMBDA {
    store<T>(write[r] + v * kLanes<T>, tile[r][v]);
  });
}

// write[r] += read[r] (1, length) @ panel (length, VECTORS)
template <typename T, int ROWS, int VECTORS>
void multiply_rows(const T* const* read, const T* panel, std::int64_t length, T* const* write) {
  const T* rows[ROWS];
  each_register<ROWS, 1>([&](auto r, auto) POINTCONTRAST_INLINE_LAMBDA { rows[r] = read[r]; });
  multiply_tile<T, ROWS, VECTORS>(
      [&](auto r, std::int64_t k) POINTCONTRAST_INLINE_LAMBDA { return rows[r][k]; }, panel, length,
      write);
}

// write[r] += sum over k: left[k][r] * panel[k] (1, VECTORS), left (length, ROWS)
template <typename T, int ROWS, int VECTORS>
void multiply_columns(const T* left, const T* panel, std::int64_t length, T* const* write) {
  multiply_tile<T, ROWS, VECTORS>(
      [&](auto r, std::int64_t k) POINTCONTRAST_INLINE_LAMBDA { return left[k * ROWS + r]; }, panel,
      length, write);
}

// to (length, ROWS) = the next ROWS numbers of each of the rows `from`
template <typename T, int ROWS>
void pack_columns(const T* const* from, std::int64_t first, std::int64_t length, T* to) {
  for (std::int64_t k = 0; k < length; ++k)
    std::memcpy(to + k * ROWS, from[k] + first, ROWS * sizeof(T));
}

template <typename T>
using MultiplyRows = void (*)(const T* const* read, const T* panel, std::int64_t length,
                              T* const* write);
template <typename T>
using MultiplyColumns = void (*)(const T* left, const T* panel, std::int64_t length,
                                 T* const* write);
template <typename T>
using PackColumns = void (*)(const T* const* from, std::int64_t first, std::int64_t length, T* to);

// by_rows[v - 1][r - 1] is multiply_rows for r rows and v vectors; by_columns and pack likewise.
template <typename T>
struct Table {
  MultiplyRows<T> by_rows[kVectors][kRows];
  MultiplyColumns<T> by_columns[kVectors][kRows];
  PackColumns<T> pack[kRows];

  template <int VECTORS, int ROWS>
  constexpr void fill() {
    by_rows[VECTORS - 1][ROWS - 1] = multiply_rows<T, ROWS, VECTORS>;
    by_columns[VECTORS - 1][ROWS - 1] = multiply_columns<T, ROWS, VECTORS>;
    pack[ROWS - 1] = pack_columns<T, ROWS>;
    if constexpr (ROWS > 1)
      fill<VECTORS, ROWS - 1>();
    else if constexpr (VECTORS > 1)
      fill<VECTORS - 1, kRows>();
  }

  constexpr Table() : by_rows{}, by_columns{}, pack{} { fill<kVectors, kRows>(); }
};

template <typename T>
constexpr Table<T> kTable{};

// Runs `multiply` on `size` rows of which only `columns` exist, in a padded copy.
template <typename T, typename Multiply, typename Left>
void multiply_padded(Multiply multiply, const Left* left, const T* panel,
                     std::int64_t length, T* const* write,
                     std::int64_t size, std::int64_t columns) {
  T padded[kRows][kPanel<T>];
  T* rows[kRows];
  for (std::int64_t r = 0; r < size; ++r) {
    rows[r] = padded[r];
    std::fill(std::copy_n(write[r], columns, rows[r]), rows[r] + kPanel<T>, T(0));
  }
  multiply(left, panel, length, rows);
  for (std::int64_t r = 0; r < size; ++r) std::copy_n(rows[r], columns, write[r]);
}

// The kernel's columns [first, first + columns) of one tap as a panel: (depth, vectors) in the order
// in which multiply_rows reads it, padded with zeros.
template <typename T>
void pack_panel(const Convolution<T>& work, std::int64_t tap, std::int64_t first,
                std::int64_t columns, T* panel) {
  const std::int64_t width = vectors_for<T>(columns) * kLanes<T>;
  const T* kernel = work.kernel + tap * work.depth * work.channels;
  if (work.transposed) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const T* from = kernel + (first + c) * work.depth;
      for (std::int64_t k = 0; k < work.depth; ++k) panel[k * width + c] = from[k];
    }
    for (std::int64_t k = 0; k < work.depth; ++k)
      for (std::int64_t c = columns; c < width; ++c) panel[k * width + c] = 0;
  } else {
    for (std::int64_t k = 0; k < work.depth; ++k) {
      const T* from = kernel + k * work.channels + first;
      for (std::int64_t c = 0; c < columns; ++c) panel[k * width + c] = from[c];
      for (std::int64_t c = columns; c < width; ++c) panel[k * width + c] = 0;
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

inline void prefetch(const void* from, std::int64_t bytes) {
  for (std::int64_t at = 0; at < bytes; at += static_cast<std::int64_t>(kCacheLine))
    __builtin_prefetch(static_cast<const char*>(from) + at);
}

template <typename T>
int convolve(const Convolution<T>& work, int num_threads) {
  const Meetings& meetings = work.meetings;
  const std::int64_t depth = work.depth, channels = work.channels;
  const std::int64_t num_panels = divide_up(channels, kPanel<T>);
  const std::int64_t panel_size = depth * kPanel<T>;
  auto* packed = static_cast<T*>(
      scratch(static_cast<std::size_t>(meetings.num_taps * num_panels * panel_size) * sizeof(T)));
  if (!packed) return -1;
  for_each_task(meetings.num_taps * num_panels, num_threads, [&](std::int64_t task, int) {
    const std::int64_t first = task % num_panels * kPanel<T>;
    pack_panel(work, task / num_panels, first, std::min<std::int64_t>(channels - first, kPanel<T>),
               packed + task * panel_size);
  });

  // Few rows: tasks of some panels each, so that every thread has work.
  const std::int64_t blocks_a_task = blocks_for(meetings, kMeetingsATask);
  const std::int64_t num_runs = divide_up(meetings.num_blocks, blocks_a_task);
  const std::int64_t num_groups =
      std::min(num_panels, divide_up(4 * static_cast<std::int64_t>(num_threads), std::max<std::int64_t>(num_runs, 1)));
  const std::int64_t panels_a_group = divide_up(num_panels, num_groups);
  for_each_task(num_runs * num_groups, num_threads, [&](std::int64_t task, int) {
    const std::int64_t first_block = task / num_groups * blocks_a_task;
    const std::int64_t last_block = std::min(first_block + blocks_a_task, meetings.num_blocks);
    const std::int64_t first_panel = task % num_groups * panels_a_group;
    const std::int64_t last_panel = std::min(first_panel + panels_a_group, num_panels);
    const std::int64_t first_column = first_panel * kPanel<T>;
    const std::int64_t last_column = std::min(last_panel * kPanel<T>, channels);
    if (first_column >= last_column) return;
    const std::int32_t* rows = meetings.write_order + first_block * kBlockRows;
    const std::int64_t num_rows =
        std::min(last_block * kBlockRows, meetings.num_written) - first_block * kBlockRows;
    for (std::int64_t i = 0; i < num_rows; ++i)
      std::fill(work.out + rows[i] * channels + first_column,
                work.out + rows[i] * channels + last_column, T(0));
    for (std::int64_t tap = 0; tap < meetings.num_taps; ++tap) {
      const std::int32_t* cuts = meetings.cuts + tap * (meetings.num_blocks + 1);
      const std::int64_t begin = meetings.tap_starts[tap] + cuts[first_block];
      const std::int64_t count = cuts[last_block] - cuts[first_block];
      if (count == 0) continue;
      const std::int32_t* read_rows = meetings.read_rows + begin;
      const std::int32_t* write_rows = meetings.write_rows + begin;
      // Tiles of equal height, give or take a row.
      const std::int64_t num_tiles = divide_up(count, kRows);
      const std::int64_t height = count / num_tiles, num_higher = count % num_tiles;
      for (std::int64_t panel = first_panel; panel < last_panel; ++panel) {
        const std::int64_t column = panel * kPanel<T>;
        const std::int64_t columns = std::min<std::int64_t>(channels - column, kPanel<T>);
        const int vectors = vectors_for<T>(columns);
        const bool whole = columns == vectors * kLanes<T>;
        const T* weights = packed + (tap * num_panels + panel) * panel_size;
        const auto& multiply = kTable<T>.by_rows[vectors - 1];
        std::int64_t at = 0;
        for (std::int64_t tile = 0; tile < num_tiles; ++tile) {
          const std::int64_t size = height + (tile < num_higher);
          const T* read[kRows];
          T* write[kRows];
          for (std::int64_t r = 0; r < size; ++r) {
            read[r] = work.features + read_rows[at + r] * depth;
            write[r] = work.out + write_rows[at + r] * channels + column;
          }
          at += size;
          if (panel == first_panel)  // the rest of the tap is still far away
            for (std::int64_t r = at; r < std::min(at + kRows, count); ++r)
              prefetch(work.features + read_rows[r] * depth,
                       depth * static_cast<std::int64_t>(sizeof(T)));
          if (whole)
            multiply[size - 1](read, weights, depth, write);
          else
            multiply_padded(multiply[size - 1], read, weights, depth, write, size, columns);
        }
      }
    }
    const Epilogue<T>& epilogue = work.epilogue;
    if (epilogue.scale || epilogue.shortcut || epilogue.rectify)
      for (std::int64_t i = 0; i < num_rows; ++i)
        finish_row(epilogue, work.out + rows[i] * channels,
                   epilogue.shortcut ? epilogue.shortcut + rows[i] * channels : nullptr,
                   first_column, last_column);
  });
  return 0;
}

template <typename T>
int kernel_gradient(const KernelGradient<T>& work, int num_threads) {
  const Meetings& meetings = work.meetings;
  const std::int64_t depth = work.depth, channels = work.channels;
  const std::int64_t num_panels = divide_up(channels, kPanel<T>);

  // One unit is a tap and some panels, one sum from the first meeting to the last. Threads go through
  // the blocks of rows side by side, each with its own units, so that a block is fetched once.
  const std::int64_t num_groups = std::min(
      num_panels, divide_up(3 * static_cast<std::int64_t>(num_threads), std::max<std::int64_t>(meetings.num_taps, 1)));
  const std::int64_t panels_a_group = divide_up(num_panels, num_groups);
  const std::int64_t num_units = meetings.num_taps * num_groups;
  const std::int64_t num_lanes = std::max<std::int64_t>(1, std::min<std::int64_t>(num_threads, num_units));

  const std::int64_t blocks_a_step = blocks_for(meetings, kChunk);
  const std::size_t panel_bytes = sizeof(T) * kChunk * kPanel<T>;
  const std::size_t left_bytes = sizeof(T) * kChunk * static_cast<std::size_t>(depth);
  const std::size_t read_bytes = sizeof(T*) * kChunk;
  const std::size_t worker_bytes =
      (panel_bytes + left_bytes + read_bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
  const std::size_t unit_bytes = sizeof(std::int64_t) * static_cast<std::size_t>(num_units);
  auto* memory = static_cast<char*>(scratch(static_cast<std::size_t>(num_lanes) * (worker_bytes + sizeof(std::int64_t)) +
                                            2 * unit_bytes));
  if (!memory) return -1;
  auto* lane_of = reinterpret_cast<std::int64_t*>(memory + static_cast<std::size_t>(num_lanes) * worker_bytes);
  auto* by_size = lane_of + num_units;
  auto* load_of = by_size + num_units;

  // The largest unit first, each to the lane with the least to do.
  const auto size_of = [&](std::int64_t unit) {
    const std::int64_t tap = unit / num_groups;
    return meetings.tap_starts[tap + 1] - meetings.tap_starts[tap];
  };
  for (std::int64_t unit = 0; unit < num_units; ++unit) by_size[unit] = unit;
  std::stable_sort(by_size, by_size + num_units,
                   [&](std::int64_t a, std::int64_t b) { return size_of(a) > size_of(b); });
  std::fill(load_of, load_of + num_lanes, 0);
  for (std::int64_t i = 0; i < num_units; ++i) {
    const std::int64_t lane = std::min_element(load_of, load_of + num_lanes) - load_of;
    lane_of[by_size[i]] = lane;
    load_of[lane] += size_of(by_size[i]);
  }

  for_each_task(num_lanes, num_threads, [&](std::int64_t lane, int) {
    char* own = memory + static_cast<std::size_t>(lane) * worker_bytes;
    auto* panel = reinterpret_cast<T*>(own);
    auto** read = reinterpret_cast<const T**>(own + panel_bytes);
    auto* left = reinterpret_cast<T*>(own + panel_bytes + read_bytes);
    for (std::int64_t unit = 0; unit < num_units; ++unit) {
      if (lane_of[unit] != lane) continue;
      T* gradient = work.grad_kernel + unit / num_groups * depth * channels;
      const std::int64_t first = unit % num_groups * panels_a_group * kPanel<T>;
      const std::int64_t last = std::min(first + panels_a_group * kPanel<T>, channels);
      if (first < last)
        for (std::int64_t k = 0; k < depth; ++k)
          std::fill(gradient + k * channels + first, gradient + k * channels + last, T(0));
    }
    for (std::int64_t block = 0; block < meetings.num_blocks; block += blocks_a_step) {
      const std::int64_t block_end = std::min(block + blocks_a_step, meetings.num_blocks);
      for (std::int64_t unit = 0; unit < num_units; ++unit) {
        if (lane_of[unit] != lane) continue;
        const std::int64_t tap = unit / num_groups;
        const std::int64_t first_panel = unit % num_groups * panels_a_group;
        const std::int64_t last_panel = std::min(first_panel + panels_a_group, num_panels);
        const std::int32_t* cuts = meetings.cuts + tap * (meetings.num_blocks + 1);
        T* gradient = work.grad_kernel + tap * depth * channels;
        for (std::int64_t at = cuts[block]; at < cuts[block_end]; at += kChunk) {
          const std::int64_t begin = meetings.tap_starts[tap] + at;
          const std::int64_t count = std::min<std::int64_t>(kChunk, cuts[block_end] - at);
          for (std::int64_t m = 0; m < count; ++m)
            read[m] = work.features + meetings.read_rows[begin + m] * depth;
          const std::int64_t num_tiles = divide_up(depth, kRows);
          const std::int64_t height = depth / num_tiles, num_higher = depth % num_tiles;
          for (std::int64_t tile = 0, k = 0; tile < num_tiles; ++tile) {
            const std::int64_t size = height + (tile < num_higher);
            kTable<T>.pack[size - 1](read, k, count, left + k * count);
            k += size;
          }
          for (std::int64_t p = first_panel; p < last_panel; ++p) {
            const std::int64_t column = p * kPanel<T>;
            const std::int64_t columns = std::min<std::int64_t>(channels - column, kPanel<T>);
            const int vectors = vectors_for<T>(columns);
            const std::int64_t width = vectors * kLanes<T>;
            for (std::int64_t m = 0; m < count; ++m) {
              const T* from = work.grad_out + meetings.write_rows[begin + m] * channels + column;
              T* to = panel + m * width;
              if (columns == kPanel<T>) {
                for (int v = 0; v < kVectors; ++v) store(to + v * kLanes<T>, load(from + v * kLanes<T>));
              } else {
                std::copy(from, from + columns, to);
                std::fill(to + columns, to + width, T(0));
              }
            }
            for (std::int64_t tile = 0, k = 0; tile < num_tiles; ++tile) {
              const std::int64_t size = height + (tile < num_higher);
              T* write[kRows];
              for (std::int64_t r = 0; r < size; ++r)
                write[r] = gradient + (k + r) * channels + column;
              const auto multiply = kTable<T>.by_columns[vectors - 1][size - 1];
              if (columns == width)
                multiply(left + k * count, panel, count, write);
              else
                multiply_padded(multiply, left + k * count, panel, count, write, size, columns);
              k += size;
            }
          }
        }
      }
    }
  });
  return 0;
}
