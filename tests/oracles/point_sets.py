"""Sampling, balls and nearest neighbours as loops over points, from their definitions.

float32 numbers throughout, every operation rounded: what the CUDA kernels of PointNet++
(facebookresearch/votenet ``pointnet2/_ext_src/src``) are told to compute, one pair at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]


def squared_distance(p: Points, q: Points) -> np.float32:
    dx, dy, dz = p - q
    return dx * dx + dy * dy + dz * dz


def farthest_points(points: Points, offsets: Sequence[int], num: int) -> list[list[int]]:
    chosen_of = []
    for cloud in range(len(offsets) - 1):
        rows = range(offsets[cloud], offsets[cloud + 1])
        nearest = {row: np.float32(np.inf) for row in rows}
        chosen = [rows[0]]
        while len(chosen) < min(num, len(rows)):
            best = None
            for row in rows:
                gap = squared_distance(points[row], points[chosen[-1]])
                nearest[row] = min(nearest[row], gap)
                if row not in chosen and (best is None or nearest[row] > nearest[best]):
                    best = row
            assert best is not None
            chosen.append(best)
        while len(chosen) < num:
            chosen.append(chosen[len(chosen) - len(rows)])
        chosen_of.append(chosen)
    return chosen_of


def ball_query(points: Points, centers: Points, radius: float, num: int) -> list[list[int]]:
    """Of one cloud (N, 3) and its centres (M, 3)."""
    limit = np.float32(radius) * np.float32(radius)
    rows_of = []
    for center in centers:
        found: list[int] = []
        for row, point in enumerate(points):
            if squared_distance(point, center) < limit and len(found) < num:
                found.append(row)
        while len(found) < num:
            found.append(found[0] if found else 0)
        rows_of.append(found)
    return rows_of


def three_nearest(points: Points, known: Points) -> tuple[list[list[np.float32]], list[list[int]]]:
    """Of one cloud (N, 3) and its known points (M, 3)."""
    squares_of, rows_of = [], []
    for point in points:
        order = sorted((squared_distance(point, other), row) for row, other in enumerate(known))
        nearest = [*order[:3], order[0], order[0]][:3]
        squares_of.append([square for square, _ in nearest])
        rows_of.append([row for _, row in nearest])
    return squares_of, rows_of
