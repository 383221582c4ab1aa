"""Points of one view that another view has a point near, counted exactly.

The authors' code queries a KD-tree once per point and pair of views. Here one pass settles all
pairs. Most points are decided by grid cells: a point that shares a small cell with a view is near
it, and a point whose neighbouring cells hold no point of the view is not. Distances are computed
for the rest only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.compiled import overlap as overlap_kernels
from pointcontrast.compiled.overlap import load_overlap_kernels
from pointcontrast.geometry import sort_by_cell

_NUM_SHIFTS = 6  # grids searched for a certain match; each roughly halves the open points


def count_matched(
    clouds: Sequence[NDArray[np.float64]],
    radius: float,
    progress: Callable[[], Any] | None = None,
) -> NDArray[np.int64]:
    """Count the matched points of every two clouds.

    Distances are compared as Open3D's KD-tree does: squared, in float64. A point exactly at the
    radius is not matched.

    Args:
        clouds: V arrays (n, 3) in one frame, metres, n >= 1, all within 2**20 radii.
        radius: Largest distance of a match, metres.
        progress: Called once per cloud done; V times at the end with the compiled kernel.

    Returns:
        (V, V) int64; [i, j] counts the points of cloud i that have a point of cloud j nearer than
        ``radius``.
    """
    library = load_overlap_kernels()
    if library is None:
        return _count_by_trees(clouds, radius, progress)
    counts = overlap_kernels.count_matched(library, list(clouds), radius)
    if progress:
        for _ in clouds:
            progress()
    return counts


def _count_by_trees(
    clouds: Sequence[NDArray[np.float64]],
    radius: float,
    progress: Callable[[], Any] | None = None,
) -> NDArray[np.int64]:
    from scipy.spatial import KDTree  # half a second to import

    points = np.concatenate(clouds)
    owner = np.repeat(np.arange(len(clouds)), [len(cloud) for cloud in clouds])
    within_reach = _Neighborhood(points, radius)
    # Two points in one cell of this side are nearer than the radius.
    side = radius / np.sqrt(3.0) * (1 - 1e-9)
    shifts = np.array(list(product((0.0, 0.5), repeat=3)))[:_NUM_SHIFTS] * side
    same_cell = [_cell_ids(points, side, shift) for shift in shifts]
    matched = np.zeros((len(clouds), len(clouds)), dtype=np.int64)
    for index, cloud in enumerate(clouds):
        rows = np.flatnonzero(owner == index)
        open_rows = within_reach.of(rows)
        for cells in same_cell:
            occupied = np.zeros(cells.max() + 1, dtype=bool)
            occupied[cells[rows]] = True
            certain = occupied[cells[open_rows]]
            matched[:, index] += np.bincount(owner[open_rows[certain]], minlength=len(clouds))
            open_rows = open_rows[~certain]
        distance, _ = KDTree(cloud).query(points[open_rows], distance_upper_bound=radius)
        near = open_rows[np.isfinite(distance)]
        matched[:, index] += np.bincount(owner[near], minlength=len(clouds))
        if progress:
            progress()
    return matched


class _Neighborhood:
    """Finds the points in the neighbouring cells of given points."""

    def __init__(self, points: NDArray[np.float64], side: float) -> None:
        """Sort ``points`` (N, 3) into cells of ``side`` metres and link neighbouring cells."""
        cells = np.floor(points / side).astype(np.int64)
        cells -= cells.min(axis=0) - 1
        spans = cells.max(axis=0) + 2  # a margin of one cell all around
        strides = np.array([spans[1] * spans[2], spans[2], 1])
        keys, self._cell_of_point = np.unique(cells @ strides, return_inverse=True)
        offsets = np.array(list(product((-1, 0, 1), repeat=3))) @ strides
        wanted = keys[:, None] + offsets  # (K, 27)
        found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        # An absent neighbour becomes the cell itself, which is marked anyway.
        self._neighbors = np.where(keys[found] == wanted, found, np.arange(len(keys))[:, None])

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of all points in a cell of ``rows`` or in one of its 26 neighbours."""
        reached = np.zeros(len(self._neighbors), dtype=bool)
        reached[self._neighbors[np.unique(self._cell_of_point[rows])]] = True
        return np.flatnonzero(reached[self._cell_of_point])


def _cell_ids(
    points: NDArray[np.float64], side: float, shift: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Number the cell of each point, 0 .. K-1, in a grid moved by ``shift``."""
    order, starts = sort_by_cell(points, side, shift)
    ids = np.empty(len(points), dtype=np.int32)
    ids[order] = np.repeat(
        np.arange(len(starts), dtype=np.int32), np.diff(starts, append=len(order))
    )
    return ids
