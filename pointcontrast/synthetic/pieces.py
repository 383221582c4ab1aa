"""The objects of a room: classes, pieces, and their places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointcontrast.synthetic.solids import Part

CLASS_NAMES: tuple[str, ...] = (
    "wall",  # 0, with its skirting board and the reveals of its openings
    "floor",  # 1, with its rug
    "ceiling",  # 2
    "door",  # 3
    "window",  # 4, with its curtains
    "table",  # 5, dining and coffee tables
    "chair",  # 6
    "sofa",  # 7, with its pillows; an armchair is a sofa of one seat
    "bed",  # 8, with its bedding
    "cabinet",  # 9, wardrobes, sideboards, bedside cabinets
    "bookcase",  # 10, without what stands on it
    "desk",  # 11
    "lamp",  # 12
    "picture",  # 13
    "plant",  # 14
    "monitor",  # 15
    "books",  # 16, a row or a pile is one instance
    "box",  # 17
    "bin",  # 18
    "object",  # 19, vases, balls, mugs, bowls
)
"""Class names; the semantic id of a class is its index."""

FURNITURE_NAMES: tuple[str, ...] = CLASS_NAMES[5:12]
"""Classes that stand on the floor and never intersect each other."""


@dataclass(frozen=True)
class Surface:
    """A horizontal rectangle of a piece on which smaller objects may stand.

    Attributes:
        low: (x, y) of one corner in the frame of the piece, metres.
        high: (x, y) of the opposite corner, metres.
        z: Height of the rectangle, metres.
        clearance: Free height above it, metres; infinite on top of a table.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    z: float
    clearance: float = float("inf")


@dataclass(frozen=True)
class Piece:
    """One object: an instance with a class.

    Attributes:
        class_name: Name of its class, one of ``CLASS_NAMES``.
        parts: Solids of the piece.
        surfaces: Surfaces on which objects may stand.
    """

    class_name: str
    parts: tuple[Part, ...]
    surfaces: tuple[Surface, ...] = ()

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the (3,) lowest and (3,) highest coordinates in the frame of the piece."""
        vertices = np.concatenate([part.vertices for part in self.parts])
        return vertices.min(axis=0), vertices.max(axis=0)

    @property
    def height(self) -> float:
        """Height of the top above the floor, metres."""
        return float(self.bounds()[1][2])


@dataclass(frozen=True)
class Placement:
    """A piece at its place in the room.

    Attributes:
        piece: The piece.
        position: (3,) float64 origin of its frame, world metres.
        yaw: Heading about world z, radians, counter-clockwise; 0 faces world +x.
    """

    piece: Piece
    position: NDArray[np.float64]
    yaw: float
