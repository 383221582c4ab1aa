// Depth images: decoding, conversion to points, and voxelization without all points in memory.
// Plain C functions on the caller's arrays, called through ctypes by
// pointcontrast/compiled/depth.py. The results equal those of the NumPy code that calls them, bit
// for bit.

#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

#include "seen_voxels.h"

namespace {

// The columns of an image as floats: 0, 1, 2, ...
std::vector<float> columns(std::int64_t width) {
  std::vector<float> numbers(static_cast<std::size_t>(width));
  for (std::size_t u = 0; u < numbers.size(); ++u) numbers[u] = static_cast<float>(u);
  return numbers;
}

// One coordinate of the points of row `v`: matrix (4,) times (u z, v z, z, 1) for every pixel, with
// `u` from columns().
POINTCONTRAST_WIDE void unproject_row(const std::uint16_t* z, const float* u, std::int64_t v,
                                      std::int64_t width, const float* matrix, float* out) {
  const float along = matrix[0], place = matrix[3];
  const float row = matrix[1] * static_cast<float>(v) + matrix[2];
  for (std::int64_t i = 0; i < width; ++i)
    out[i] = static_cast<float>(static_cast<std::int32_t>(z[i])) * (along * u[i] + row) + place;
}

// Computes a row of an image from the row above and the folded difference.
POINTCONTRAST_WIDE void add_step(const std::uint8_t* low, const std::uint8_t* high,
                                 const std::uint16_t* above, std::int64_t width,
                                 std::uint16_t* row) {
  for (std::int64_t u = 0; u < width; ++u) {
    const auto folded = static_cast<std::uint16_t>(low[u] | high[u] << 8);
    const auto sign = static_cast<std::uint16_t>(-(folded & 1));
    row[u] = static_cast<std::uint16_t>(above[u] + ((folded >> 1) ^ sign));
  }
}

// Adds the sums of z and of u z over a row.
POINTCONTRAST_WIDE void row_sums(const std::uint16_t* row, std::int64_t width, std::int64_t& of_z,
                                 std::int64_t& of_uz) {
  constexpr std::int64_t kBlock = 256;  // 256 * 256 / 2 * 65535 is below 2^32
  for (std::int64_t first = 0; first < width; first += kBlock) {
    const auto num = static_cast<std::uint32_t>(width - first < kBlock ? width - first : kBlock);
    std::uint32_t z = 0, uz = 0;
    for (std::uint32_t k = 0; k < num; ++k) {
      const std::uint32_t value = row[first + k];
      z += value;
      uz += k * value;
    }
    of_z += z;
    of_uz += first * z + uz;
  }
}

// The smallest nonzero and the largest depth of some rows of an image, per column.
POINTCONTRAST_WIDE void depth_range(const std::uint16_t* rows, std::int64_t num_rows,
                                    std::int64_t width, std::uint16_t* nearest,
                                    std::uint16_t* farthest) {
  for (std::int64_t u = 0; u < width; ++u) nearest[u] = 65535, farthest[u] = 0;
  for (std::int64_t v = 0; v < num_rows; ++v)
    for (std::int64_t u = 0; u < width; ++u) {
      const std::uint16_t z = rows[v * width + u];
      const auto measured = static_cast<std::uint16_t>(z - 1);  // 65535 without measurement
      nearest[u] = measured < nearest[u] ? measured : nearest[u];
      farthest[u] = z > farthest[u] ? z : farthest[u];
    }
}

POINTCONTRAST_WIDE void voxels_of_row(const float* values, std::int64_t n, float size,
                                      std::int32_t* voxels) {
  pointcontrast::voxels_of(values, n, size, voxels);
}

}  // namespace

