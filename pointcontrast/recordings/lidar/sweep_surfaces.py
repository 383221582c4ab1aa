"""Surfaces of sweeps, and the points of one sweep that lie on a surface of another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_READ = 40_000  # points of a sweep that are looked at
_MOST_POINTS = 5000  # of those, spread evenly over space
_NEIGHBOURS = 10
_COSINE = 0.8  # of the angle between two normals of one surface


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Small planes of a sweep, in the frame of the sensor.

    Attributes:
        points: (P, 3) float64 metres.
        normals: (P, 3) float64 unit vectors, of either sign.
        extent: (P,) float64, how far each plane is known, metres.
        tolerance: Distance from a plane at which a point lies on it, metres.
    """

    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    extent: NDArray[np.float64]
    tolerance: float

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import KDTree  # half a second to import

        return KDTree(self.points, balanced_tree=False)

    def sample(self, count: int) -> Surfaces:
        """Return at most ``count`` of the planes, evenly chosen."""
        rows = np.unique(np.linspace(0, len(self.points) - 1, count).astype(int))
        return Surfaces(self.points[rows], self.normals[rows], self.extent[rows], self.tolerance)

    def nearest(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the distances (N,) of points to the nearest plane's point, and its rows (N,)."""
        return self._tree.query(points)

    def hold(self, other: Surfaces, self_from_other: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which planes of another sweep lie on one of this.

        Args:
            other: N planes.
            self_from_other: (4, 4) float64 rigid transform between the sensors.

        Returns:
            (N,) bool.
        """
        rotation = self_from_other[:3, :3]
        points = other.points @ rotation.T + self_from_other[:3, 3]
        distance, rows = self.nearest(points)
        normals = self.normals[rows]
        off = np.abs(((points - self.points[rows]) * normals).sum(axis=1))
        cosine = np.abs(((other.normals @ rotation.T) * normals).sum(axis=1))
        near = distance < np.minimum(self.extent[rows], other.extent + self.tolerance)
        return near & (off < self.tolerance) & (cosine > _COSINE)


def surfaces_of(points: NDArray[np.floating[Any]]) -> Surfaces | None:
    """Find the small planes of a sweep.

    Args:
        points: (N, 3) metres, in the frame of the sensor.

    Returns:
        The planes; None where the sweep has too few points to have any.
    """
    from scipy.spatial import KDTree

    points = np.asarray(points[:: max(1, len(points) // _MOST_READ)], dtype=np.float64)
    ranges = np.linalg.norm(points, axis=1)
    points = points[(ranges > 0.3) & (ranges < 80)]  # without the vehicle itself
    if len(points) < 200:
        return None
    scale = float(np.median(np.linalg.norm(points, axis=1)))
    thinned = _thin(points, scale)
    distances, rows = KDTree(thinned, balanced_tree=False).query(thinned, k=_NEIGHBOURS)
    near = thinned[rows]
    centred = near - near.mean(axis=1, keepdims=True)
    spread, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", centred, centred) / _NEIGHBOURS)
    extent = distances[:, -1]
    thin, narrow, wide = np.sqrt(np.maximum(spread, 0)).T
    tolerance = float(np.clip(0.012 * scale, 0.03, 0.15))
    # A line of points, as of one beam, has a narrow second axis and no plane.
    is_plane = (narrow > 0.25 * wide) & (thin < tolerance) & (thin < 0.25 * narrow)
    is_plane &= extent < 0.2 * np.linalg.norm(thinned, axis=1)
    if is_plane.sum() < 30:
        return None
    return Surfaces(thinned[is_plane], axes[is_plane, :, 0], extent[is_plane], tolerance)


def _thin(points: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Keep one point per cell, with cells as large as leave at most ``_MOST_POINTS``.

    Points of one beam are far denser than the beams: without this, neighbours lie on lines.
    """
    cell = 0.015 * scale
    while True:
        cells = np.floor(points / cell).astype(np.int64) & 0x1FFFFF
        keys = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
        kept = np.unique(keys, return_index=True)[1]
        if len(kept) <= _MOST_POINTS:
            return points[kept]
        cell *= 1.3
