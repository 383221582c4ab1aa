from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.recordings.reconstruction.crops import Ball, draw_balls
from pointcontrast.recordings.reconstruction.scan import Scan, shared_fraction
from pointcontrast.types import PointCloud
from tests.helpers.box_world import UP, world_points
from tests.oracles.overlap import overlap_of_two

RADIUS = (0.8, 1.5)


@pytest.fixture(scope="module")
def scan() -> Scan:
    return Scan.of(PointCloud(world_points()), UP)


def test_a_ball_holds_what_is_near() -> None:
    points = np.random.default_rng(0).uniform(-2, 2, size=(500, 3)).astype(np.float32)
    ball = Ball(np.array([0.3, -0.2, 0.5], np.float32), 1.1)
    near = [np.linalg.norm(point - ball.center) <= 1.1 for point in points]
    assert ball.contains(points).tolist() == near


def test_coarse_has_one_point_in_every_cell(scan: Scan) -> None:
    cells = np.unique(np.floor(scan.cloud.points / np.float32(0.05)), axis=0)
    coarse = np.floor(scan.coarse / np.float32(0.05))
    np.testing.assert_array_equal(np.unique(coarse, axis=0), cells)
    assert len(coarse) == len(cells)


def test_overlap_is_enough_by_the_authors_measure(scan: Scan) -> None:
    overlaps = []
    for seed in range(15):
        balls = draw_balls(scan.coarse, RADIUS, 0.3, 10, np.random.default_rng(seed))
        crops = [scan.cloud.points[ball.contains(scan.cloud.points)] for ball in balls]
        overlaps.append(overlap_of_two(*crops))
        for ball in balls:
            assert RADIUS[0] <= ball.radius <= RADIUS[1]
        cheap = shared_fraction(*(ball.contains(scan.coarse) for ball in balls))
        assert cheap == pytest.approx(overlaps[-1], abs=0.12)
    assert min(overlaps) >= 0.3
    assert np.ptp(overlaps) > 0.4  # from barely enough to nearly the same


def test_the_draw_ends_where_enough_is_out_of_reach() -> None:
    apart = np.array([[0, 0, 0], [1, 0, 0]], np.float32)
    first, second = draw_balls(apart, (0.1, 0.1), 0.9, 1, np.random.default_rng(3))
    assert shared_fraction(first.contains(apart), second.contains(apart)) == 1


def test_draws_depend_on_the_generator_alone(scan: Scan) -> None:
    one, same, other = (
        draw_balls(scan.coarse, RADIUS, 0.3, 10, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert [b.radius for b in one] == [b.radius for b in same]
    np.testing.assert_array_equal(one[1].center, same[1].center)
    assert [b.radius for b in one] != [b.radius for b in other]


def test_nothing_in_common_is_no_overlap() -> None:
    none, some = np.zeros(4, bool), np.array([True, False, True, False])
    assert shared_fraction(none, some) == 0
    assert shared_fraction(some, ~some) == 0
    assert shared_fraction(some, np.ones(4, bool)) == 1
