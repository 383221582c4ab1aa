// Down-sampling to the mean of each voxel. Called through ctypes by
// pointcontrast/compiled/overlap.py. The result equals those of the NumPy code in
// pointcontrast/scenes/voxel_means.py and of Open3D, bit for bit.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "cell_numbers.h"

namespace {

constexpr int kChunk = 512;  // points processed together
constexpr float kInfinity = std::numeric_limits<float>::infinity();

typedef float Lanes __attribute__((vector_size(16)));
typedef std::int32_t Flags __attribute__((vector_size(16)));

// (n, 3) float32 with any strides, in elements.
struct Points {
  const float* data;
  std::int64_t count, row_stride, column_stride;

  // The number of points in the chunk that starts at `row`, and one coordinate of all of them: in
  // place, or copied to `room`.
  int chunk_size(std::int64_t row) const {
    return static_cast<int>(std::min<std::int64_t>(kChunk, count - row));
  }
  const float* chunk(std::int64_t row, int d, float* room) const {
    const float* first = data + row * row_stride + d * column_stride;
    if (row_stride == 1) return first;
    const int size = chunk_size(row);
    for (int k = 0; k < size; ++k) room[k] = first[k * row_stride];
    return room;
  }
};

struct Voxel {
  double sum[3];
  std::int64_t count;
};

// Extends low..high by some coordinates; false if one is NaN.
bool widen(const float* x, int size, float& low, float& high) {
  Lanes least = Lanes{} + kInfinity, greatest = Lanes{} - kInfinity;
  Flags unordered{};
  int k = 0;
  for (; k + 4 <= size; k += 4) {
    Lanes lanes;
    std::memcpy(&lanes, x + k, sizeof lanes);
    least = lanes < least ? lanes : least;
    greatest = lanes > greatest ? lanes : greatest;
    unordered |= lanes != lanes;
  }
  bool ordered = true;
  for (int lane = 0; lane < 4; ++lane) {
    low = std::min(low, least[lane]);
    high = std::max(high, greatest[lane]);
    ordered &= unordered[lane] == 0;
  }
  for (; k < size; ++k) {
    low = std::min(low, x[k]);
    high = std::max(high, x[k]);
    ordered &= x[k] == x[k];
  }
  return ordered;
}

// The smallest and largest coordinates; false if one is not finite.
bool find_bounds(const Points& points, float* low, float* high) {
  std::fill(low, low + 3, kInfinity);
  std::fill(high, high + 3, -kInfinity);
  float room[kChunk];
  for (std::int64_t row = 0; row < points.count; row += kChunk)
    for (int d = 0; d < 3; ++d)
      if (!widen(points.chunk(row, d, room), points.chunk_size(row), low[d], high[d])) return false;
  return *std::min_element(low, low + 3) > -kInfinity && *std::max_element(high, high + 3) < kInfinity;
}

// The cells of `size` coordinates along one axis.
void find_cells(const float* x, int size, double origin, double side, std::int32_t* cells) {
  const double scale = 1.0 / side, margin = 1e-6;
  std::int32_t close = 0;
  for (int k = 0; k < size; ++k) {
    const double place = (x[k] - origin) * scale;
    cells[k] = static_cast<std::int32_t>(place + margin);
    close |= cells[k] ^ static_cast<std::int32_t>(place - margin);
  }
  if (close == 0) return;
  // A product rounds differently from the quotient that decides, which matters only at a border.
  for (int k = 0; k < size; ++k) cells[k] = static_cast<std::int32_t>((x[k] - origin) / side);
}

// Finds runs of equal keys: writes the first row of each run, then `size`, and returns the number
// of runs. Without a branch, because the ends of runs are unpredictable.
int find_runs(const std::int64_t* keys, int size, int* runs) {
  int num_runs = 0;
  std::int64_t last = -1;
  for (int row = 0; row < size; ++row) {
    runs[num_runs] = row;
    num_runs += keys[row] != last;
    last = keys[row];
  }
  runs[num_runs] = size;
  return num_runs;
}

std::vector<Voxel> fill_voxels(const Points& points, const double* origin, double side) {
  pointcontrast::CellNumbers numbers;
  std::vector<Voxel> voxels;
  float room[3][kChunk];
  std::int32_t cells[3][kChunk];
  std::int64_t keys[kChunk];
  int runs[kChunk + 1];
  for (std::int64_t start = 0; start < points.count; start += kChunk) {
    const int size = points.chunk_size(start);
    const float* x[3];
    for (int d = 0; d < 3; ++d) {
      x[d] = points.chunk(start, d, room[d]);
      find_cells(x[d], size, origin[d], side, cells[d]);
    }
    for (int k = 0; k < size; ++k)
      keys[k] = pointcontrast::cell_key(cells[0][k], cells[1][k], cells[2][k]);
    const int num_runs = find_runs(keys, size, runs);
    for (int run = 0; run < num_runs; ++run) {  // neighbouring pixels often share a voxel
      const auto number = static_cast<std::size_t>(numbers.insert(keys[runs[run]]));
      if (number == voxels.size()) voxels.push_back(Voxel{});
      Voxel& voxel = voxels[number];
      double sum[3] = {voxel.sum[0], voxel.sum[1], voxel.sum[2]};
      for (int k = runs[run]; k < runs[run + 1]; ++k)  // in the order of the rows
        for (int d = 0; d < 3; ++d) sum[d] += x[d][k];
      voxel = Voxel{{sum[0], sum[1], sum[2]}, voxel.count + runs[run + 1] - runs[run]};
    }
  }
  return voxels;
}

}  // namespace

extern "C" {

// points: (count, 3) float32 with these strides in elements, count >= 1. side: side of a voxel. The
// grid starts half a voxel below the smallest coordinates. Writes one mean per voxel to `means`
// (room for `count`), in the order of the first points. Returns the number of voxels; -1 if memory
// ran out, -2 if a coordinate is not finite, -3 if the points span 2^21 voxels or more.
std::int64_t pointcontrast_voxel_means(const float* data, std::int64_t count,
                                       std::int64_t row_stride, std::int64_t column_stride,
                                       double side, double* means) try {
  const Points points{data, count, row_stride, column_stride};
  float low[3], high[3];
  if (!find_bounds(points, low, high)) return -2;
  double origin[3];
  for (int d = 0; d < 3; ++d) {
    origin[d] = low[d] - 0.5 * side;
    if (!((high[d] - origin[d]) / side < static_cast<double>(pointcontrast::kCellMask))) return -3;
  }
  const std::vector<Voxel> voxels = fill_voxels(points, origin, side);
  for (std::size_t number = 0; number < voxels.size(); ++number)
    for (std::size_t d = 0; d < 3; ++d)
      means[3 * number + d] = voxels[number].sum[d] / static_cast<double>(voxels[number].count);
  return static_cast<std::int64_t>(voxels.size());
} catch (const std::bad_alloc&) {
  return -1;
}

}  // extern "C"
