// The two most expensive steps of loading a training pair: one point per voxel, and the matches of
// two views. Plain C functions on the caller's arrays, called through ctypes by
// pointcontrast/compiled/points.py, which checks the arguments. The results equal those of the
// NumPy and SciPy code that calls them, bit for bit.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "seen_voxels.h"

namespace {

using pointcontrast::KeyTable;

// Points sorted by cell, one array per coordinate, with their original rows.
struct Places {
  std::vector<float> x, y, z;
  std::vector<std::int32_t> row;
};

struct Range {
  std::int32_t first, last;
};

// A grid of cells over points, each cell a range of `places`; consecutive cells along z form one
// range.
class DenseCells {
 public:
  static constexpr double kMaxCells = 1 << 22;  // 16 MB
  DenseCells(const std::vector<std::int64_t>& key_of, std::int64_t num_cells)
      : start_(static_cast<std::size_t>(num_cells) + 1, 0) {
    for (const std::int64_t key : key_of) ++start_[static_cast<std::size_t>(key) + 1];
    for (std::size_t id = 1; id < start_.size(); ++id) start_[id] += start_[id - 1];
  }
  std::size_t id_of(std::int64_t key) const { return static_cast<std::size_t>(key); }
  const std::vector<std::int32_t>& start() const { return start_; }

  template <class Visit>
  void between(std::int64_t first_key, std::int64_t last_key, Visit visit) const {
    visit(start_[static_cast<std::size_t>(first_key)], start_[static_cast<std::size_t>(last_key) + 1]);
  }

 private:
  std::vector<std::int32_t> start_;
};

// The same for many cells, most of which are empty.
class HashedCells {
 public:
  explicit HashedCells(const std::vector<std::int64_t>& key_of) : start_(1, 0) {
    for (const std::int64_t key : key_of) {
      bool is_new;
      const auto id = ids_.insert(key, static_cast<std::int32_t>(start_.size()) - 1, is_new);
      if (is_new) start_.push_back(0);
      ++start_[static_cast<std::size_t>(id) + 1];
    }
    for (std::size_t id = 1; id < start_.size(); ++id) start_[id] += start_[id - 1];
  }
  std::size_t id_of(std::int64_t key) const { return static_cast<std::size_t>(ids_.find(key)); }
  const std::vector<std::int32_t>& start() const { return start_; }

  template <class Visit>
  void between(std::int64_t first_key, std::int64_t last_key, Visit visit) const {
    for (std::int64_t key = first_key; key <= last_key; ++key) {
      const std::int32_t id = ids_.find(key);
      if (id >= 0) visit(start_[static_cast<std::size_t>(id)], start_[static_cast<std::size_t>(id) + 1]);
    }
  }

