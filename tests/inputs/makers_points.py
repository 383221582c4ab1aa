"""A small room as points and as a mesh, and the check that a prepared scene shows it.

The room is 3 x 2.4 x 2.2 m without a ceiling, z up, its middle at the origin's x and y; the colour
of every point says where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.scenes.view_store import ViewStore
from tests.helpers.box_world import box_points
from tests.inputs.row import PREPARE

LOW, HIGH = np.array([-1.5, -1.2, 0.0]), np.array([1.5, 1.2, 2.2])
PREPARE_ROOM: tuple[object, ...] = (
    PREPARE, "scan", "--output", "prepared", "--overlap-voxel-size", "0.2",
    "--storage-grid", "0", "--frame-skip", "2",
)  # fmt: skip


def room_points() -> NDArray[np.float64]:
    """2,400 points of the floor and the walls, metres, whole millimetres."""
    points = box_points(np.array([LOW, HIGH]), 0.1).astype(np.float64)
    return np.round(points[points[:, 2] < HIGH[2]], 3)


def room_colors(points: NDArray[Any] | None = None) -> NDArray[np.uint8]:
    """Colours of points by their places."""
    points = room_points() if points is None else points
    share = np.clip((points - LOW) / (HIGH - LOW), 0, 1)
    return np.rint(share * 255).astype(np.uint8)


def room_quads() -> tuple[NDArray[np.float64], list[list[int]]]:
    """Vertices (8, 3) and the five faces of four corners, which look inwards."""
    x, y, z = ([float(low), float(high)] for low, high in zip(LOW, HIGH, strict=True))
    vertices = np.array([[a, b, c] for c in z for b in y for a in x])
    return vertices, [[0, 1, 3, 2], [0, 2, 6, 4], [1, 5, 7, 3], [0, 4, 5, 1], [2, 3, 7, 6]]


def scan(folder: Path, name: str) -> Path:
    """The path of the scan that :data:`PREPARE_ROOM` takes; its folder is made."""
    (folder / "scan").mkdir(exist_ok=True)
    return folder / "scan" / name


def stored_room(folder: Path, scene: str = "scan/room") -> tuple[NDArray, NDArray | None]:
    """All points of a prepared scene in its world, and their colours."""
    store = ViewStore(folder / "prepared" / scene)
    views = store[:]
    origin = np.asarray(getattr(store.meta, "origin", None), dtype=np.float64)
    origin = origin if origin.shape == (3,) else np.zeros(3)
    points = np.concatenate([view.points for view in views]).astype(np.float64) + origin
    colors = [view.colors for view in views if view.colors is not None]
    return points, np.concatenate(colors) if len(colors) == len(views) else None


def is_the_room(
    *,
    colored: bool = True,
    within: int = 2,
    place: Sequence[float] = (0, 0, 0),
    says: Sequence[str] = (),
    up: Sequence[int] = (0, 1, 2),
) -> Callable[[Path, str], None]:
    """Check that the points of a prepared scene are those of the room, in their colours.

    Args:
        colored: Whether the scene has colours.
        within: Largest difference of a colour.
        place: Where the room stands.
        says: Words that the output must hold.
        up: Axes of the file that are x, y and z of the room.
    """

    def check(folder: Path, said: str) -> None:
        for words in says:
            assert words in said, said
        points, colors = stored_room(folder)
        points = (points - place)[:, list(up)]
        assert len(points) > 1000
        assert (points > LOW - 2e-3).all(), points.min(axis=0)
        assert (points < HIGH + 2e-3).all(), points.max(axis=0)
        away = np.abs(np.concatenate([points - LOW, (points - HIGH)[:, :2]], axis=1)).min(axis=1)
        assert away.max() < 3e-3, away.max()
        assert (np.ptp(points, axis=0) > 0.8 * (HIGH - LOW)).all()
        assert (colors is not None) == colored
        if colors is not None:
            assert np.abs(colors.astype(int) - room_colors(points)).max() <= within

    return check
