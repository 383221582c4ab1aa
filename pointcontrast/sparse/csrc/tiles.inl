// Products of tiles: the innermost loops of a convolution and of its kernel's gradient. Included by
// kernels.inl.

// Arguments shared by the tiles of a convolution; `out` starts at the panel's first column.
template <typename T>
struct RowTiles {
  const T* features;
  const T* panel;
  Sum<T>* out;
  std::int64_t depth;  // in factors T
  std::int64_t channels;
  bool is_first_panel;
};

inline void prefetch(const void* from, std::int64_t bytes) {
  for (std::int64_t at = 0; at < bytes; at += static_cast<std::int64_t>(kCacheLine))
    __builtin_prefetch(static_cast<const char*>(from) + at);
}

// write[r] += sum over k < length: left(r, k) * panel[k], a tile of ROWS rows and VECTORS vectors.
template <typename T, int ROWS, int VECTORS, typename Left>
POINTCONTRAST_INLINE void multiply_tile(const Left& left, const T* panel, std::int64_t length,
                                        Sum<T>* const* write) {
  Vector<Sum<T>> tile[ROWS][VECTORS];
  each_register<ROWS, VECTORS>([&](auto r, auto v) POINTCONTRAST_INLINE_LAMBDA {
    tile[r][v] = load(write[r] + v * kLanes<T>);
  });
  const auto step = [&](std::int64_t k) POINTCONTRAST_INLINE_LAMBDA {
    Vector<T> right[VECTORS], factor;
    each_register<1, VECTORS>([&](auto, auto v) POINTCONTRAST_INLINE_LAMBDA {
      right[v] = load(panel + (k * VECTORS + v) * kLanes<T>);
    });
    each_register<ROWS, VECTORS>([&](auto r, auto v) POINTCONTRAST_INLINE_LAMBDA {
      if constexpr (v == 0) factor = broadcast<T>(left(r, k));
      multiply_add(tile[r][v], factor, right[v]);
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
    store<Sum<T>>(write[r] + v * kLanes<T>, tile[r][v]);
  });
}

// Tiles of ROWS entries each: out[write] += features[read] @ panel (depth, VECTORS).
template <typename T, int ROWS, int VECTORS>
void multiply_rows(const RowTiles<T>& work, const std::int32_t* read_rows,
                   const std::int32_t* write_rows, std::int64_t num_tiles) {
  for (; num_tiles > 0; --num_tiles, read_rows += ROWS, write_rows += ROWS) {
    const T* read[ROWS];
    Sum<T>* write[ROWS];
    each_register<ROWS, 1>([&](auto r, auto) POINTCONTRAST_INLINE_LAMBDA {
      read[r] = work.features + read_rows[r] * work.depth;
      write[r] = work.out + write_rows[r] * work.channels;
    });
    if (work.is_first_panel && num_tiles > 1)  // the next panels will find these in the cache
      for (int r = ROWS; r < 2 * ROWS; ++r)
        prefetch(work.features + read_rows[r] * work.depth,
                 work.depth * static_cast<std::int64_t>(sizeof(T)));
    multiply_tile<T, ROWS, VECTORS>(
        [&](auto r, std::int64_t k) POINTCONTRAST_INLINE_LAMBDA { return read[r][k]; }, work.panel,
        work.depth, write);
  }
}

// write[r] += sum over k: left[k][r] * panel[k] (1, VECTORS), left (length, ROWS)
template <typename T, int ROWS, int VECTORS>
void multiply_columns(const T* left, const T* panel, std::int64_t length, Sum<T>* const* write) {
  multiply_tile<T, ROWS, VECTORS>(
      [&](auto r, std::int64_t k) POINTCONTRAST_INLINE_LAMBDA { return left[k * ROWS + r]; }, panel,
      length, write);
}

// Rows divided into tiles whose heights differ by at most one, the higher tiles first.
struct EvenTiles {
  std::int64_t count, height, num_higher;

  explicit EvenTiles(std::int64_t rows)
      : count(divide_up(rows, kRows)), height(rows / count), num_higher(rows % count) {}
  std::int64_t size(std::int64_t tile) const { return height + (tile < num_higher); }
};

// Copy one row of factors, transposed, into tiles that are read column by column: a tile of h rows
// is (length, h), and the row becomes column m. HEIGHT is the height of the lower tiles.
template <typename T, int HEIGHT>
void pack_column(FactorRows<T> row, std::int64_t m, std::int64_t length, const EvenTiles& tiles,
                 T* packed) {
  T* to = packed + m * (HEIGHT + 1);
  std::int64_t tile = 0;
  for (; tile < tiles.num_higher; ++tile, row = row.from(HEIGHT + 1), to += length * (HEIGHT + 1))
    row.copy(HEIGHT + 1, to);
  to = packed + tiles.num_higher * length * (HEIGHT + 1) + m * HEIGHT;
  for (; tile < tiles.count; ++tile, row = row.from(HEIGHT), to += length * HEIGHT)
    row.copy(HEIGHT, to);
}

template <typename T>
using MultiplyRows = void (*)(const RowTiles<T>& work, const std::int32_t* read_rows,
                              const std::int32_t* write_rows, std::int64_t num_tiles);
template <typename T>
using MultiplyColumns = void (*)(const T* left, const T* panel, std::int64_t length,
                                 Sum<T>* const* write);
template <typename T>
using PackColumn = void (*)(FactorRows<T> row, std::int64_t m, std::int64_t length,
                            const EvenTiles& tiles, T* packed);

// by_rows[v - 1][r - 1] is multiply_rows for r rows and v vectors; by_columns and pack likewise.
template <typename T>
struct Table {
  MultiplyRows<T> by_rows[kVectors][kRows];
  MultiplyColumns<T> by_columns[kVectors][kRows];
  PackColumn<T> pack[kRows];

  template <int VECTORS, int ROWS>
  constexpr void fill() {
    by_rows[VECTORS - 1][ROWS - 1] = multiply_rows<T, ROWS, VECTORS>;
    by_columns[VECTORS - 1][ROWS - 1] = multiply_columns<T, ROWS, VECTORS>;
    pack[ROWS - 1] = pack_column<T, ROWS>;
    if constexpr (ROWS > 1)
      fill<VECTORS, ROWS - 1>();
    else if constexpr (VECTORS > 1)
      fill<VECTORS - 1, kRows>();
  }

  constexpr Table() : by_rows{}, by_columns{}, pack{} { fill<kVectors, kRows>(); }
};

template <typename T>
constexpr Table<T> kTable{};

constexpr std::int32_t kInOrder[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
static_assert(sizeof kInOrder / sizeof *kInOrder >= kRows);

// Call multiply on a padded copy of `size` rows that have only `columns` columns.
template <typename T, typename Multiply>
void on_padded_rows(T* const* write, std::int64_t size, std::int64_t columns,
                    const Multiply& multiply) {
  T padded[kRows][kPanel<T>];
  for (std::int64_t r = 0; r < size; ++r)
    std::fill(std::copy_n(write[r], columns, padded[r]), padded[r] + kPanel<T>, T(0));
  multiply(padded);
  for (std::int64_t r = 0; r < size; ++r) std::copy_n(padded[r], columns, write[r]);
}

