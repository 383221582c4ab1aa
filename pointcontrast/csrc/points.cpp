// Loading a training pair, the two steps that cost the most: one point a voxel, and the matches of
// two views. Plain C functions on the caller's arrays, called through ctypes by
// pointcontrast/point_kernels.py, which checks the arguments; the results are those of the NumPy and
// SciPy code beside the calls, to the bit.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace {

// Open addressing over 64-bit keys. Keys are voxel numbers below 2^63; -1 marks a free slot.
class KeyTable {
 public:
  explicit KeyTable(std::size_t num_keys) {
    std::size_t size = 16;
    while (size < 2 * num_keys) size *= 2;
    mask_ = size - 1;
    slots_.assign(size, Slot{-1, -1});
  }

  // The value of a key; a new key gets `value` and sets `is_new`.
  std::int32_t& insert(std::int64_t key, std::int32_t value, bool& is_new) {
    Slot* slot = look_up(key);
    is_new = slot->key == -1;
    if (is_new) *slot = Slot{key, value};
    return slot->value;
  }

  // The value of a key, or -1.
  std::int32_t find(std::int64_t key) const {
    return const_cast<KeyTable*>(this)->look_up(key)->value;
  }

 private:
  struct Slot {
    std::int64_t key;
    std::int32_t value;
  };

  // The slot of a key, or the free one where it would go.
  Slot* look_up(std::int64_t key) {
    // Neighbouring voxels have neighbouring keys: multiply, and let the high bits decide.
    std::size_t at = static_cast<std::size_t>(
                         (static_cast<std::uint64_t>(key) * 0x9E3779B97F4A7C15ull) >> 24) &
                     mask_;
    while (slots_[at].key != -1 && slots_[at].key != key) at = (at + 1) & mask_;
    return &slots_[at];
  }

  std::size_t mask_;
  std::vector<Slot> slots_;
};

// A point and the row it had.
struct Place {
  float x, y, z;
  std::int32_t row;
};

}  // namespace

extern "C" {

// One point a voxel, the first. floored: (3, n) whole numbers as float32; lower: their minima;
// extent: their ranges, a product below 2^62. Writes the rows that stay, rising, and their voxels
// (int32, three a row); there is room for n. Returns how many, or -1 where memory ran out.
std::int64_t pointcontrast_voxelize(const float* floored, std::int64_t n, const std::int64_t* lower,
                                    const std::int64_t* extent, std::int64_t* rows,
                                    std::int32_t* voxels) try {
  KeyTable seen(static_cast<std::size_t>(n));
  std::int64_t count = 0;
  for (std::int64_t row = 0; row < n; ++row) {
    const auto x = static_cast<std::int64_t>(floored[row]);
    const auto y = static_cast<std::int64_t>(floored[n + row]);
    const auto z = static_cast<std::int64_t>(floored[2 * n + row]);
    bool is_new;
    seen.insert(((x - lower[0]) * extent[1] + (y - lower[1])) * extent[2] + (z - lower[2]), 0, is_new);
    if (!is_new) continue;
    rows[count] = row;
    voxels[3 * count] = static_cast<std::int32_t>(x);
    voxels[3 * count + 1] = static_cast<std::int32_t>(y);
    voxels[3 * count + 2] = static_cast<std::int32_t>(z);
    ++count;
  }
  return count;
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
  const double scale = 1.0 / cell, limit = radius * radius;

  // points1 in the order of their cells, each cell a range of `start`.
  KeyTable cells(static_cast<std::size_t>(n1));
  std::vector<std::int32_t> cell_of(static_cast<std::size_t>(n1)), start(1, 0);
  for (std::int64_t row = 0; row < n1; ++row) {
    std::int64_t key = 0;
    for (int d = 0; d < 3; ++d)
      key = key * extent[d] +
            static_cast<std::int64_t>(std::floor((points1[3 * row + d] - lower[d]) * scale));
    bool is_new;
    const auto id = cells.insert(key, static_cast<std::int32_t>(start.size()) - 1, is_new);
    if (is_new) start.push_back(0);
    cell_of[static_cast<std::size_t>(row)] = id;
    ++start[static_cast<std::size_t>(id) + 1];
  }
  for (std::size_t id = 1; id < start.size(); ++id) start[id] += start[id - 1];
  std::vector<Place> places(static_cast<std::size_t>(n1));
  {
    std::vector<std::int32_t> end(start);
    for (std::int64_t row = 0; row < n1; ++row) {
      const float* q = points1 + 3 * row;
      places[static_cast<std::size_t>(end[static_cast<std::size_t>(cell_of[static_cast<std::size_t>(row)])]++)] =
          Place{q[0], q[1], q[2], static_cast<std::int32_t>(row)};
    }
  }

  std::int64_t count = 0;
  std::vector<std::int32_t> found;
  for (std::int64_t i = 0; i < n0; ++i) {
    const float* p = points0 + 3 * i;
    // A ball of one radius reaches, in each dimension, its own cell and the nearer neighbour.
    std::int64_t from[3], to[3];
    for (int d = 0; d < 3; ++d) {
      const double at = (p[d] - lower[d]) * scale, own = std::floor(at);
      const auto index = static_cast<std::int64_t>(own);
      from[d] = std::max<std::int64_t>(at - own < 0.5 ? index - 1 : index, 0);
      to[d] = std::min<std::int64_t>(at - own < 0.5 ? index : index + 1, extent[d] - 1);
    }
    found.clear();
    for (std::int64_t x = from[0]; x <= to[0]; ++x)
      for (std::int64_t y = from[1]; y <= to[1]; ++y)
        for (std::int64_t z = from[2]; z <= to[2]; ++z) {
          const std::int32_t id = cells.find((x * extent[1] + y) * extent[2] + z);
          if (id < 0) continue;
          const auto first = static_cast<std::size_t>(start[static_cast<std::size_t>(id)]);
          const auto last = static_cast<std::size_t>(start[static_cast<std::size_t>(id) + 1]);
          for (std::size_t k = first; k < last; ++k) {
            const Place& q = places[k];
            const double dx = static_cast<double>(p[0]) - q.x, dy = static_cast<double>(p[1]) - q.y,
                         dz = static_cast<double>(p[2]) - q.z;
            if (dx * dx + dy * dy + dz * dz <= limit) found.push_back(q.row);
          }
        }
    std::sort(found.begin(), found.end());
    for (const std::int32_t j : found) {
      if (count < room) {
        pairs[2 * count] = i;
        pairs[2 * count + 1] = j;
      }
      ++count;
    }
  }
  return count;
} catch (const std::bad_alloc&) {
  return -1;
}

}  // extern "C"
