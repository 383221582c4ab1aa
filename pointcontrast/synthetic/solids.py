"""Closed solids in the frame of a piece, with smooth normals on round surfaces.

The frame of every piece: x to its front, y to its left, z up, metres; the origin is on the floor
below the centre of the piece. Solids are closed and their normals point outwards, which
distinguishes a visible surface from one that is hidden inside another solid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.synthetic.textures import Material

_CREASE_COSINE = 0.8  # profile corners sharper than ~37 degrees keep an edge


@dataclass(frozen=True)
class Part:
    """One solid of one material.

    Attributes:
        vertices: (V, 3) float64 metres in the frame of the piece; doubled along sharp edges.
        normals: (V, 3) float64 outward unit vectors.
        triangles: (T, 3) int64 rows of ``vertices``, counter-clockwise seen from outside.
        material: Texture.
    """

    vertices: NDArray[np.float64]
    normals: NDArray[np.float64]
    triangles: NDArray[np.int64]
    material: Material

    def moved(self, offset: ArrayLike, rotation: NDArray[np.float64] | None = None) -> Part:
        """Rotate the part about the origin by ``rotation`` (3, 3), then shift it by ``offset``."""
        turn = np.eye(3) if rotation is None else rotation
        return replace(
            self,
            vertices=self.vertices @ turn.T + np.asarray(offset, dtype=np.float64),
            normals=self.normals @ turn.T,
        )


def rotation_about(axis: int, angle: float) -> NDArray[np.float64]:
    """Return the (3, 3) right-handed rotation by ``angle`` radians about axis 0, 1 or 2."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
    return turn


def rectangle(corner: ArrayLike, first: ArrayLike, second: ArrayLike, material: Material) -> Part:
    """Make a flat one-sided rectangle; its normal is the direction of the edges' cross product.

    Args:
        corner: (3,) one corner, metres.
        first: (3,) one edge from that corner, metres.
        second: (3,) the other edge from that corner, metres.
        material: Texture.
    """
    a, u, v = (np.asarray(value, dtype=np.float64) for value in (corner, first, second))
    normal = np.cross(u, v)
    return Part(
        vertices=np.stack([a, a + u, a + u + v, a + v]),
        normals=np.tile(normal / np.linalg.norm(normal), (4, 1)),
        triangles=np.array([[0, 1, 2], [0, 2, 3]]),
        material=material,
    )


def block(center: ArrayLike, size: ArrayLike, material: Material) -> Part:
    """Make a box with sharp edges, centred at ``center`` (3,), of ``size`` (3,)."""
    half = np.asarray(size, dtype=np.float64) / 2
    faces = []
    for axis in range(3):
        u, v = np.eye(3)[(axis + 1) % 3] * half, np.eye(3)[(axis + 2) % 3] * half
        out = np.eye(3)[axis] * half
        faces.append(rectangle(out - u - v, 2 * u, 2 * v, material))
        faces.append(rectangle(-out - u - v, 2 * v, 2 * u, material))
    return joined(faces).moved(center)