 private:
  KeyTable ids_;
  std::vector<std::int32_t> start_;
};

// floor of a value that fits, without a library call.
inline std::int64_t floor_of(double value) {
  const auto cut = static_cast<std::int64_t>(value);
  return cut - (value < static_cast<double>(cut));
}

// Sorts a few numbers, the rows of one point's neighbours.
inline void sort_few(std::int32_t* numbers, std::size_t count) {
  if (count > 32) return std::sort(numbers, numbers + count);
  for (std::size_t i = 1; i < count; ++i) {
    const std::int32_t number = numbers[i];
    std::size_t at = i;
    for (; at > 0 && numbers[at - 1] > number; --at) numbers[at] = numbers[at - 1];
    numbers[at] = number;
  }
}

// The unsorted rows of the places in some ranges that are within sqrt(limit) of a point. Squared
// distances in float decide, except those so near the limit that rounding matters, which are
// computed again in double. The relative error in float is below a millionth: subtractions,
// products and sums of positive numbers, six roundings of 2^-24.
POINTCONTRAST_WIDE std::size_t find_near(const Places& places, const Range* ranges,
                                         std::size_t num_ranges, const float* p, double limit,
                                         std::int32_t* found) {
  constexpr std::int32_t kBlock = 64;
  const float surely = static_cast<float>(limit * (1 - 2e-6));
  const float perhaps = static_cast<float>(limit * (1 + 2e-6));
  const float x0 = p[0], y0 = p[1], z0 = p[2];
  float squares[kBlock];
  std::size_t count = 0;
  for (std::size_t r = 0; r < num_ranges; ++r)
    for (std::int32_t first = ranges[r].first; first < ranges[r].last; first += kBlock) {
      const std::int32_t num = std::min(kBlock, ranges[r].last - first);
      const float *x = places.x.data() + first, *y = places.y.data() + first,
                  *z = places.z.data() + first;
      const std::int32_t* row = places.row.data() + first;
      for (std::int32_t k = 0; k < num; ++k) {
        const float dx = x0 - x[k], dy = y0 - y[k], dz = z0 - z[k];
        squares[k] = dx * dx + dy * dy + dz * dz;
      }
      // One in ten is near enough, at random: a branch would be mispredicted for each.
      for (std::int32_t k = 0; k < num; ++k) {
        found[count] = row[k];
        count += squares[k] < surely;
        if (squares[k] >= surely && squares[k] <= perhaps) {
          const double dx = static_cast<double>(x0) - x[k], dy = static_cast<double>(y0) - y[k],
                       dz = static_cast<double>(z0) - z[k];
          count += dx * dx + dy * dy + dz * dz <= limit;
        }
      }
    }
  return count;
}

// Arguments of pointcontrast_match.
struct Question {
  const float* points0;
  std::int64_t n0;
  const float* points1;
  double radius, cell;
  const float *lower, *upper;
  const std::int64_t* extent;
  std::int64_t room;
  std::int64_t* pairs;

  bool holds(const float* p) const {
    bool inside = true;
    for (int d = 0; d < 3; ++d) inside &= p[d] >= lower[d] && p[d] <= upper[d];
    return inside;
  }
};

// key_of: cells of the points of points1 in the box; rows: their rows.
template <class Cells>
std::int64_t match(const Question& ask, const std::vector<std::int64_t>& key_of,
                   const std::vector<std::int32_t>& rows, const Cells& cells) {
  Places places;
  for (auto* column : {&places.x, &places.y, &places.z}) column->resize(rows.size());
  places.row.resize(rows.size());
  {
    std::vector<std::int32_t> next(cells.start());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto at = static_cast<std::size_t>(next[cells.id_of(key_of[i])]++);
      const float* q = ask.points1 + 3 * static_cast<std::int64_t>(rows[i]);
      places.x[at] = q[0];
      places.y[at] = q[1];
      places.z[at] = q[2];
      places.row[at] = rows[i];
    }
  }
  const double scale = 1.0 / ask.cell, limit = ask.radius * ask.radius;
  std::int64_t count = 0;
  std::vector<Range> ranges;
  std::vector<std::int32_t> found;
  for (std::int64_t i = 0; i < ask.n0; ++i) {
    const float* p = ask.points0 + 3 * i;
    if (!ask.holds(p)) continue;
    // A ball of one radius spans, in each dimension, its own cell and the nearer neighbour.
    std::int64_t from[3], to[3];
    for (int d = 0; d < 3; ++d) {
      const double at = (static_cast<double>(p[d]) - ask.lower[d]) * scale;
      const std::int64_t own = floor_of(at);
      const bool is_low = at - static_cast<double>(own) < 0.5;
      from[d] = std::max<std::int64_t>(is_low ? own - 1 : own, 0);
      to[d] = std::min<std::int64_t>(is_low ? own : own + 1, ask.extent[d] - 1);
    }
    if (from[2] > to[2]) continue;
    ranges.clear();
    std::size_t num_candidates = 0;
    for (std::int64_t x = from[0]; x <= to[0]; ++x)
      for (std::int64_t y = from[1]; y <= to[1]; ++y) {
        const std::int64_t column = (x * ask.extent[1] + y) * ask.extent[2];
        cells.between(column + from[2], column + to[2], [&](std::int32_t first, std::int32_t last) {
          ranges.push_back(Range{first, last});
          num_candidates += static_cast<std::size_t>(last - first);
        });
      }
    if (found.size() <= num_candidates) found.resize(2 * num_candidates + 1);
    const std::size_t num = find_near(places, ranges.data(), ranges.size(), p, limit, found.data());
    sort_few(found.data(), num);
    for (std::size_t k = 0; k < num; ++k, ++count) {
      if (count >= ask.room) continue;
      ask.pairs[2 * count] = i;
      ask.pairs[2 * count + 1] = found[k];
    }
  }
  return count;
}

}  // namespace

