from __future__ import annotations

import numpy as np
import pytest

from downstream.augmentation.elastic_distortion import elastic_distortion
from pointcontrast.errors import InputError
from tests.oracles import finetuning_augmentation as authors


@pytest.mark.parametrize("num_points", [1, 2, 300])
@pytest.mark.parametrize(("granularity", "magnitude"), [(0.2, 0.4), (0.8, 1.6), (5.0, 1.0)])
def test_is_the_authors_field(num_points: int, granularity: float, magnitude: float) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        points = (rng.random((num_points, 3)) * [4, 3, 2] - 1).astype(np.float32)
        before = points.copy()
        ours, reference = (np.random.default_rng(seed) for _ in range(2))
        moved = elastic_distortion(points, ours, granularity, magnitude)
        expected = authors.elastic_distortion(
            points.astype(np.float64), reference, granularity, magnitude
        )
        np.testing.assert_allclose(moved, expected, atol=1e-5)
        assert ours.bit_generator.state == reference.bit_generator.state
        assert moved.dtype == np.float32
        assert moved.shape == points.shape
        np.testing.assert_array_equal(points, before)


def test_points_on_the_grid_itself() -> None:
    # a quarter is exact in binary: these points lie on grid points, the last ones included
    points = 0.25 * np.stack(np.meshgrid(*[np.arange(8.0)] * 3), axis=-1).reshape(-1, 3)
    moved = elastic_distortion(points.astype(np.float32), np.random.default_rng(0), 0.25, 1.0)
    expected = authors.elastic_distortion(points, np.random.default_rng(0), 0.25, 1.0)
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_spread_within_the_grid() -> None:
    # weights 1 2 3 2 1 over 9 along each axis: a variance of (19/81)^3
    inner = 0.5 * np.stack(np.meshgrid(*[np.arange(2, 26)] * 3), axis=-1).reshape(-1, 3)
    points = np.concatenate([[[0, 0, 0], [14, 14, 14]], inner]).astype(np.float32)
    moved = elastic_distortion(points, np.random.default_rng(0), 0.5, 2.0) - points
    spread = 2 * np.sqrt((19 / 81) ** 3)
    np.testing.assert_allclose(moved[2:].std(axis=0), spread, rtol=0.06)


def test_an_outlier_is_an_error_that_names_the_grid() -> None:
    points = np.array([[0, 0, 0], [500, 400, 300]], np.float32)
    with pytest.raises(InputError, match=r"0\.2 m needs a grid of 2503 x 2003 x 1503 .*outlier"):
        elastic_distortion(points, np.random.default_rng(0), 0.2, 0.4)
