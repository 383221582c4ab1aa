// Farthest-point sampling. A plain C function on the caller's arrays, called through ctypes by
// downstream/heads/point_set_kernels.py, which checks the arguments. The rows equal those of the
// torch code in downstream/heads/point_sets.py, bit for bit: squared distances are (dx * dx + dy *
// dy) + dz * dz in float32, without fused multiply-adds.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "seen_voxels.h"

namespace {

constexpr std::int64_t kBlock = 64;
constexpr std::int32_t kNoRow = std::numeric_limits<std::int32_t>::max();

// Nonnegative floats are in the order of their bits, and compilers vectorize a maximum only of
// integers.
inline std::int32_t bits_of(float value) {
  std::int32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// The larger of two floats, or 0 if it is negative.
inline float outside(float below, float above) {
  const std::int32_t a = bits_of(below), b = bits_of(above), larger = a > b ? a : b;
  const std::int32_t bits = larger > 0 ? larger : 0;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Points that are close together. `nearest`: squared distance to the chosen points, as bits, or -1
// for a point that cannot be chosen (again).
struct Block {
  float x[kBlock], y[kBlock], z[kBlock];
  std::int32_t nearest[kBlock], row[kBlock];
};

// For each block: its bounding box, and the largest `nearest` with the lowest row that has it.
struct Blocks {
  std::vector<Block> points;
  std::vector<float> low[3], high[3];
  std::vector<std::int32_t> farthest, row;
  std::vector<std::int32_t> bound, affected;  // scratch memory for one new point
};

// Lower bounds, as bits, of the squared distances from p to the points of each block. Every
// operation rounds in the same direction for a box and for a point in it, in the same order, so
// that a bound is never above a computed distance, not even by the last bit.
POINTCONTRAST_WIDE void find_bounds(const float* const low[3], const float* const high[3],
                                    std::int64_t count, const float* p, std::int32_t* bound) {
  const float px = p[0], py = p[1], pz = p[2];
  const float *x0 = low[0], *y0 = low[1], *z0 = low[2], *x1 = high[0], *y1 = high[1], *z1 = high[2];
  for (std::int64_t i = 0; i < count; ++i) {
    const float dx = outside(x0[i] - px, px - x1[i]);
    const float dy = outside(y0[i] - py, py - y1[i]);
    const float dz = outside(z0[i] - pz, pz - z1[i]);
    bound[i] = bits_of((dx * dx + dy * dy) + dz * dz);
  }
}

// The largest of `values` and the lowest row that has it.
inline void find_farthest(const std::int32_t* values, const std::int32_t* rows, std::int64_t count,
                          std::int32_t& farthest, std::int32_t& row) {
  std::int32_t most = -1, lowest = kNoRow;
  for (std::int64_t i = 0; i < count; ++i) most = values[i] > most ? values[i] : most;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t candidate = rows[i] | (values[i] == most ? 0 : kNoRow);
    lowest = candidate < lowest ? candidate : lowest;
  }
  farthest = most;
  row = lowest;
}

// Updates the blocks that a new point p may affect.
POINTCONTRAST_WIDE void add_point(Block* points, const std::int32_t* affected, std::int64_t count,
                                  const float* p, std::int32_t* farthest, std::int32_t* row) {
  const float px = p[0], py = p[1], pz = p[2];
  for (std::int64_t k = 0; k < count; ++k) {
    Block& block = points[affected[k]];
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const float dx = block.x[i] - px, dy = block.y[i] - py, dz = block.z[i] - pz;
      const std::int32_t square = bits_of((dx * dx + dy * dy) + dz * dz);
      block.nearest[i] = square < block.nearest[i] ? square : block.nearest[i];
    }
    find_farthest(block.nearest, block.row, kBlock, farthest[affected[k]], row[affected[k]]);
  }
}

POINTCONTRAST_WIDE std::int32_t farthest_of_all(const std::int32_t* farthest,
                                                const std::int32_t* rows, std::int64_t count) {
  std::int32_t most, row;
  find_farthest(farthest, rows, count, most, row);
  return row;
}

// Spreads ten bits of a cell's number, with two free bits after each.
inline std::uint32_t spread_bits(std::uint32_t cell) {
  cell = (cell | (cell << 16)) & 0x030000FF;
  cell = (cell | (cell << 8)) & 0x0300F00F;
  cell = (cell | (cell << 4)) & 0x030C30C3;
  return (cell | (cell << 2)) & 0x09249249;
}

// Rows of points (n, 3) along a Morton curve: consecutive points are close together.
std::vector<std::int32_t> rows_along_curve(const float* points, std::int64_t n) {
  double low[3], extent = 0;
  for (int d = 0; d < 3; ++d) {
    float least = points[d], most = points[d];
    for (std::int64_t i = 1; i < n; ++i) {
      least = std::min(least, points[3 * i + d]);
      most = std::max(most, points[3 * i + d]);
    }
    low[d] = least;
    extent = std::max(extent, static_cast<double>(most) - least);
  }
  const double scale = extent > 0 ? 1023 / extent : 0;
  struct Place {
    std::uint32_t code;
    std::int32_t row;
  };
  std::vector<Place> places(static_cast<std::size_t>(n)), sorted(places.size());
  for (std::int64_t i = 0; i < n; ++i) {
    std::uint32_t code = 0;
    for (int d = 0; d < 3; ++d)
      code |= spread_bits(static_cast<std::uint32_t>((points[3 * i + d] - low[d]) * scale)) << d;
    places[static_cast<std::size_t>(i)] = Place{code, static_cast<std::int32_t>(i)};
  }
  for (int shift = 0; shift < 30; shift += 10) {
    std::uint32_t starts[1025] = {};
    for (const Place& place : places) ++starts[((place.code >> shift) & 1023) + 1];
    for (int i = 0; i < 1024; ++i) starts[i + 1] += starts[i];
    for (const Place& place : places) sorted[starts[(place.code >> shift) & 1023]++] = place;
    places.swap(sorted);
  }
  std::vector<std::int32_t> rows(places.size());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = places[i].row;
  return rows;
}

Blocks make_blocks(const float* points, const std::vector<std::int32_t>& rows) {
  const auto n = static_cast<std::int64_t>(rows.size()), count = (n + kBlock - 1) / kBlock;
  Blocks blocks;
  blocks.points.resize(static_cast<std::size_t>(count));
  for (auto* column : {&blocks.farthest, &blocks.row, &blocks.bound, &blocks.affected})
    column->resize(static_cast<std::size_t>(count));
  for (int d = 0; d < 3; ++d) {
    blocks.low[d].resize(static_cast<std::size_t>(count));
    blocks.high[d].resize(static_cast<std::size_t>(count));
  }
  const std::int32_t infinite = bits_of(std::numeric_limits<float>::infinity());
  for (std::int64_t b = 0; b < count; ++b) {
    Block& block = blocks.points[static_cast<std::size_t>(b)];
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const std::int64_t place = b * kBlock + i;
      const bool there = place < n;
      const std::int32_t row = rows[static_cast<std::size_t>(there ? place : n - 1)];
      const float* p = points + 3 * static_cast<std::int64_t>(row);
      block.x[i] = p[0];
      block.y[i] = p[1];
      block.z[i] = p[2];
      block.nearest[i] = there ? infinite : -1;
      block.row[i] = there ? row : kNoRow;
    }
    const float* axes[3] = {block.x, block.y, block.z};
    for (int d = 0; d < 3; ++d) {
      const auto range = std::minmax_element(axes[d], axes[d] + kBlock);
      blocks.low[d][static_cast<std::size_t>(b)] = *range.first;
      blocks.high[d][static_cast<std::size_t>(b)] = *range.second;
    }
    blocks.farthest[static_cast<std::size_t>(b)] = infinite;
  }
  return blocks;
}

}  // namespace

