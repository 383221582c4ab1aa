// Balls and nearest neighbours in sets of points. Plain C functions on the caller's arrays, called
// through ctypes by downstream/heads/point_set_kernels.py, which checks the arguments. The results
// equal those of the torch code in downstream/heads/point_sets.py, bit for bit: squared distances
// are (dx * dx + dy * dy) + dz * dz in float32, without fused multiply-adds.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <vector>

#include "seen_voxels.h"

namespace {

constexpr std::int64_t kBlock = 64;

// (n, 3) as three columns, each readable for `kBlock` more numbers.
struct Columns {
  explicit Columns(const float* points, std::int64_t n) {
    for (int d = 0; d < 3; ++d) {
      axes[d].resize(static_cast<std::size_t>(n + kBlock));
      for (std::int64_t i = 0; i < n; ++i) axes[d][static_cast<std::size_t>(i)] = points[3 * i + d];
    }
  }
  std::vector<float> axes[3];
};

inline void find_squares(const float* x, const float* y, const float* z, const float* p,
                         float* squares) {
  const float px = p[0], py = p[1], pz = p[2];
  for (std::int64_t i = 0; i < kBlock; ++i) {
    const float dx = x[i] - px, dy = y[i] - py, dz = z[i] - pz;
    squares[i] = (dx * dx + dy * dy) + dz * dz;
  }
}

// The first rows with a squared distance below `limit`, at most num; `found` has room for a block
// more.
POINTCONTRAST_WIDE std::int64_t find_in_ball(const float* x, const float* y, const float* z,
                                             std::int64_t n, const float* p, float limit,
                                             std::int64_t num, std::int64_t* found) {
  float squares[kBlock];
  std::int64_t count = 0;
  for (std::int64_t first = 0; first < n && count < num; first += kBlock) {
    find_squares(x + first, y + first, z + first, p, squares);
    const std::int64_t size = std::min(kBlock, n - first);
    for (std::int64_t i = 0; i < size; ++i) {
      found[count] = first + i;
      count += squares[i] < limit;
    }
  }
  return std::min(count, num);
}

// The three smallest squared distances and their rows, ascending, the lower row first among equals.
POINTCONTRAST_WIDE void find_three(const float* x, const float* y, const float* z, std::int64_t n,
                                   const float* p, float* best, std::int64_t* rows) {
  float squares[kBlock];
  for (int k = 0; k < 3; ++k) {
    best[k] = std::numeric_limits<float>::infinity();
    rows[k] = 0;
  }
  for (std::int64_t first = 0; first < n; first += kBlock) {
    find_squares(x + first, y + first, z + first, p, squares);
    const std::int64_t size = std::min(kBlock, n - first);
    const float limit = best[2];
    std::int32_t any = 0;  // of a whole block, including past the last point
    for (std::int64_t i = 0; i < kBlock; ++i) any |= squares[i] < limit;
    if (!any) continue;
    for (std::int64_t i = 0; i < size; ++i) {
      if (!(squares[i] < best[2])) continue;
      int at = 2;
      for (; at > 0 && squares[i] < best[at - 1]; --at) {
        best[at] = best[at - 1];
        rows[at] = rows[at - 1];
      }
      best[at] = squares[i];
      rows[at] = first + i;
    }
  }
}

}  // namespace

extern "C" {

// For each of centers (m, 3), the first `num` rows of points (n, 3) with a squared distance below
// `limit`. If there are fewer, the first of them is repeated; if there are none, row 0. Writes (m,
// num). Returns 0, or -1 if memory ran out.
std::int64_t pointcontrast_ball_query(const float* points, std::int64_t n, const float* centers,
                                      std::int64_t m, float limit, std::int64_t num,
                                      std::int64_t* rows) try {
  const Columns columns(points, n);
  std::vector<std::int64_t> found(static_cast<std::size_t>(num + kBlock));
  for (std::int64_t i = 0; i < m; ++i) {
    const std::int64_t count =
        find_in_ball(columns.axes[0].data(), columns.axes[1].data(), columns.axes[2].data(), n,
                     centers + 3 * i, limit, num, found.data());
    const std::int64_t filler = count > 0 ? found[0] : 0;
    for (std::int64_t k = 0; k < num; ++k)
      rows[i * num + k] = k < count ? found[static_cast<std::size_t>(k)] : filler;
  }
  return 0;
} catch (const std::bad_alloc&) {
  return -1;
}

// For each of points (n, 3), the three nearest of known (m, 3), m > 0, sorted by distance, the
// lower row first among equals; the nearest is repeated if m < 3. Writes squared distances and
// rows, (n, 3). Returns 0, or -1 if memory ran out.
std::int64_t pointcontrast_three_nearest(const float* points, std::int64_t n, const float* known,
                                         std::int64_t m, float* squares, std::int64_t* rows) try {
  const Columns columns(known, m);
  for (std::int64_t i = 0; i < n; ++i) {
    find_three(columns.axes[0].data(), columns.axes[1].data(), columns.axes[2].data(), m,
               points + 3 * i, squares + 3 * i, rows + 3 * i);
    for (std::int64_t k = m; k < 3; ++k) {
      squares[3 * i + k] = squares[3 * i];
      rows[3 * i + k] = rows[3 * i];
    }
  }
  return 0;
} catch (const std::bad_alloc&) {
  return -1;
}

}  // extern "C"
