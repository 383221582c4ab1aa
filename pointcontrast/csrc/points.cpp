// Loading a training pair, the two steps that cost the most: one point a voxel, and the matches of
// two views. Plain C functions on the caller's arrays, called through ctypes by
// pointcontrast/point_kernels.py, which checks the arguments; the results are those of the NumPy and
// SciPy code beside the calls, to the bit.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "seen_voxels.h"

namespace {

using pointcontrast::KeyTable;

// A point and the row it had.
struct Place {
  float x, y, z;
  std::int32_t row;
};

// A grid of cells over points, each cell a range of `places`; cells that follow one another along z
// are one range.
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

// The same where most of many cells are empty.
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

// floor, where it fits, without a call to the library.
inline std::int64_t floor_of(double value) {
  const auto cut = static_cast<std::int64_t>(value);
  return cut - (value < static_cast<double>(cut));
}

// A few numbers in order: those of one point's neighbours.
inline void sort_few(std::int32_t* numbers, std::size_t count) {
  if (count > 32) return std::sort(numbers, numbers + count);
  for (std::size_t i = 1; i < count; ++i) {
    const std::int32_t number = numbers[i];
    std::size_t at = i;
    for (; at > 0 && numbers[at - 1] > number; --at) numbers[at] = numbers[at - 1];
    numbers[at] = number;
  }
}

// See pointcontrast_match; key_of: the cell of each of points1.
template <class Cells>
std::int64_t match(const float* points0, std::int64_t n0, const float* points1,
                   const std::vector<std::int64_t>& key_of, const Cells& cells, double radius,
                   double cell, const double* lower, const std::int64_t* extent, std::int64_t room,
                   std::int64_t* pairs) {
  std::vector<Place> places(key_of.size());
  {
    std::vector<std::int32_t> next(cells.start());
    for (std::size_t row = 0; row < key_of.size(); ++row) {
      const float* q = points1 + 3 * row;
      places[static_cast<std::size_t>(next[cells.id_of(key_of[row])]++)] =
          Place{q[0], q[1], q[2], static_cast<std::int32_t>(row)};
    }
  }
  const double scale = 1.0 / cell, limit = radius * radius;
  std::int64_t count = 0;
  std::vector<std::int32_t> found;
  for (std::int64_t i = 0; i < n0; ++i) {
    const float* p = points0 + 3 * i;
    const double x0 = p[0], y0 = p[1], z0 = p[2];
    // A ball of one radius reaches, in each dimension, its own cell and the nearer neighbour.
    std::int64_t from[3], to[3];
    for (int d = 0; d < 3; ++d) {
      const double at = (p[d] - lower[d]) * scale;
      const std::int64_t own = floor_of(at);
      const bool is_low = at - static_cast<double>(own) < 0.5;
      from[d] = std::max<std::int64_t>(is_low ? own - 1 : own, 0);
      to[d] = std::min<std::int64_t>(is_low ? own : own + 1, extent[d] - 1);
    }
    if (from[2] > to[2]) continue;
    std::size_t num_found = 0;
    for (std::int64_t x = from[0]; x <= to[0]; ++x)
      for (std::int64_t y = from[1]; y <= to[1]; ++y) {
        const std::int64_t column = (x * extent[1] + y) * extent[2];
        cells.between(column + from[2], column + to[2], [&](std::int32_t first, std::int32_t last) {
          const auto num_more = static_cast<std::size_t>(last - first);
          if (found.size() < num_found + num_more) found.resize(2 * (num_found + num_more));
          // One in seven is near enough, in no order: a branch would be guessed wrong for each.
          for (const Place* q = places.data() + first; q != places.data() + last; ++q) {
            const double dx = x0 - q->x, dy = y0 - q->y, dz = z0 - q->z;
            found[num_found] = q->row;
            num_found += dx * dx + dy * dy + dz * dz <= limit;
          }
        });
      }
    sort_few(found.data(), num_found);
    for (std::size_t k = 0; k < num_found; ++k, ++count) {
      if (count >= room) continue;
      pairs[2 * count] = i;
      pairs[2 * count + 1] = found[k];
    }
  }
  return count;
}

}  // namespace

extern "C" {

// One point a voxel, the first. points: (3, n) finite, voxels of side `size`; lower: the smallest
// voxel along each axis; extent: how many there are, a product below 2^62. Writes the rows that stay,
// rising, and their voxels (int32, three a row); there is room for n. Returns how many, or -1 where
// memory ran out.
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

// All (i, j) with |points0[i] - points1[j]| <= radius, sorted. points: (n, 3) float32, finite,
// n < 2^31. Cells of side `cell`, a little over two radii, start at `lower`; `extent` of them hold
// points1, a product below 2^62. Writes up to `room` pairs to `pairs` (room, 2) and returns how many
// there are, or -1 where memory ran out; the caller comes again with more room where there were more.
std::int64_t pointcontrast_match(const float* points0, std::int64_t n0, const float* points1,
                                 std::int64_t n1, double radius, double cell, const double* lower,
                                 const std::int64_t* extent, std::int64_t room,
                                 std::int64_t* pairs) try {
  const double scale = 1.0 / cell;
  std::vector<std::int64_t> key_of(static_cast<std::size_t>(n1), 0);
  for (std::size_t row = 0; row < key_of.size(); ++row)
    for (int d = 0; d < 3; ++d)
      key_of[row] = key_of[row] * extent[d] +
                    floor_of((points1[3 * row + static_cast<std::size_t>(d)] - lower[d]) * scale);
  const auto with = [&](const auto& cells) {
    return match(points0, n0, points1, key_of, cells, radius, cell, lower, extent, room, pairs);
  };
  const pointcontrast::VoxelBox box{nullptr, extent};
  if (box.num_voxels() > DenseCells::kMaxCells) return with(HashedCells(key_of));
  return with(DenseCells(key_of, extent[0] * extent[1] * extent[2]));
} catch (const std::bad_alloc&) {
  return -1;
}

}  // extern "C"
