"""The ground plan of a room: its interior, collisions, and the space to walk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

CELL = 0.08  # metres, the grid on which free space is measured


@dataclass(frozen=True)
class Wall:
    """One straight wall.

    Attributes:
        start: (2,) metres, left end of the wall seen from inside.
        heading: Direction into the room, radians.
        length: Length, metres.
    """

    start: NDArray[np.float64]
    heading: float
    length: float

    def point(self, distance: float, out: float = 0.0) -> NDArray[np.float64]:
        """Return the (2,) point at ``distance`` from the start, ``out`` metres into the room."""
        c, s = np.cos(self.heading), np.sin(self.heading)
        return self.start + distance * np.array([-s, c]) + out * np.array([c, s])


@dataclass(frozen=True)
class FloorPlan:
    """A rectangular room or, with one corner cut out, an L-shaped one.

    Attributes:
        size: (x, y) metres, the corner of the rectangle opposite to the origin.
        notch: (x, y) metres cut out of the corner at ``size``; zeros for a rectangle.
        height: Height of the ceiling, metres.
    """

    size: tuple[float, float]
    notch: tuple[float, float]
    height: float

    @property
    def outline(self) -> NDArray[np.float64]:
        """(E, 2) corners, counter-clockwise seen from above."""
        (x, y), (a, b) = self.size, self.notch
        if a == 0 or b == 0:
            return np.array([[0, 0], [x, 0], [x, y], [0, y]], dtype=np.float64)
        return np.array([[0, 0], [x, 0], [x, y - b], [x - a, y - b], [x - a, y], [0, y]])

    @property
    def rectangles(self) -> list[tuple[float, float, float, float]]:
        """Disjoint (x0, y0, x1, y1) that make up the floor."""
        (x, y), (a, b) = self.size, self.notch
        if a == 0 or b == 0:
            return [(0.0, 0.0, x, y)]
        return [(0.0, 0.0, x, y - b), (0.0, y - b, x - a, y)]

    @property
    def walls(self) -> list[Wall]:
        """Walls, one per side of the outline."""
        corners = self.outline
        walls = []
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            along = end - start
            # The inside is to the left; a wall is measured along +y of its frame, from its end.
            heading = float(np.arctan2(along[0], -along[1]))
            walls.append(Wall(end, heading, float(np.linalg.norm(along))))
        return walls

    def contains(self, points: NDArray[np.float64], margin: float = 0.0) -> NDArray[np.bool_]:
        """Return the mask of points (N, 2) inside and at least ``margin`` from every wall."""
        x, y = points[:, 0], points[:, 1]
        inside = (x >= margin) & (x <= self.size[0] - margin)
        inside &= (y >= margin) & (y <= self.size[1] - margin)
        if min(self.notch) > 0:
            away = np.hypot(
                np.maximum(self.size[0] - self.notch[0] - x, 0),
                np.maximum(self.size[1] - self.notch[1] - y, 0),
            )
            inside &= away > max(margin, 1e-9)
        return inside


def footprint(
    low: ArrayLike, high: ArrayLike, position: ArrayLike, yaw: float
) -> NDArray[np.float64]:
    """Return the (4, 2) corners of the rectangle low..high, rotated by ``yaw``, then shifted."""
    (x0, y0), (x1, y1) = np.asarray(low)[:2], np.asarray(high)[:2]
    c, s = np.cos(yaw), np.sin(yaw)
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return corners @ np.array([[c, s], [-s, c]]) + np.asarray(position)[:2]


def overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Return whether two rectangles (4, 2) overlap: no side of either separates them."""
    for corners in (first, second):
        sides = corners[[1, 2]] - corners[[0, 1]]
        for axis in sides / np.linalg.norm(sides, axis=1, keepdims=True):
            a, b = first @ axis, second @ axis
            if a.max() <= b.min() or b.max() <= a.min():
                return False
    return True


def walkable(
    plan: FloorPlan, footprints: list[NDArray[np.float64]], clearance: float
) -> NDArray[np.bool_]:
    """Find the largest connected set of cells whose centres keep a distance from everything.

    Args:
        plan: Ground plan of the room.
        footprints: Rectangles (4, 2) of the pieces in it.
        clearance: Smallest distance, metres.

    Returns:
        (X, Y) bool; cell (i, j) has its centre at ((i + 0.5) CELL, (j + 0.5) CELL).
    """
    shape = (int(np.ceil(plan.size[0] / CELL)), int(np.ceil(plan.size[1] / CELL)))
    centers = cell_centers(shape)
    empty = plan.contains(centers)
    for corners in footprints:
        origin, x, y = corners[0], corners[1] - corners[0], corners[3] - corners[0]
        along = (centers - origin) @ np.stack([x / (x @ x), y / (y @ y)], axis=1)
        empty &= ~((along >= 0) & (along <= 1)).all(axis=1)
    padded = np.pad(empty.reshape(shape), 1)
    away = np.asarray(ndimage.distance_transform_edt(padded))[1:-1, 1:-1] * CELL
    labels = np.asarray(ndimage.label(away >= clearance + CELL / 2)[0])  # pyright: ignore
    if not labels.any():
        return np.zeros(shape, dtype=bool)
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])


def cell_centers(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the (X * Y, 2) centres of the cells of a grid of that shape, row by row."""
    i, j = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    corners = np.stack([i, j], axis=-1).reshape(-1, 2).astype(np.float64)
    return (corners + 0.5) * CELL