extern "C" {

// Keeps the first point per voxel. points: (3, n), finite. size: side of a voxel. lower: smallest
// voxel along each axis. extent: number of voxels along each axis, with a product below 2^62.
// Writes the rows that are kept, ascending, and their voxels (three int32 per row); the arrays have
// room for n. Returns the number of voxels, or -1 if memory ran out.
std::int64_t pointcontrast_voxelize(const float* points, std::int64_t n, float size,
                                    const std::int64_t* lower, const std::int64_t* extent,
                                    std::int64_t* rows, std::int32_t* voxels) try {
  const pointcontrast::VoxelBox box{lower, extent};
  constexpr std::int64_t kBlock = 1024;
  std::int32_t x[kBlock], y[kBlock], z[kBlock];
  return pointcontrast::with_empty_set(box, [&](auto seen) {
    std::int64_t count = 0;
    for (std::int64_t first = 0; first < n; first += kBlock) {
      const std::int64_t num = std::min(kBlock, n - first);
      pointcontrast::voxels_of(points + first, num, size, x);
      pointcontrast::voxels_of(points + n + first, num, size, y);
      pointcontrast::voxels_of(points + 2 * n + first, num, size, z);
      for (std::int64_t i = 0; i < num; ++i) {
        if (!seen.insert(box.key(x[i], y[i], z[i]))) continue;
        rows[count] = first + i;
        voxels[3 * count] = x[i];
        voxels[3 * count + 1] = y[i];
        voxels[3 * count + 2] = z[i];
        ++count;
      }
    }
    return count;
  });
} catch (const std::bad_alloc&) {
  return -1;
}

// All (i, j) with |points0[i] - points1[j]| <= radius, sorted, among the points in a box. points:
// (n, 3) float32, n < 2^31; a point that is not finite is outside every box. Cells of side `cell`,
// slightly over two radii, start at `lower`; `extent` cells cover the box, with a product below
// 2^62. Writes up to `room` pairs to `pairs` (room, 2) and returns the number of pairs, or -1 if
// memory ran out. If there are more than `room`, the caller calls again with more room.
std::int64_t pointcontrast_match(const float* points0, std::int64_t n0, const float* points1,
                                 std::int64_t n1, double radius, double cell, const float* lower,
                                 const float* upper, const std::int64_t* extent, std::int64_t room,
                                 std::int64_t* pairs) try {
  const Question ask{points0, n0, points1, radius, cell, lower, upper, extent, room, pairs};
  const double scale = 1.0 / cell;
  std::vector<std::int64_t> key_of;
  std::vector<std::int32_t> rows;
  for (std::int64_t row = 0; row < n1; ++row) {
    const float* q = points1 + 3 * row;
    if (!ask.holds(q)) continue;
    std::int64_t key = 0;
    for (int d = 0; d < 3; ++d)
      key = key * extent[d] + floor_of((static_cast<double>(q[d]) - lower[d]) * scale);
    key_of.push_back(key);
    rows.push_back(static_cast<std::int32_t>(row));
  }
  const pointcontrast::VoxelBox box{nullptr, extent};
  if (box.num_voxels() > DenseCells::kMaxCells) return match(ask, key_of, rows, HashedCells(key_of));
  return match(ask, key_of, rows, DenseCells(key_of, extent[0] * extent[1] * extent[2]));
} catch (const std::bad_alloc&) {
  return -1;
}

}  // extern "C"
