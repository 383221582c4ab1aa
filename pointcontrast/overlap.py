"""How much of a scene every two of its views share.

Follows the authors' ``compute_full_overlapping.py``: both clouds are down-sampled to the means of
5 cm voxels, a point is matched if the other cloud has a point within 7.5 cm (1.5 voxels), and the
overlap is the matched fraction of the one or of the other cloud, whichever is larger.

Theirs asks a KD-tree once per point and pair of views, in Python. Here one pass per view settles
all other views' points at once: most by the grid cells that they share with the view (matched for
certain) or do not even neighbour (not matched for certain), the rest by one KD-tree query. The
result is theirs exactly, not an approximation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from pointcontrast.geometry import sort_by_cell
from pointcontrast.types import PointCloud

VOXEL_SIZE = 0.05
RADIUS = 0.075
_NUM_SHIFTS = 6  # grids that look for a certain match; each halves what is left, roughly


def overlap_matrix(
    views: Sequence[PointCloud],
    voxel_size: float = VOXEL_SIZE,
    radius: float = RADIUS,
    progress: Callable[[], Any] | None = None,
) -> NDArray[np.float32]:
    """The overlap of every two views of one scene.

    Args:
        views: V views in one world frame, N >= 1 points each; each is looked at once.
        voxel_size: metres.
        radius: metres; the authors' is 1.5 voxels.
        progress: called once per view done.

    Returns:
        (V, V) float32 in 0..1, symmetric, 1 on the diagonal.
    """
    return match_fractions(
        [voxel_means(view.points, voxel_size) for view in views], radius, progress
    )


def match_fractions(
    clouds: Sequence[NDArray[np.float64]],
    radius: float = RADIUS,
    progress: Callable[[], Any] | None = None,
) -> NDArray[np.float32]:
    """The overlap of every two clouds that are down-sampled already; see overlap_matrix.

    Args:
        clouds: V arrays (n, 3) from :func:`voxel_means`, n >= 1.
        radius: metres.
        progress: called once per cloud done.
    """
    sizes = np.array([len(cloud) for cloud in clouds])
    matched = count_matched(clouds, radius, progress)
    fraction = matched / sizes[:, None]  # [i, j]: share of view i's points that view j matches
    return np.maximum(fraction, fraction.T).astype(np.float32)


def voxel_means(points: NDArray[np.floating[Any]], voxel_size: float) -> NDArray[np.float64]:
    """Down-sample to the mean of the points in each voxel, as Open3D's ``voxel_down_sample``.

    Convention:
        The grid is the cloud's own: it starts half a voxel below the smallest coordinates.

    Args:
        points: (N, 3), N >= 1, metres.
        voxel_size: metres.

    Returns:
        (K, 3) float64, one row per occupied voxel, in the order of the grid.
    """
    points = points.astype(np.float64)
    order, starts = sort_by_cell(points, voxel_size, points.min(axis=0) - 0.5 * voxel_size)
    counts = np.diff(starts, append=len(order))
    return np.add.reduceat(points[order], starts, axis=0) / counts[:, None]


def count_matched(
    clouds: Sequence[NDArray[np.float64]],
    radius: float,
    progress: Callable[[], Any] | None = None,
) -> NDArray[np.int64]:
    """Count, for every two clouds, the points of the one that the other has a point near.

    Args:
        clouds: V arrays (n, 3) in one frame, metres.
        radius: metres.
        progress: called once per cloud done.

    Returns:
        (V, V) int64; [i, j] is how many points of cloud i have a point of cloud j nearer than
        ``radius``.
    """
    points = np.concatenate(clouds)
    owner = np.repeat(np.arange(len(clouds)), [len(cloud) for cloud in clouds])
    within_reach = _Neighborhood(points, radius)
    # Two points in one cell of this side are nearer than the radius whatever the grid's origin.
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
    """Finds the points in the cells around other points' cells."""

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
        # An absent neighbour becomes the cell itself: of no effect where cells are marked.
        self._neighbors = np.where(keys[found] == wanted, found, np.arange(len(keys))[:, None])

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of all points that lie in a cell of ``rows`` or in one of its 26 neighbours."""
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
