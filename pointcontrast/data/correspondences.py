"""Correspondences: voxels of two views at the same place in the world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from pointcontrast.compiled.points import load_kernels, match


def find_correspondences(
    points0: NDArray[np.float32], points1: NDArray[np.float32], radius: float
) -> NDArray[np.int64]:
    """Find all pairs of points of two views that lie within ``radius`` of each other.

    Many to many, as in PointContrast ``lib/ddp_data_loaders.py get_matching_indices`` (a KD-tree
    query per point in a Python loop). Here one query serves all points that lie in both views'
    bounding boxes.

    Args:
        points0: Points of view0, (N0, 3) float32, world metres.
        points1: Points of view1, (N1, 3) float32, world metres.
        radius: Largest distance of a correspondence, metres; 1.5 voxels in the released recipe.

    Returns:
        (M, 2) int64 rows of points0 and points1, sorted by column 0, then by column 1.
    """
    none = np.zeros((0, 2), np.int64)
    if len(points0) == 0 or len(points1) == 0:
        return none
    # contiguous rows reduce faster
    columns0, columns1 = (np.array(points.T, order="C") for points in (points0, points1))
    lower = np.maximum(columns0.min(axis=1), columns1.min(axis=1)) - np.float32(radius)
    upper = np.minimum(columns0.max(axis=1), columns1.max(axis=1)) + np.float32(radius)
    # one float outwards: rounding must not exclude a point that is just near enough
    lower, upper = np.nextafter(lower, -np.float32(np.inf)), np.nextafter(upper, np.float32(np.inf))
    if not (lower <= upper).all():
        return none
    library = load_kernels()
    close = None if library is None else match(library, points0, points1, radius, lower, upper)
    if close is not None:
        return close
    rows0, rows1 = (_rows_within(columns, lower, upper) for columns in (columns0, columns1))
    if len(rows0) == 0 or len(rows1) == 0:
        return none
    close = _match_by_trees(points0[rows0], points1[rows1], radius)
    return np.stack([rows0[close[:, 0]], rows1[close[:, 1]]], axis=1)


def _match_by_trees(
    points0: NDArray[np.float32], points1: NDArray[np.float32], radius: float
) -> NDArray[np.int64]:
    """Match as the compiled kernel does, with SciPy."""
    tree0, tree1 = (
        # Balanced trees would be faster to query but take longer to build than they save.
        KDTree(points, leafsize=32, balanced_tree=False, compact_nodes=False)
        for points in (points0, points1)
    )
    close = tree0.sparse_distance_matrix(tree1, radius, output_type="ndarray")
    keys = np.sort(close["i"] * np.int64(len(points1)) + close["j"])
    return np.stack(np.divmod(keys, len(points1)), axis=1)


def _rows_within(
    columns: NDArray[np.float32], lower: NDArray[np.float32], upper: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Return the rows of the points, given as (3, N), that lie in a box."""
    x, y, z = ((columns[d] >= lower[d]) & (columns[d] <= upper[d]) for d in range(3))
    return np.flatnonzero(x & y & z)
