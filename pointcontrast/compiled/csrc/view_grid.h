// The points of all views in the cells of one grid, and sets of views.
//
// The overlaps of all pairs of views need sets: the views that have a point near a point. A set
// consists of bits in kWords words. The union of two sets costs a few instructions, for any number
// of views and points in them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "cell_numbers.h"

namespace pointcontrast {

using std::int32_t;
using std::int64_t;
using std::size_t;
using std::uint64_t;

template <int kWords>
struct Views {
  uint64_t words[kWords];

  void join(const Views& other) {
    for (int w = 0; w < kWords; ++w) words[w] |= other.words[w];
  }
  bool has_more_than(const Views& other) const {
    uint64_t more = 0;
    for (int w = 0; w < kWords; ++w) more |= words[w] & ~other.words[w];
    return more != 0;
  }
};

struct Point {
  double at[3];
  int64_t view;
};

// The points of all views, sorted by the keys of their cells, in the given order within a cell.
struct Grid {
  double side, low[3];
  int64_t margin;  // free cells around the grid, so that no key of a neighbour wraps around
  std::vector<int64_t> keys;
  std::vector<int32_t> starts;  // first point of each cell, then their number
  std::vector<Point> points;

  int32_t num_cells() const { return static_cast<int32_t>(keys.size()); }
  double corner(int32_t cell, int d) const {
    const int64_t index = keys[cell] >> (kCellBits * (2 - d)) & kCellMask;
    return low[d] + static_cast<double>(index - margin) * side;
  }
};

// points: (n, 3). starts: first row of each view, then n.
inline Grid make_grid(const double* points, const int64_t* starts, int num_views, double side,
               int64_t margin) {
  const int64_t count = starts[num_views];
  Grid grid{side, {}, margin, {}, {}, {}};
  for (int d = 0; d < 3; ++d) {
    grid.low[d] = points[d];
    for (int64_t row = 1; row < count; ++row) grid.low[d] = std::min(grid.low[d], points[3 * row + d]);
  }
  CellNumbers numbers;
  std::vector<int32_t> cell_of(static_cast<size_t>(count));
  for (int64_t row = 0; row < count; ++row) {
    int64_t index[3];
    for (int d = 0; d < 3; ++d)
      index[d] = static_cast<int64_t>((points[3 * row + d] - grid.low[d]) / side) + margin;
    cell_of[row] = numbers.insert(cell_key(index[0], index[1], index[2]));
  }
  const size_t num_cells = numbers.keys().size();
  std::vector<std::pair<int64_t, int32_t>> order(num_cells);
  for (size_t number = 0; number < num_cells; ++number)
    order[number] = {numbers.keys()[number], static_cast<int32_t>(number)};
  std::sort(order.begin(), order.end());
  std::vector<int32_t> rank(num_cells);
  grid.keys.resize(num_cells);
  for (size_t cell = 0; cell < num_cells; ++cell) {
    grid.keys[cell] = order[cell].first;
    rank[order[cell].second] = static_cast<int32_t>(cell);
  }
  grid.starts.assign(num_cells + 1, 0);
  for (int32_t& cell : cell_of) ++grid.starts[(cell = rank[cell]) + 1];
  for (size_t cell = 0; cell < num_cells; ++cell) grid.starts[cell + 1] += grid.starts[cell];
  grid.points.resize(static_cast<size_t>(count));
  std::vector<int32_t> ends(grid.starts);
  for (int view = 0; view < num_views; ++view)
    for (int64_t row = starts[view]; row < starts[view + 1]; ++row) {
      const double* p = points + 3 * row;
      grid.points[ends[cell_of[row]]++] = Point{{p[0], p[1], p[2]}, view};
    }
  return grid;
}

// For each cell, the views from first_view on that have a point there.
template <int kWords>
std::vector<Views<kWords>> views_of_cells(const Grid& grid, int first_view) {
  std::vector<Views<kWords>> views(grid.keys.size(), Views<kWords>{});
  for (int32_t cell = 0; cell < grid.num_cells(); ++cell)
    for (int32_t row = grid.starts[cell]; row < grid.starts[cell + 1]; ++row) {
      const int64_t view = grid.points[row].view - first_view;
      if (view >= 0 && view < 64 * kWords)
        views[cell].words[view / 64] |= uint64_t{1} << (view % 64);
    }
  return views;
}

// A row of cells along z in a neighbourhood, with a position in the grid's sorted keys. Cells are
// queried in the order of their keys, so the position only advances.
struct Row {
  int dx, dy, from, to;
  size_t at;

