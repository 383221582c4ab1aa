"""Solids that parametric shapes are built of.

The frame is that of ``pointcontrast.synthetic.solids``: x forward, y left, z up.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.synthetic.solids import Part, block, extruded, joined, rod, rotation_about
from pointcontrast.synthetic.textures import Material

PLAIN = Material("plain", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Material of all solids: shapes have no colour."""

PartSolid = tuple[int, Part]
"""Number of a part within its category, and a solid of that part."""


def box(center: ArrayLike, size: ArrayLike) -> Part:
    """Create a box with centre (3,) and size (3,)."""
    return block(center, size, PLAIN)


def bar(start: ArrayLike, end: ArrayLike, radius: float, end_radius: float | None = None) -> Part:
    """Create a round bar, conical with ``end_radius``."""
    return rod(start, end, radius, PLAIN, end_radius)


def tube(points: NDArray[np.float64], radius: float) -> Part:
    """Join consecutive ``points`` (P, 3) by round bars."""
    return joined([bar(start, end, radius) for start, end in pairwise(points)])


def arc(
    center: ArrayLike, radius: float, first: float, last: float, axes: tuple[int, int]
) -> NDArray[np.float64]:
    """Return 13 points (13, 3) of an arc between two angles, measured from the first axis."""
    angles = np.linspace(first, last, 13)
    points = np.tile(np.asarray(center, dtype=np.float64), (len(angles), 1))
    points[:, axes[0]] += radius * np.cos(angles)
    points[:, axes[1]] += radius * np.sin(angles)
    return points


def plate(outline: ArrayLike, bottom: float, top: float) -> Part:
    """Create a plate between two heights.

    Args:
        outline: Corners (P, 2), counter-clockwise seen from above; star-shaped about their mean.
        bottom: Height of the lower face.
        top: Height of the upper face.
    """
    line = np.asarray(outline, dtype=np.float64)
    number = np.arange(len(line))
    fan = np.stack([np.full(len(line), len(line)), number, np.roll(number, -1)], axis=1)
    faces = []
    for height, normal, triangles in ((top, 1.0, fan), (bottom, -1.0, fan[:, ::-1])):
        flat = np.concatenate([line, line.mean(axis=0, keepdims=True)])
        vertices = np.concatenate([flat, np.full((len(flat), 1), height)], axis=1)
        normals = np.tile([0.0, 0.0, normal], (len(flat), 1))
        faces.append(Part(vertices, normals, triangles, PLAIN))
    return joined([extruded(line, bottom, top, PLAIN), *faces])


def upright(part: Part, offset: ArrayLike = (0, 0, 0)) -> Part:
    """Stand a plate up, with its x forward and its y up, and shift it."""
    return part.moved(offset, rotation_about(0, np.pi / 2))


def lying(part: Part, offset: ArrayLike = (0, 0, 0)) -> Part:
    """Rotate a solid so that its z points forward, and shift it."""
    return part.moved(offset, rotation_about(1, np.pi / 2))


def wheel(center: ArrayLike, radius: float, width: float) -> Part:
    """Create a wheel that rolls forward."""
    middle = np.asarray(center, dtype=np.float64)
    half = np.array([0.0, width / 2, 0.0])
    return bar(middle - half, middle + half, radius)


def corners(depth: float, width: float) -> list[tuple[float, float]]:
    """Return the four corners (x, y) of a rectangle centred at the origin."""
    return [(x * depth / 2, y * width / 2) for x in (-1, 1) for y in (-1, 1)]