extern "C" {

// Farthest-point sampling: writes `num` rows of finite points (n, 3), 0 < num <= n < 2^31 - 1. The
// first is the first point; each next one is farthest from all chosen points, the lowest row among
// equals, none twice. A new point affects only points that are nearer to it than to the previous
// ones, so most blocks are skipped because they are too far away. Returns 0, or -1 if memory ran
// out.
std::int64_t pointcontrast_farthest_points(const float* points, std::int64_t n, std::int64_t num,
                                           std::int64_t* rows) try {
  const std::vector<std::int32_t> order = rows_along_curve(points, n);
  std::vector<std::int32_t> place_of(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    place_of[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
  Blocks blocks = make_blocks(points, order);
  const auto num_blocks = static_cast<std::int64_t>(blocks.points.size());
  const float* const low[3] = {blocks.low[0].data(), blocks.low[1].data(), blocks.low[2].data()};
  const float* const high[3] = {blocks.high[0].data(), blocks.high[1].data(),
                                blocks.high[2].data()};
  std::int32_t *farthest = blocks.farthest.data(), *bound = blocks.bound.data(),
               *affected = blocks.affected.data();
  std::int32_t row = 0;
  for (std::int64_t i = 0;; ++i) {
    rows[i] = row;
    if (i + 1 == num) return 0;
    const std::int64_t place = place_of[static_cast<std::size_t>(row)], own = place / kBlock;
    blocks.points[static_cast<std::size_t>(own)].nearest[place % kBlock] = -1;
    const float* p = points + 3 * static_cast<std::int64_t>(row);
    find_bounds(low, high, num_blocks, p, bound);
    bound[own] = -1;  // it lost a point, for any distances
    std::int64_t count = 0;
    for (std::int64_t b = 0; b < num_blocks; ++b) {
      affected[count] = static_cast<std::int32_t>(b);
      count += bound[b] < farthest[b];
    }
    add_point(blocks.points.data(), affected, count, p, farthest, blocks.row.data());
    row = farthest_of_all(farthest, blocks.row.data(), num_blocks);
  }
} catch (const std::bad_alloc&) {
  return -1;
}

}  // extern "C"
