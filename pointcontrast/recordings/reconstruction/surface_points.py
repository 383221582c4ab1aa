"""Even sampling of points on the surface of a mesh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointcontrast.types import PointCloud


def sample_surface(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    colors: NDArray[np.uint8] | None,
    density: float,
    max_points: int,
    rng: np.random.Generator,
) -> PointCloud:
    """Sample points uniformly on triangles.

    Each equal share of the area gets one random point (stratified along the list of faces), so
    that no large face stays empty by chance.

    Args:
        vertices: (V, 3) metres, finite.
        faces: (F, 3) rows of ``vertices``, F >= 1.
        colors: (V, 3) uint8 RGB, or None.
        density: Points per square metre.
        max_points: Largest number of points; the density is reduced to fit.
        rng: Source of randomness.

    Returns:
        Points, with colours interpolated between the three corners (None without), and the normals
        of the faces, with the sign of their winding. Empty if the faces have no area.
    """
    corners = vertices[faces]  # (F, 3 corners, 3)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double = np.linalg.norm(cross, axis=1)
    reached = np.cumsum(double / 2)
    total = float(reached[-1])
    count = int(np.clip(round(total * density), 1, max_points)) if total > 0 else 0
    places = (np.arange(count) + rng.random(count)) * (total / max(count, 1))
    rows = np.minimum(np.searchsorted(reached, places, side="right"), len(faces) - 1)
    # Uniform in the triangle: without the root, points would concentrate at the first corner.
    root, along = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - root, root * (1 - along), root * along], axis=1)[:, :, None]
    points = (corners[rows] * weights).sum(axis=1)
    mixed = None if colors is None else (colors[faces[rows]] * weights).sum(axis=1)
    return PointCloud(
        points=points.astype(np.float32),
        colors=None if mixed is None else np.rint(mixed).astype(np.uint8),
        normals=(cross[rows] / np.maximum(double[rows], 1e-30)[:, None]).astype(np.float32),
    )
