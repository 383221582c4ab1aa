from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.voxelize import voxelize


def oracle(points: np.ndarray, voxel_size: float) -> dict[tuple[int, ...], int]:
    first: dict[tuple[int, ...], int] = {}
    for row, point in enumerate(points):
        voxel = tuple(int(v) for v in np.floor(point / points.dtype.type(voxel_size)))
        first.setdefault(voxel, row)
    return first


@pytest.mark.parametrize("voxel_size", [0.025, 0.1, 3.0])
def test_equals_a_loop_over_points(voxel_size: float) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3000, 3)).astype(np.float32)
    rows, coordinates = voxelize(points, voxel_size)
    expected = oracle(points, voxel_size)
    got = {tuple(c): r for c, r in zip(coordinates.tolist(), rows.tolist(), strict=True)}
    assert got == expected
    assert coordinates.dtype == np.int32
    assert rows.dtype == np.int64


def test_no_point_and_one_point() -> None:
    rows, coordinates = voxelize(np.zeros((0, 3), np.float32), 0.1)
    assert rows.shape == (0,)
    assert coordinates.shape == (0, 3)
    rows, coordinates = voxelize(np.array([[-0.05, 0.0, 0.15]], np.float32), 0.1)
    assert rows.tolist() == [0]
    assert coordinates.tolist() == [[-1, 0, 1]]


@pytest.mark.parametrize(
    ("points", "voxel_size", "said"),
    [
        (np.zeros((2, 3), np.float32), 0.0, "voxel_size 0.0"),
        (np.zeros((2, 3), np.float32), float("nan"), "voxel_size nan"),
        (np.array([[0, 0, np.nan]], np.float32), 0.1, "NaN"),
        (np.array([[0, 0, 0], [np.inf, 0, 0]], np.float32), 0.1, "NaN or infinity"),
        (np.array([[0, 0, 0], [1e9, 1e9, 1e9]], np.float32), 0.01, "outlier"),
    ],
)
def test_bad_input_is_named(points: np.ndarray, voxel_size: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        voxelize(points, voxel_size)


@pytest.mark.parametrize("num_points", [1, 50])
def test_the_points_given_stay_as_they_are(num_points: int) -> None:
    points = np.random.default_rng(0).normal(size=(num_points, 3)).astype(np.float32)
    before = points.copy()
    voxelize(points, 0.1)
    np.testing.assert_array_equal(points, before)