def joined(parts: Sequence[Part]) -> Part:
    """Join several parts to one, of the material of the first."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    return Part(
        vertices=np.concatenate([part.vertices for part in parts]),
        normals=np.concatenate([part.normals for part in parts]),
        triangles=np.concatenate(
            [part.triangles + start for part, start in zip(parts, starts, strict=True)]
        ),
        material=parts[0].material,
    )


def turned(profile: ArrayLike, center: ArrayLike, material: Material, num_sides: int = 20) -> Part:
    """Make a solid of revolution about a vertical axis: vases, bins, lamp shades, plates.

    Args:
        profile: (P, 2) radius and height, with the solid to the left of the line (bottom first,
            outside next, top last). It begins and ends at radius 0, or is closed.
        center: (3,) place of the origin of the profile, metres.
        material: Texture.
        num_sides: Straight sides that approximate the circle.
    """
    starts, ends, start_normals, end_normals = _smoothed(np.asarray(profile, dtype=np.float64))
    angles = np.arange(num_sides) * (2 * np.pi / num_sides)
    spokes = np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def ring(values: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = values[:, None, :1] * spokes[None]  # (S, sides, 2)
        tall = np.broadcast_to(values[:, None, 1:], (*flat.shape[:2], 1))
        return np.concatenate([flat, tall], axis=2)

    vertices = np.stack([ring(starts), ring(ends)], axis=1)  # (S, 2, sides, 3)
    normals = np.stack([ring(start_normals), ring(end_normals)], axis=1)
    triangles = _strips(len(starts), num_sides)
    return Part(
        vertices=vertices.reshape(-1, 3) + np.asarray(center, dtype=np.float64),
        normals=normals.reshape(-1, 3),
        triangles=_with_area(vertices.reshape(-1, 3), triangles),
        material=material,
    )


def extruded(profile: ArrayLike, bottom: float, top: float, material: Material) -> Part:
    """Make a wall of constant height over a closed line on the floor: curtains, curved panels.

    Args:
        profile: (P, 2) x and y, counter-clockwise seen from above, the last point not repeated.
            Top and bottom stay open and must not be visible.
        bottom: Lower height, metres.
        top: Upper height, metres.
        material: Texture.
    """
    line = np.asarray(profile, dtype=np.float64)
    starts, ends, start_normals, end_normals = _smoothed(np.concatenate([line, line[:1]]))

    def lifted(values: NDArray[np.float64], z: float) -> NDArray[np.float64]:
        return np.concatenate([values, np.full((len(values), 1), z)], axis=1)

    sides = [
        (lifted(starts, bottom), lifted(start_normals, 0.0)),
        (lifted(ends, bottom), lifted(end_normals, 0.0)),
        (lifted(starts, top), lifted(start_normals, 0.0)),
        (lifted(ends, top), lifted(end_normals, 0.0)),
    ]
    first = np.arange(len(starts))[:, None] * 4
    return Part(
        vertices=np.stack([vertices for vertices, _ in sides], axis=1).reshape(-1, 3),
        normals=np.stack([normals for _, normals in sides], axis=1).reshape(-1, 3),
        triangles=(first + np.array([0, 1, 3, 0, 3, 2])).reshape(-1, 3),
        material=material,
    )


def rod(
    start: ArrayLike,
    end: ArrayLike,
    radius: float,
    material: Material,
    end_radius: float | None = None,
) -> Part:
    """Make a round bar from ``start`` (3,) to ``end`` (3,), tapered to ``end_radius`` if given."""
    origin = np.asarray(start, dtype=np.float64)
    along = np.asarray(end, dtype=np.float64) - origin
    length = float(np.linalg.norm(along))
    z = along / length
    x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.9 else [1.0, 0.0, 0.0], z)
    x /= np.linalg.norm(x)
    last = radius if end_radius is None else end_radius
    upright = turned(
        [[0, 0], [radius, 0], [last, length], [0, length]], (0, 0, 0), material, num_sides=12
    )
    return upright.moved(origin, np.stack([x, np.cross(z, x), z], axis=1))


def cushion(
    center: ArrayLike, size: ArrayLike, material: Material, roundness: float = 0.45
) -> Part:
    """Make a superellipsoid: a box with soft edges at ``roundness`` 0.2, an ellipsoid at 1."""
    latitude, longitude = np.meshgrid(
        np.linspace(-np.pi / 2, np.pi / 2, 13), np.linspace(-np.pi, np.pi, 25), indexing="ij"
    )

    def power(value: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
        # The sine of pi is not exactly 0, and a small power of it would leave a slit.
        return np.sign(value) * np.where(np.abs(value) < 1e-9, 0, np.abs(value)) ** exponent

    def surface(exponent: float) -> NDArray[np.float64]:
        c = power(np.clip(np.cos(latitude), 0, 1), exponent)
        return np.stack(
            [
                c * power(np.cos(longitude), exponent),
                c * power(np.sin(longitude), exponent),
                power(np.sin(latitude), exponent),
            ],
            axis=2,
        ).reshape(-1, 3)

    half = np.asarray(size, dtype=np.float64) / 2
    vertices = surface(roundness) * half
    normals = surface(2 - roundness) / half  # the gradient of the implicit surface
    rows, columns = latitude.shape
    lower = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1, 1)
    triangles = (lower + np.array([0, 1, columns + 1, 0, columns + 1, columns])).reshape(-1, 3)
    return Part(
        vertices=vertices + np.asarray(center, dtype=np.float64),
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        triangles=_with_area(vertices, triangles),
        material=material,
    )


def _smoothed(line: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return starts and ends of a line's segments and their normals, blended at blunt corners."""
    starts, ends = line[:-1], line[1:]
    steps = ends - starts
    keep = np.linalg.norm(steps, axis=1) > 1e-9
    starts, ends, steps = starts[keep], ends[keep], steps[keep]
    normals = np.stack([steps[:, 1], -steps[:, 0]], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)

    def blended(neighbours: NDArray[np.float64], meets: NDArray[np.bool_]) -> NDArray[np.float64]:
        blunt = meets & ((normals * neighbours).sum(axis=1) > _CREASE_COSINE)
        total = normals + np.where(blunt[:, None], neighbours, 0)
        return total / np.linalg.norm(total, axis=1, keepdims=True)

    before, after = np.roll(normals, 1, axis=0), np.roll(normals, -1, axis=0)
    meets_before = np.abs(starts - np.roll(ends, 1, axis=0)).max(axis=1) < 1e-9
    meets_after = np.roll(meets_before, -1)
    return starts, ends, blended(before, meets_before), blended(after, meets_after)


def _strips(num_strips: int, num_sides: int) -> NDArray[np.int64]:
    """Return the triangles of bands of vertices in the order (strip, lower/upper, side)."""
    side = np.arange(num_sides)
    following = (side + 1) % num_sides
    lower = np.stack([side, following, following + num_sides], axis=1)
    upper = np.stack([side, following + num_sides, side + num_sides], axis=1)
    band = np.concatenate([lower, upper])
    first = np.arange(num_strips)[:, None, None] * (2 * num_sides)
    return (first + band).reshape(-1, 3)


def _with_area(vertices: NDArray[np.float64], triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Drop triangles without area, which appear where a grid meets the axis."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return triangles[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-12]
