"""A room with a wall across it and a box, as points and as a mesh; what hides what is exact."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

ROOM = np.array([[0.0, 0.0, 0.0], [6.0, 4.0, 2.6]])
# a partition that leaves a passage, and a table
SOLIDS = np.array([[[3.0, 0.0, 0.0], [3.1, 2.5, 2.6]], [[1.0, 0.2, 0.0], [1.8, 0.8, 0.75]]])
UP = np.array([0.0, 0.0, 1.0])


def box_points(box: NDArray, spacing: float) -> NDArray[np.float32]:
    """A square grid of points on each face of a box (low, high)."""
    low, high = box
    faces = []
    for axis, side in product(range(3), (0, 1)):
        others = [a for a in range(3) if a != axis]
        steps = [np.arange(low[a] + spacing / 2, high[a], spacing) for a in others]
        grid = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 2)
        face = np.full((len(grid), 3), box[side, axis])
        face[:, others] = grid
        faces.append(face)
    return np.concatenate(faces).astype(np.float32)


def world_points(spacing: float = 0.02) -> NDArray[np.float32]:
    """The room's walls, floor and ceiling, and the solids' outsides."""
    return np.concatenate([box_points(box, spacing) for box in (ROOM, *SOLIDS)])


def colors_of(points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A colour that says where the point is."""
    return np.rint(points / ROOM[1] * 255).astype(np.uint8)


def hidden(points: NDArray, eye: NDArray, margin: float = 0.0) -> NDArray[np.bool_]:
    """Which points the solids hide from ``eye``: the way there goes through one, point by point.

    ``margin`` metres: solids are so much thinner, and the ways end so much before the points.
    """
    return np.array([_is_hidden(point.astype(np.float64), eye, margin) for point in points])


def _is_hidden(point: NDArray, eye: NDArray, margin: float) -> bool:
    way = point - eye
    length = float(np.linalg.norm(way))
    for low, high in SOLIDS:
        low, high = low + margin, high - margin
        with np.errstate(divide="ignore"):
            ends = np.sort(np.stack([(low - eye) / way, (high - eye) / way]), axis=0)
        enter, leave = ends[0].max(), ends[1].min()
        # touching the surface on which the point lies is not being hidden by it
        if enter < leave and enter < 1 - max(margin, 1e-6) / length and leave > 0:
            return True
    return False


def world_mesh() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices and triangles of the same world."""
    vertices, faces = [], []
    for low, high in (ROOM, *SOLIDS):
        start = 8 * len(vertices)
        vertices.append([[(low, high)[i][a] for a, i in enumerate(c)]
                         for c in product((0, 1), repeat=3)])  # fmt: skip
        for quad in ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1),
                     (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)):  # fmt: skip
            a, b, c, d = (start + corner for corner in quad)
            faces += [[a, b, c], [a, c, d]]
    return np.concatenate(vertices).astype(np.float64), np.array(faces)
