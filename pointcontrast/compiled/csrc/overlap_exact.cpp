// Points of one view that another view has a point near: exact counts for all pairs of views at
// once. Called through ctypes by pointcontrast/compiled/overlap.py. The counts equal those of the
// SciPy code in pointcontrast/scenes/overlap_exact.py.

#include <cmath>
#include <limits>
#include <new>

#include "view_grid.h"

namespace {

using namespace pointcontrast;

constexpr int kReach = 3;  // cells per radius: most cells are decided without their points

template <int kWords>
class Matcher {
 public:
  Matcher(const Grid& grid, double radius, int first_view, Tally<kWords>& tally)
      : tally_(tally),
        grid_(grid),
        views_(views_of_cells<kWords>(grid, first_view)),
        rows_(rows_within(kReach)),
        first_view_(first_view),
        limit_(radius * radius) {
    for (int32_t cell = 0; cell < grid.num_cells(); ++cell) boxes_.push_back(find_box(cell));
  }

  void count() {
    for (int32_t cell = 0; cell < grid_.num_cells(); ++cell) {
      find_candidates(cell);
      for (int32_t row = grid_.starts[cell]; row < grid_.starts[cell + 1]; ++row)
        tally_.add(grid_.points[row].view, views_near(cell, grid_.points[row]));
    }
  }

 private:
  // Bounds of the points of a cell, relative to its corner.
  struct Box {
    float center[3], half[3];
  };
  static constexpr int kRoom = (2 * kReach + 1) * (2 * kReach + 1) * (2 * kReach + 1);

  Box find_box(int32_t cell) const {
    Box box;
    for (int d = 0; d < 3; ++d) {
      double low = std::numeric_limits<double>::infinity(), high = -low;
      for (int32_t row = grid_.starts[cell]; row < grid_.starts[cell + 1]; ++row) {
        low = std::min(low, grid_.points[row].at[d]);
        high = std::max(high, grid_.points[row].at[d]);
      }
      box.center[d] = static_cast<float>((low + high) / 2 - grid_.corner(cell, d));
      box.half[d] = static_cast<float>((high - low) / 2);
    }
    return box;
  }

  // Collects what all points of a cell have in common: the views that are certainly near, and the
  // cells that may hold points of other views within the radius.
  void find_candidates(int32_t cell) {
    certain_ = Views<kWords>{};
    int32_t possible[kRoom], offsets[kRoom][3];
    int num_possible = 0;
    for (Row& row : rows_)
      row.visit(grid_.keys, grid_.keys[cell], [&](int32_t other, int dz) {
        if (greatest_square(row.dx, row.dy, dz) <= kReach * kReach) {
          certain_.join(views_[other]);
        } else if (least_square(row.dx, row.dy, dz) <= kReach * kReach) {
          const int32_t offset[3] = {row.dx, row.dy, dz};
          std::copy(offset, offset + 3, offsets[num_possible]);
          possible[num_possible++] = other;
        }
      });
    num_candidates_ = 0;
    for (int k = 0; k < num_possible; ++k) {
      const int32_t other = possible[k];
      if (!views_[other].has_more_than(certain_)) continue;
      for (int d = 0; d < 3; ++d) {
        centers_[d][num_candidates_] =
            boxes_[other].center[d] + static_cast<float>(offsets[k][d] * grid_.side);
        halves_[d][num_candidates_] = boxes_[other].half[d];
      }
      candidates_[num_candidates_++] = other;
    }
  }

  // The views with a point within the radius of a point of the last cell of find_candidates.
  Views<kWords> views_near(int32_t cell, const Point& point) {
    float x[3];
    for (int d = 0; d < 3; ++d) x[d] = static_cast<float>(point.at[d] - grid_.corner(cell, d));
    float nearest[kRoom], farthest[kRoom];
    for (int k = 0; k < num_candidates_; ++k) {
      float near = 0, far = 0;
      for (int d = 0; d < 3; ++d) {
        const float gap = std::fabs(x[d] - centers_[d][k]), half = halves_[d][k];
        const float inner = std::max(gap - half, 0.0f), outer = gap + half;
        near += inner * inner;
        far += outer * outer;
      }
      nearest[k] = near;
      farthest[k] = far;
    }
    // The error of float32; points in this margin are compared in float64.
    const float inside = static_cast<float>(limit_ * (1 - 1e-5));
    const float outside = static_cast<float>(limit_ * (1 + 1e-5));
    int32_t within[kRoom], unsure[kRoom];
    int num_within = 0, num_unsure = 0;
    for (int k = 0; k < num_candidates_; ++k) {
      const bool is_within = farthest[k] < inside;
      within[num_within] = unsure[num_unsure] = candidates_[k];
      num_within += is_within;
      num_unsure += !is_within & (nearest[k] < outside);
    }
    Views<kWords> near = certain_;
    for (int k = 0; k < num_within; ++k) near.join(views_[within[k]]);
    for (int k = 0; k < num_unsure; ++k)
      if (views_[unsure[k]].has_more_than(near)) look_at_points(unsure[k], point, near);
    return near;
  }

  void look_at_points(int32_t cell, const Point& point, Views<kWords>& near) const {
    for (int32_t row = grid_.starts[cell]; row < grid_.starts[cell + 1]; ++row) {
      const Point& other = grid_.points[row];
      const int64_t view = other.view - first_view_;
      if (view < 0 || view >= 64 * kWords) continue;
      const double dx = point.at[0] - other.at[0], dy = point.at[1] - other.at[1],
                   dz = point.at[2] - other.at[2];
      const uint64_t is_near = dx * dx + dy * dy + dz * dz < limit_;
      near.words[view / 64] |= is_near << (view % 64);
    }
  }

  Tally<kWords>& tally_;
  const Grid& grid_;
  const std::vector<Views<kWords>> views_;
  std::vector<Row> rows_;
  const int first_view_;
  const double limit_;
  std::vector<Box> boxes_;
  Views<kWords> certain_{};
  int num_candidates_ = 0;
  int32_t candidates_[kRoom];
  float centers_[3][kRoom], halves_[3][kRoom];
};

}  // namespace

extern "C" {

// points: (n, 3) float64 points of all views, n < 2^31. starts: first row of each of the num_views
// views, then n. Writes to counts (num_views, num_views) the number of points of the row's view
// that have a point of the column's view nearer than `radius`. Returns 0, or -1 if memory ran out.
// The points span less than 2^20 radii.
std::int64_t pointcontrast_count_matched(const double* points, const std::int64_t* starts,
                                         std::int64_t num_views, double radius,
                                         std::int64_t* counts) try {
  // Slightly less than a third, so that distances inferred from cell indices hold.
  const double side = radius / kReach * (1 - 1e-7);
  const Grid grid = make_grid(points, starts, static_cast<int>(num_views), side, kReach);
  count_in_blocks(static_cast<int>(num_views), counts, [&](int first_view, auto& tally) {
    Matcher(grid, radius, first_view, tally).count();
  });
  return 0;
} catch (const std::bad_alloc&) {
  return -1;
}

}  // extern "C"
