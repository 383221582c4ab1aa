from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.pictures.scene_clouds import below_ceiling, merge_views
from pointcontrast.types import PointCloud


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_merging_keeps_the_first_point_of_every_cell(rng: np.random.Generator) -> None:
    clouds = [
        PointCloud(
            rng.uniform(-1, 1, size=(300, 3)).astype(np.float32),
            rng.integers(256, size=(300, 3)).astype(np.uint8),
        )
        for _ in range(3)
    ]
    merged = merge_views(clouds, 0.25)
    expected: dict[tuple[int, ...], np.ndarray] = {}
    for cloud in clouds:
        assert cloud.colors is not None
        for point, color in zip(cloud.points, cloud.colors, strict=True):
            cell = tuple(int(np.floor(x / 0.25)) for x in point)
            expected.setdefault(cell, np.concatenate([point, color]))
    assert merged.colors is not None
    rows = np.concatenate([merged.points, merged.colors], axis=1)
    assert sorted(map(tuple, rows)) == sorted(map(tuple, expected.values()))
    bare = PointCloud(clouds[0].points)
    assert merge_views([clouds[1], bare], 0.25).colors is None


def test_the_ceiling_comes_off_along_the_up_direction() -> None:
    heights = np.linspace(0, 2, 201)
    points = np.stack([np.zeros(201), -heights, np.zeros(201)], axis=1)
    kept = below_ceiling(points, np.array([0.0, -1.0, 0.0]), 0.25)
    assert heights[kept].max() == pytest.approx(1.5, abs=0.03)
    assert heights[kept].min() == 0
    assert below_ceiling(points, np.array([0.0, -1.0, 0.0]), 0).all()
    with pytest.raises(InputError, match="--cut-ceiling 1"):
        below_ceiling(points, np.array([0.0, -1.0, 0.0]), 1)