  // Calls see(cell, dz) for each occupied cell of the row next to `key`.
  template <class See>
  void visit(const std::vector<int64_t>& keys, int64_t key, See see) {
    const int64_t center = key + cell_key(dx, dy, 0);
    while (at < keys.size() && keys[at] < center + from) ++at;
    for (size_t cell = at; cell < keys.size() && keys[cell] <= center + to; ++cell)
      see(static_cast<int32_t>(cell), static_cast<int>(keys[cell] - center));
  }
};

// The smallest squared distance, in cells, between points of two cells that are `d` cells apart.
inline int least_square(int dx, int dy, int dz) {
  const auto gap = [](int d) { return std::max(std::abs(d) - 1, 0); };
  return gap(dx) * gap(dx) + gap(dy) * gap(dy) + gap(dz) * gap(dz);
}

inline int greatest_square(int dx, int dy, int dz) {
  const auto gap = [](int d) { return std::abs(d) + 1; };
  return gap(dx) * gap(dx) + gap(dy) * gap(dy) + gap(dz) * gap(dz);
}

// The rows of cells that may hold a point within `reach` cells, near rows first.
inline std::vector<Row> rows_within(int reach) {
  std::vector<Row> rows;
  for (int dx = -reach; dx <= reach; ++dx)
    for (int dy = -reach; dy <= reach; ++dy) {
      int end = -1;
      for (int dz = 0; dz <= reach; ++dz)
        if (least_square(dx, dy, dz) <= reach * reach) end = dz;
      if (end >= 0) rows.push_back(Row{dx, dy, -end, end, 0});
    }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return a.dx * a.dx + a.dy * a.dy < b.dx * b.dx + b.dy * b.dy;
  });
  return rows;
}

// Counts how often each view is in the sets that are added for each view of the points. Eight
// counters of eight bits per word are flushed before one can overflow.
template <int kWords>
class Tally {
 public:
  explicit Tally(int num_views)
      : pending_(static_cast<size_t>(num_views)),
        lanes_(static_cast<size_t>(num_views) * kWords * 8),
        counts_(static_cast<size_t>(num_views) * kWords * 64) {}

  void add(int64_t view, const Views<kWords>& views) {
    uint64_t* lanes = &lanes_[static_cast<size_t>(view) * kWords * 8];
    for (int w = 0; w < kWords; ++w)
      for (int k = 0; k < 8; ++k) lanes[8 * w + k] += views.words[w] >> k & 0x0101010101010101ull;
    if (++pending_[static_cast<size_t>(view)] == 255) empty(static_cast<size_t>(view));
  }

  // Writes the counts of the views from first_view on to columns of (num_views, num_views).
  void write(int num_views, int first_view, int64_t* counts) {
    const int last = std::min(num_views, first_view + 64 * kWords);
    for (int view = 0; view < num_views; ++view) {
      empty(static_cast<size_t>(view));
      for (int other = first_view; other < last; ++other)
        counts[static_cast<int64_t>(view) * num_views + other] =
            counts_[static_cast<size_t>(view) * kWords * 64 + static_cast<size_t>(other - first_view)];
    }
  }

 private:
  void empty(size_t view) {
    uint64_t* lanes = &lanes_[view * kWords * 8];
    int32_t* counts = &counts_[view * kWords * 64];
    for (int w = 0; w < kWords; ++w)
      for (int k = 0; k < 8; ++k)
        for (int b = 0; b < 8; ++b)
          counts[64 * w + 8 * b + k] += static_cast<int32_t>(lanes[8 * w + k] >> (8 * b) & 255);
    std::fill(lanes, lanes + 8 * kWords, 0);
    pending_[view] = 0;
  }

  std::vector<int> pending_;
  std::vector<uint64_t> lanes_;
  std::vector<int32_t> counts_;
};

// Calls count(first_view, tally) for the smallest number of blocks that hold all views, and writes
// the tallies to counts (num_views, num_views).
template <class Count>
void count_in_blocks(int num_views, int64_t* counts, Count count) {
  const auto block = [&](int first_view, auto tally) {
    count(first_view, tally);
    tally.write(num_views, first_view, counts);
  };
  for (int first = 0; first < num_views;) {
    const int words = (num_views - first + 63) / 64;
    if (words == 1) block(first, Tally<1>(num_views));
    else if (words == 2) block(first, Tally<2>(num_views));
    else if (words == 3) block(first, Tally<3>(num_views));
    else if (words == 4) block(first, Tally<4>(num_views));
    else if (words == 5) block(first, Tally<5>(num_views));
    else if (words == 6) block(first, Tally<6>(num_views));
    else block(first, Tally<8>(num_views));
    first += 64 * (words <= 6 ? words : 8);
  }
}

}  // namespace pointcontrast
