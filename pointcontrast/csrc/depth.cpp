// Depth images: unpacked, turned into points, or into voxels without the points ever being all in
// memory. Plain C functions on the caller's arrays, called through ctypes by
// pointcontrast/depth_kernels.py; the results are those of the NumPy code beside the calls, to the bit.

#include <cstdint>
#include <new>
#include <vector>

#include "seen_voxels.h"

namespace {

// 0, 1, 2, ... as floats: the columns of an image.
std::vector<float> columns(std::int64_t width) {
  std::vector<float> numbers(static_cast<std::size_t>(width));
  for (std::size_t u = 0; u < numbers.size(); ++u) numbers[u] = static_cast<float>(u);
  return numbers;
}

// One coordinate of the points of row `v`: matrix (4,) times (u z, v z, z, 1), for every pixel;
// `u` of columns().
POINTCONTRAST_WIDE void unproject_row(const std::uint16_t* z, const float* u, std::int64_t v,
                                      std::int64_t width, const float* matrix, float* out) {
  const float along = matrix[0], place = matrix[3];
  const float row = matrix[1] * static_cast<float>(v) + matrix[2];
  for (std::int64_t i = 0; i < width; ++i)
    out[i] = static_cast<float>(static_cast<std::int32_t>(z[i])) * (along * u[i] + row) + place;
}

// The smallest and largest of `n` values, a multiple of 8, and of what stands there already.
constexpr std::int64_t kLanes = 8;  // comparisons in step, which a compiler makes into one
POINTCONTRAST_WIDE void extend(const float* values, std::int64_t n, float* low, float* high) {
  float lows[kLanes], highs[kLanes];
  for (int k = 0; k < kLanes; ++k) lows[k] = low[k];
  for (int k = 0; k < kLanes; ++k) highs[k] = high[k];
  for (std::int64_t at = 0; at < n; at += kLanes)
    for (int k = 0; k < kLanes; ++k) {
      lows[k] = values[at + k] < lows[k] ? values[at + k] : lows[k];
      highs[k] = values[at + k] > highs[k] ? values[at + k] : highs[k];
    }
  for (int k = 0; k < kLanes; ++k) low[k] = lows[k];
  for (int k = 0; k < kLanes; ++k) high[k] = highs[k];
}

POINTCONTRAST_WIDE void voxels_of_row(const float* values, std::int64_t n, float size,
                                      std::int32_t* voxels) {
  pointcontrast::voxels_of(values, n, size, voxels);
}

}  // namespace

extern "C" {

// A depth image from its differences along the rows, folded to unsigned (0, -1, 1, -2, ...) and
// split in low and high bytes. planes: (2, height, width). Sums wrap around, as they did.
void pointcontrast_undo_differences(const std::uint8_t* planes, std::int64_t height,
                                    std::int64_t width, std::uint16_t* depth) {
  const std::uint8_t* high = planes + height * width;
  for (std::int64_t v = 0; v < height; ++v) {
    std::uint32_t sum = 0;
    for (std::int64_t at = v * width; at < (v + 1) * width; ++at) {
      const std::uint32_t folded = planes[at] | static_cast<std::uint32_t>(high[at]) << 8;
      sum += (folded >> 1) ^ (0u - (folded & 1u));
      depth[at] = static_cast<std::uint16_t>(sum);
    }
  }
}

// The sums of u z, v z and z over a depth image, exact: what the mean of its points is made of.
void pointcontrast_depth_sums(const std::uint16_t* depth, std::int64_t height, std::int64_t width,
                              std::int64_t* sums) {
  sums[0] = sums[1] = sums[2] = 0;
  for (std::int64_t v = 0; v < height; ++v) {
    std::int64_t z = 0, uz = 0;
    for (std::int64_t u = 0; u < width; ++u) {
      z += depth[v * width + u];
      uz += u * depth[v * width + u];
    }
    sums[0] += uz;
    sums[1] += v * z;
    sums[2] += z;
  }
}

// The points of the pixels that are not 0, row by row: matrix (3, 4) times (u z, v z, z, 1).
// points: (3, count), count being the number of such pixels. Returns 0, or -1 without memory.
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

// Bounds (2, 3) of those points and of the camera's own place: the smallest and the largest
// coordinates. Returns 0, or -1 without memory.
std::int64_t pointcontrast_depth_bounds(const std::uint16_t* depth, std::int64_t height,
                                        std::int64_t width, const float* matrix,
                                        float* bounds) try {
  const std::int64_t padded = (width + kLanes - 1) / kLanes * kLanes;
  const std::vector<float> u_of = columns(width);
  std::vector<float> row(static_cast<std::size_t>(padded));
  for (int d = 0; d < 3; ++d) {
    const float camera = matrix[4 * d + 3];  // where a pixel without a point lies, too
    float low[kLanes], high[kLanes];
    for (int k = 0; k < kLanes; ++k) low[k] = high[k] = camera;
    for (std::int64_t u = width; u < padded; ++u) row[static_cast<std::size_t>(u)] = camera;
    for (std::int64_t v = 0; v < height; ++v) {
      unproject_row(depth + v * width, u_of.data(), v, width, matrix + 4 * d, row.data());
      extend(row.data(), padded, low, high);
    }
    for (int k = 1; k < kLanes; ++k) {
      low[0] = low[k] < low[0] ? low[k] : low[0];
      high[0] = high[k] > high[0] ? high[k] : high[0];
    }
    bounds[d] = low[0];
    bounds[3 + d] = high[0];
  }
  return 0;
} catch (const std::bad_alloc&) {
  return -1;
}

// One of those points a voxel of side `size`, the first: writes the pixels (v * width + u) that stay,
// rising, and their voxels (three a pixel); there is room for one a pixel. lower, extent: of the
// voxels, as in pointcontrast_voxelize. Returns how many, or -1 without memory.
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
