"""Triangles of polygons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fan_triangles(corners: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.int64]:
    """Split polygons into triangles that share the first corner of their polygon.

    The triangles of a convex polygon cover it exactly; those of a concave one may overlap. Faces of
    fewer than three corners (points and lines) have none.

    Args:
        corners: (S,) rows of vertices, polygon after polygon.
        counts: (F,) number of corners of each polygon; their sum is S.

    Returns:
        (T, 3) rows of vertices, T = sum of ``max(counts - 2, 0)``, in the order of the polygons.
    """
    counts = np.asarray(counts, np.int64)
    starts = np.cumsum(counts) - counts
    per_face = np.maximum(counts - 2, 0)
    first = np.repeat(starts, per_face)
    place = np.arange(len(first)) - np.repeat(np.cumsum(per_face) - per_face, per_face)
    rows = np.stack([first, first + place + 1, first + place + 2], axis=1)
    return np.asarray(corners, np.int64)[rows].reshape(-1, 3)


def strip_triangles(strip: Sequence[int]) -> NDArray[np.int64]:
    """Split triangle strips, separated by -1, into triangles of one winding, (T, 3)."""
    triangles: list[tuple[int, int, int]] = []
    start = 0
    rows = list(strip)
    for end in [*(i for i, row in enumerate(rows) if row == -1), len(rows)]:
        part = rows[start:end]
        for i in range(len(part) - 2):
            a, b, c = part[i : i + 3]
            triangles.append((b, a, c) if i % 2 else (a, b, c))
        start = end + 1
    return np.array(triangles, np.int64).reshape(-1, 3)
