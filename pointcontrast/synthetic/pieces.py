"""What a room is made of: classes, pieces, and where they stand."""

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
"""The classes; the semantic id of a class is its position here."""

FURNITURE_NAMES: tuple[str, ...] = CLASS_NAMES[5:12]
"""The classes that stand on the floor and never intersect one another."""


@dataclass(frozen=True)
class Surface:
    """A level rectangle of a piece on which smaller things may stand.

    Attributes:
        low: (x, y) of one corner in the piece's frame, metres.
        high: (x, y) of the opposite corner.
        z: its height.
        clearance: free height above it; infinite on top of a table.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    z: float
    clearance: float = float("inf")


@dataclass(frozen=True)
class Piece:
    """One object: an instance with a class.

    Attributes:
        class_name: one of ``CLASS_NAMES``.
        parts: its solids.
        surfaces: where things may stand on it.
    """

    class_name: str
    parts: tuple[Part, ...]
    surfaces: tuple[Surface, ...] = ()

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(3,) lowest and (3,) highest coordinates in the piece's frame."""
        vertices = np.concatenate([part.vertices for part in self.parts])
        return vertices.min(axis=0), vertices.max(axis=0)

    @property
    def height(self) -> float:
        """Metres from the floor to its top."""
        return float(self.bounds()[1][2])


@dataclass(frozen=True)
class Placement:
    """A piece at its place in the room.

    Attributes:
        piece: the piece.
        position: (3,) float64 world metres of the origin of its frame.
        yaw: radians about world z, counter-clockwise; 0 faces world +x.
    """

    piece: Piece
    position: NDArray[np.float64]
    yaw: float
