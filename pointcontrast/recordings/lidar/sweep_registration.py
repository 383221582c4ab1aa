"""Registration of two neighbouring sweeps without their poses (point-to-plane ICP)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import rotation_about
from pointcontrast.recordings.lidar.sweep_surfaces import Surfaces

_REACHES = (3.0, 2.0, 1.5, 1.0, 0.7, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3)
"""Largest distance of two points that are paired, metres, by iteration."""


def register(first: Surfaces, second: Surfaces, start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move a sweep onto another.

    Each iteration pairs the points of ``second`` with the nearest of ``first`` and solves for the
    small motion that brings them to the planes there (Chen and Medioni, 1992).

    Args:
        first: Planes of the sweep that stays.
        second: Planes of the sweep that moves.
        start: (4, 4) float64, first from second, where to start.

    Returns:
        (4, 4) float64, first from second; ``start`` itself where nothing is near.
    """
    motion = start.copy()
    for reach in _REACHES:
        points = second.points @ motion[:3, :3].T + motion[:3, 3]
        turned = second.normals @ motion[:3, :3].T
        distance, rows = first.nearest(points)
        normals = first.normals[rows]
        paired = (distance < reach) & (np.abs((turned * normals).sum(axis=1)) > 0.7)
        if np.count_nonzero(paired) < 30:
            return motion
        points, normals = points[paired], normals[paired]
        off = ((points - first.points[rows[paired]]) * normals).sum(axis=1)
        weight = 1 / (1 + (off / (0.3 * reach)) ** 2)
        jacobian = np.concatenate([np.cross(points, normals), normals], axis=1)
        normal_matrix = (jacobian * weight[:, None]).T @ jacobian + 1e-6 * len(off) * np.eye(6)
        step = np.linalg.solve(normal_matrix, -(jacobian * weight[:, None]).T @ off)
        angle = float(np.linalg.norm(step[:3]))
        change = np.eye(4)
        if angle > 0:
            change[:3, :3] = rotation_about(step[:3], angle)
        change[:3, 3] = step[3:]
        motion = change @ motion
    return motion
