"""A scene in another unit shows by its size, and the units that fit are named."""

from __future__ import annotations

import numpy as np
import pytest

from downstream.releases.scene_size import check_scene_size, check_unit
from pointcontrast.errors import InputError

ROOM = np.array([[0.0, 0.0, 0.0], [5.0, 4.0, 2.5]], dtype=np.float32)


def check(coord: np.ndarray, unit: float | None = 1.0) -> None:
    check_scene_size(coord, "the room", smallest=0.2, largest=300.0, unit=unit)


def test_a_room_of_any_place_passes() -> None:
    check(ROOM)
    check(ROOM.astype(np.float64) + 5e6)
    check(ROOM[:1] + ROOM * 0.05)


@pytest.mark.parametrize(
    ("scale", "advice"),
    [
        (1000, r"5e\+03 m across, not 0.2 to 300 m; .*--unit 0.001 \(millimetres\)"),
        (100, r"500 m across, .*--unit 0.01 \(centimetres\)"),
        (0.001, "0.005 m across, .* check its coordinates"),
        (1e9, "check its coordinates"),
    ],
)
def test_another_unit_is_named(scale: float, advice: str) -> None:
    with pytest.raises(InputError, match=f"the room is .*{advice}"):
        check(ROOM * scale)


def test_metres_are_named_where_another_unit_was_read() -> None:
    with pytest.raises(InputError, match=r"0.05 m across.*--unit 1 \(metres\)"):
        check(ROOM * 0.01, unit=0.01)
    with pytest.raises(InputError, match="give its coordinates in metres"):
        check(ROOM * 1000, unit=None)


@pytest.mark.parametrize("unit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_unit_is_positive(unit: float) -> None:
    with pytest.raises(InputError, match="must be the metres per unit"):
        check_unit(unit)
