// Farthest-point sampling. Same rows as the torch form in downstream/point_sets.py, to the bit:
// squares are summed as (x + y) + z in float32, without fused multiply-adds.

#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

// A copy of the loop for each width of vectors, chosen when the library is loaded.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define POINTCONTRAST_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define POINTCONTRAST_CLONES
#endif

namespace {

constexpr std::int64_t kLanes = 16;
typedef float Lanes __attribute__((vector_size(64)));
typedef std::int32_t Rows __attribute__((vector_size(64)));

// The coordinates and the distance to the chosen points of kLanes points.
struct Block {
  Lanes x, y, z, nearest;
};

// Takes a new point at (px, py, pz) into account and writes the row that is farthest from all chosen
// ones to `next`, of several the lowest.
POINTCONTRAST_CLONES
void farthest(Block* blocks, std::int64_t num_blocks, float px, float py, float pz,
              std::int32_t* next) {
  Lanes best;
  Rows row, best_row;
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    best[lane] = -2.0f;
    row[lane] = best_row[lane] = static_cast<std::int32_t>(lane);
  }
  for (std::int64_t i = 0; i < num_blocks; ++i, row += static_cast<std::int32_t>(kLanes)) {
    Block& block = blocks[i];
    const Lanes x = block.x - px, y = block.y - py, z = block.z - pz;
    const Lanes square = (x * x + y * y) + z * z;
    const Lanes nearest = square < block.nearest ? square : block.nearest;
    block.nearest = nearest;
    const Rows farther = nearest > best;
    best = farther ? nearest : best;
    best_row = farther ? row : best_row;
  }
  std::int64_t found = 0;
  for (std::int64_t lane = 1; lane < kLanes; ++lane)
    if (best[lane] > best[found] ||
        (best[lane] == best[found] && best_row[lane] < best_row[found]))
      found = lane;
  *next = best_row[found];
}

}  // namespace

extern "C" {

// Writes `num` rows of points (n, 3), 0 < num <= n < 2^31, finite: the first point, then always the
// one farthest from all chosen before, never one twice. Returns 0, or -1 where memory ran out.
std::int64_t pointcontrast_farthest_points(const float* points, std::int64_t n, std::int64_t num,
                                           std::int64_t* rows) try {
  const std::int64_t num_blocks = (n + kLanes - 1) / kLanes;
  std::vector<char> memory((num_blocks + 1) * sizeof(Block));
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  Block* blocks = reinterpret_cast<Block*>((address + sizeof(Lanes) - 1) & ~(sizeof(Lanes) - 1));
  for (std::int64_t i = 0; i < num_blocks * kLanes; ++i) {
    const bool there = i < n;
    Block& block = blocks[i / kLanes];
    const std::int64_t lane = i % kLanes;
    block.x[lane] = there ? points[3 * i] : 0.0f;
    block.y[lane] = there ? points[3 * i + 1] : 0.0f;
    block.z[lane] = there ? points[3 * i + 2] : 0.0f;
    block.nearest[lane] = there ? __builtin_inff() : -1.0f;  // -1: chosen, or no point
  }
  std::int32_t row = 0;
  for (std::int64_t i = 0; i < num; ++i) {
    rows[i] = row;
    blocks[row / kLanes].nearest[row % kLanes] = -1.0f;
    const float* p = points + 3 * static_cast<std::int64_t>(row);
    farthest(blocks, num_blocks, p[0], p[1], p[2], &row);
  }
  return 0;
} catch (const std::bad_alloc&) {
  return -1;
}

}  // extern "C"
