"""Origins of georeferenced coordinates: no place is lost, and what was lost before is refused."""

from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.origins import (
    FARTHEST,
    check_resolution,
    origin_of,
    put_back,
    take_origin_off,
)

UTM = np.array([450_123.4, 5_201_234.7, 312.5])


def room(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 5, (5000, 3))


def test_points_near_zero_keep_the_origin_zero_and_their_bits() -> None:
    points = room().astype(np.float32)
    moved, origin = take_origin_off(points)
    assert moved is points
    assert origin.tolist() == [0, 0, 0]
    assert put_back(moved, origin) is points
    wide = room()
    moved, origin = take_origin_off(wide)
    np.testing.assert_array_equal(moved, wide.astype(np.float32))
    assert not origin.any()


def test_utm_points_keep_all_places() -> None:
    points = room() + UTM
    assert len(np.unique(points.astype(np.float32)[:, 1])) < 20  # what is lost without an origin
    moved, origin = take_origin_off(points)
    assert moved.dtype == np.float32
    assert len(np.unique(moved, axis=0)) == len(points)
    assert (origin == np.rint(origin)).all()
    np.testing.assert_allclose(put_back(moved, origin), points, rtol=0, atol=1e-6)


def test_voxels_that_divide_a_metre_keep_their_borders() -> None:
    points = np.rint(room() * 1000) / 1000 + 0.0005
    near = np.floor(points / 0.05)
    moved, origin = take_origin_off(points + np.rint(UTM))
    far = np.floor(moved.astype(np.float64) / 0.05)
    shift = (np.rint(UTM) - origin) / 0.05
    np.testing.assert_array_equal(far, near + np.rint(shift))


def test_several_clouds_share_an_origin() -> None:
    first, origin = take_origin_off(room(1) + UTM)
    second, same = take_origin_off(room(2) + UTM + 3, origin)
    assert same is origin
    np.testing.assert_allclose(put_back(second, same), room(2) + UTM + 3, rtol=0, atol=1e-6)
    assert len(first) == len(second)


def test_origin_ignores_points_that_are_not_finite() -> None:
    points = np.vstack([room() + UTM, [[np.nan, 0, 0], [0, np.inf, 0]]])
    np.testing.assert_array_equal(origin_of(points), origin_of(points[:-2]))
    assert not origin_of(np.full((3, 3), np.nan)).any()
    assert not origin_of(np.empty((0, 3))).any()


def test_origin_changes_at_the_limit() -> None:
    assert not origin_of(np.array([[0.0, 0, 0], [0, -FARTHEST, 0]])).any()
    assert origin_of(np.array([[0.0, 0, 0], [0, -FARTHEST - 1, 0]])).tolist() == [0, -500, 0]


def test_places_that_float32_lost_are_refused() -> None:
    points = room() + UTM
    check_resolution(points, 0.02, "a")
    check_resolution(take_origin_off(points)[0], 0.02, "a")
    lost = points.astype(np.float32)
    for given in (lost, lost.astype(np.float64)):
        with pytest.raises(InputError, match=r"^scan: x reaches 450128\.\d m, .* 0\.031 m.* 0\.02"):
            check_resolution(given, 0.02, "scan")
    check_resolution(np.empty((0, 3), np.float32), 0.02, "a")


@pytest.mark.parametrize(("reach", "right"), [(16_383, True), (16_385, False)])
def test_limit_is_a_tenth_of_the_voxel(reach: float, right: bool) -> None:
    points = np.array([[0, 0, 0], [0, 0, -reach]], np.float32)  # float32 steps by 2 ** -9 beyond
    if right:
        check_resolution(points, 0.01, "a")
    else:
        with pytest.raises(InputError, match="z reaches 16385 m"):
            check_resolution(points, 0.01, "a")


def test_points_that_are_not_finite_do_not_count() -> None:
    points = np.vstack([room(), [[np.nan, 0, 0]], [[np.inf, 0, 0]]]).astype(np.float32)
    check_resolution(points, 0.02, "a")
    with pytest.raises(InputError, match="x reaches"):
        check_resolution(points + UTM.astype(np.float32), 0.02, "a")
