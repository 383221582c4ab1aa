"""The unit of a scan: sizes of rooms, streets and tiles in metres pass, others name the option."""

from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.recordings.units import doubt_of_metres
from tests.helpers.box_world import box_points, world_points

ROOM = world_points(0.05).astype(np.float64)


def box(*size: float, spacing: float) -> np.ndarray:
    return box_points(np.array([[0, 0, 0], size], np.float64), spacing)


@pytest.mark.parametrize(
    "points",
    [
        ROOM,
        box(30, 20, 2.7, spacing=0.2),  # a storey
        box(80, 60, 30, spacing=0.45),  # a building
        box(900, 30, 25, spacing=0.45),  # a street
        box(1, 1, 1, spacing=0.02),  # a shape
        np.random.default_rng(0).uniform(0, 1, (500, 3)) * [1000, 1000, 120],  # a hilly tile
    ],
    ids=["room", "storey", "building", "street", "shape", "tile"],
)
def test_scans_in_metres_pass(points: np.ndarray) -> None:
    assert doubt_of_metres(points, is_mesh=False) is None


@pytest.mark.parametrize(
    ("unit", "option"),
    [(0.001, "--unit 0.001 (millimetres)"), (0.01, "--unit 0.01 (centimetres)"),
     (0.0254, "--unit 0.0254 (inches)")],
)  # fmt: skip
@pytest.mark.parametrize("is_mesh", [True, False])
def test_rooms_in_other_units_name_theirs_first(unit: float, option: str, is_mesh: bool) -> None:
    for turned in ([0, 1, 2], [2, 0, 1]):  # whichever direction is up
        doubt = doubt_of_metres(ROOM[:, turned] / unit, is_mesh=is_mesh)
        assert doubt is not None
        assert f"state its unit by {option}" in doubt
        assert "--unit 1 (metres)" in doubt


def test_a_table_top_in_centimetres_is_told_by_its_spacing() -> None:
    points = box(100, 60, 40, spacing=1.0)
    doubt = doubt_of_metres(points, is_mesh=False)
    assert doubt is not None
    assert doubt.startswith("has points 1 m apart")
    assert "--unit 0.01 (centimetres)" in doubt
    assert doubt_of_metres(points, is_mesh=True) is None  # a house, as far as anyone can tell


def test_stray_points_are_told_from_another_unit() -> None:
    points = np.concatenate([ROOM, [[0, 0, 250_000.0]]])
    doubt = doubt_of_metres(points, is_mesh=False)
    assert doubt is not None
    assert "99 % of its points are within 6 m: remove the stray points" in doubt


def test_large_clouds_are_judged_as_their_parts() -> None:
    points = np.random.default_rng(0).uniform(0, 1, (400_000, 3)) * [60, 40, 0.01]
    assert doubt_of_metres(points, is_mesh=False) is None
    doubt = doubt_of_metres(points * 14, is_mesh=False)
    assert doubt is not None
    assert doubt.startswith("has points 1.")