extern "C" {

// Computes a depth image from the differences along its columns, which are folded to unsigned (0,
// -1, 1, -2, ...) and split into low and high bytes. planes: (2, height, width). Sums wrap around,
// as in the encoder.
void pointcontrast_undo_differences(const std::uint8_t* planes, std::int64_t height,
                                    std::int64_t width, std::uint16_t* depth) {
  const std::vector<std::uint16_t> none(static_cast<std::size_t>(width), 0);
  for (std::int64_t v = 0; v < height; ++v) {
    const std::uint8_t* low = planes + v * width;
    add_step(low, low + height * width, v ? depth + (v - 1) * width : none.data(), width,
             depth + v * width);
  }
}

// The exact sums of u z, v z and z over a depth image, from which the mean of its points follows.
void pointcontrast_depth_sums(const std::uint16_t* depth, std::int64_t height, std::int64_t width,
                              std::int64_t* sums) {
  sums[0] = sums[1] = sums[2] = 0;
  for (std::int64_t v = 0; v < height; ++v) {
    std::int64_t z = 0, uz = 0;
    row_sums(depth + v * width, width, z, uz);
    sums[0] += uz;
    sums[1] += v * z;
    sums[2] += z;
  }
}

// The points of the nonzero pixels, row by row: matrix (3, 4) times (u z, v z, z, 1). points: (3,
// count) for the `count` nonzero pixels. Returns 0, or -1 if memory ran out.
std::int64_t pointcontrast_unproject(const std::uint16_t* depth, std::int64_t height,
                                     std::int64_t width, const float* matrix, std::int64_t count,
                                     float* points) try {
  const std::vector<float> u_of = columns(width);
  std::vector<float> row(static_cast<std::size_t>(width));
  for (int d = 0; d < 3; ++d) {
    float* out = points + d * count;
    for (std::int64_t v = 0; v < height; ++v) {
      const std::uint16_t* z = depth + v * width;
      unproject_row(z, u_of.data(), v, width, matrix + 4 * d, row.data());
      for (std::int64_t u = 0; u < width; ++u)
        if (z[u]) *out++ = row[static_cast<std::size_t>(u)];
    }
  }
  return 0;
} catch (const std::bad_alloc&) {
  return -1;
}

// Bounds (2, 3) of those points, slightly wide: the smallest and the largest coordinates of boxes
// of 8 x 8 pixels between their nearest and farthest depth. A coordinate is monotonic along u, v
// and z, including rounding, so its extremes are in corners. Returns 0, or -1 if memory ran out.
std::int64_t pointcontrast_depth_bounds(const std::uint16_t* depth, std::int64_t height,
                                        std::int64_t width, const float* matrix,
                                        float* bounds) try {
  constexpr std::int64_t kTile = 8;
  std::vector<std::uint16_t> nearest(static_cast<std::size_t>(width)), farthest(nearest.size());
  float low[3], high[3];
  bool is_first = true;
  for (std::int64_t v = 0; v < height; v += kTile) {
    const std::int64_t num_rows = std::min(kTile, height - v);
    depth_range(depth + v * width, num_rows, width, nearest.data(), farthest.data());
    for (std::int64_t u = 0; u < width; u += kTile) {
      const std::int64_t end = std::min(u + kTile, width);
      std::uint16_t near = 65535, far = 0;
      for (std::int64_t i = u; i < end; ++i) {
        near = std::min(near, nearest[static_cast<std::size_t>(i)]);
        far = std::max(far, farthest[static_cast<std::size_t>(i)]);
      }
      if (far == 0) continue;
      const float z[2] = {static_cast<float>(near + 1), static_cast<float>(far)};
      const float us[2] = {static_cast<float>(u), static_cast<float>(end - 1)};
      const float vs[2] = {static_cast<float>(v), static_cast<float>(v + num_rows - 1)};
      for (int d = 0; d < 3; ++d) {
        const float* m = matrix + 4 * d;
        for (int corner = 0; corner < 8; ++corner) {
          const float value =
              z[corner & 1] * (m[0] * us[corner >> 1 & 1] + (m[1] * vs[corner >> 2] + m[2])) + m[3];
          if (is_first && corner == 0) low[d] = high[d] = value;
          low[d] = std::min(low[d], value);
          high[d] = std::max(high[d], value);
        }
      }
      is_first = false;
    }
  }
  for (int d = 0; d < 3; ++d) {
    bounds[d] = is_first ? 0.0f : low[d];
    bounds[3 + d] = is_first ? 0.0f : high[d];
  }
  return 0;
} catch (const std::bad_alloc&) {
  return -1;
}

// Keeps the first of those points per voxel of side `size`. Writes the pixels (v * width + u) that
// are kept, ascending, and their voxels (three numbers per pixel); the arrays have room for every
// pixel. lower, extent: bounds of the voxels, as in pointcontrast_voxelize. Returns the number of
// voxels, or -1 if memory ran out.
std::int64_t pointcontrast_voxelize_depth(const std::uint16_t* depth, std::int64_t height,
                                          std::int64_t width, const float* matrix, float size,
                                          const std::int64_t* lower, const std::int64_t* extent,
                                          std::int32_t* pixels, std::int32_t* voxels) try {
  const pointcontrast::VoxelBox box{lower, extent};
  const std::vector<float> u_of = columns(width);
  std::vector<float> row(static_cast<std::size_t>(width));
  std::vector<std::int32_t> x(row.size()), y(row.size()), z(row.size());
  std::int32_t* const out[3] = {x.data(), y.data(), z.data()};
  return pointcontrast::with_empty_set(box, [&](auto seen) {
    std::int64_t count = 0;
    for (std::int64_t v = 0; v < height; ++v) {
      const std::uint16_t* measured = depth + v * width;
      for (int d = 0; d < 3; ++d) {
        unproject_row(measured, u_of.data(), v, width, matrix + 4 * d, row.data());
        voxels_of_row(row.data(), width, size, out[d]);
      }
      for (std::size_t u = 0; u < row.size(); ++u) {
        if (!measured[u] || !seen.insert(box.key(x[u], y[u], z[u]))) continue;
        pixels[count] = static_cast<std::int32_t>(v * width + static_cast<std::int64_t>(u));
        voxels[3 * count] = x[u];
        voxels[3 * count + 1] = y[u];
        voxels[3 * count + 2] = z[u];
        ++count;
      }
    }
    return count;
  });
} catch (const std::bad_alloc&) {
  return -1;
}

}  // extern "C"
