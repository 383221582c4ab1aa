"""Coordinates in another unit than the metre are told by the size of the voxels."""

from __future__ import annotations

import numpy as np
import pytest

from downstream.cloud_scale import doubt_of_scale
from downstream.types import LabelledCloud


def cloud(scale: float, count: int = 30_000) -> LabelledCloud:
    """A floor of 5 x 4 m, points 2.6 cm apart."""
    points = np.random.default_rng(0).uniform(0, 1, (count, 3)) * [5, 4, 0.01]
    return LabelledCloud(name="room_1", points=(points * scale).astype(np.float32))


@pytest.mark.parametrize("voxel_size", [0.02, 0.05, 0.1])
def test_metres_are_not_doubted(voxel_size: float) -> None:
    assert doubt_of_scale(cloud(1), voxel_size) is None
    assert doubt_of_scale(cloud(1, 5000), voxel_size) is None


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (1000, "room_1 has points "),
        (100, "room_1 has"),
        (0.001, "room_1 is 0.005 m across, 0.1 voxels"),
    ],
)
def test_other_units_are(scale: float, said: str) -> None:  # fmt: skip
    doubt = doubt_of_scale(cloud(scale), 0.05)
    assert doubt is not None
    assert doubt.startswith(said)
    assert "Are its" in doubt or "are its" in doubt


def test_few_points_say_nothing() -> None:
    assert doubt_of_scale(cloud(1000, 900), 0.05) is None
