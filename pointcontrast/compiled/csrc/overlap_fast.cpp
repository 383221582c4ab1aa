// Points of one view that another view has a point near: fast counts for all pairs of views at
// once. Called through ctypes by pointcontrast/compiled/overlap.py. The counts equal those of the
// SciPy code in pointcontrast/scenes/overlap_fast.py, which defines them.

#include <new>

#include "view_grid.h"

namespace {

using namespace pointcontrast;

constexpr int kReach = 4;  // largest number of cells per radius

struct Mean {
  double x, y, z;
};

std::vector<Mean> means_of_cells(const Grid& grid) {
  std::vector<Mean> means;
  for (int32_t cell = 0; cell < grid.num_cells(); ++cell) {
    Mean mean{};
    for (int32_t row = grid.starts[cell]; row < grid.starts[cell + 1]; ++row) {
      mean.x += grid.points[row].at[0];
      mean.y += grid.points[row].at[1];
      mean.z += grid.points[row].at[2];
    }
    const double count = grid.starts[cell + 1] - grid.starts[cell];
    means.push_back(Mean{mean.x / count, mean.y / count, mean.z / count});
  }
  return means;
}

// For each cell, the views of all cells whose means are nearer than `radius` to its mean.
template <int kWords>
std::vector<Views<kWords>> views_near_cells(const Grid& grid, const std::vector<Mean>& means,
                                            double radius, int first_view) {
  const auto views = views_of_cells<kWords>(grid, first_view);
  auto near = views;
  const double limit = radius * radius;
  std::vector<Row> rows = rows_within(kReach);
  for (int32_t cell = 0; cell < grid.num_cells(); ++cell) {
    const Mean here = means[cell];
    for (Row& row : rows) {
      if (row.dx < 0 || (row.dx == 0 && row.dy < 0)) continue;  // visits every pair of cells once
      row.visit(grid.keys, grid.keys[cell], [&](int32_t other, int) {
        if (other <= cell) return;
        const double dx = here.x - means[other].x, dy = here.y - means[other].y,
                     dz = here.z - means[other].z;
        if (!(dx * dx + dy * dy + dz * dz < limit)) return;
        near[cell].join(views[other]);
        near[other].join(views[cell]);
      });
    }
  }
  return near;
}

template <int kWords>
void count(const Grid& grid, const std::vector<Mean>& means, double radius, int first_view,
           Tally<kWords>& tally) {
  const auto near = views_near_cells<kWords>(grid, means, radius, first_view);
  for (int32_t cell = 0; cell < grid.num_cells(); ++cell)
    for (int32_t row = grid.starts[cell]; row < grid.starts[cell + 1]; ++row)
      tally.add(grid.points[row].view, near[cell]);
}

}  // namespace

extern "C" {

// As pointcontrast_count_matched, but with all points in a cell of `side`, at least a quarter of
// `radius`, moved to their mean. The points span less than 2^20 cells.
std::int64_t pointcontrast_count_nearly_matched(const double* points, const std::int64_t* starts,
                                                std::int64_t num_views, double side, double radius,
                                                std::int64_t* counts) try {
  const Grid grid = make_grid(points, starts, static_cast<int>(num_views), side, kReach);
  const std::vector<Mean> means = means_of_cells(grid);
  count_in_blocks(static_cast<int>(num_views), counts, [&](int first_view, auto& tally) {
    count(grid, means, radius, first_view, tally);
  });
  return 0;
} catch (const std::bad_alloc&) {
  return -1;
}

}  // extern "C"
