"""Which voxels of two views are the same place in the world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree


def find_correspondences(
    points0: NDArray[np.float32], points1: NDArray[np.float32], radius: float
) -> NDArray[np.int64]:
    """All pairs of points of two views that lie within ``radius`` of each other.

    Many to many, as in PointContrast ``lib/ddp_data_loaders.py get_matching_indices`` (a query
    of a KD-tree for each point in a Python loop); here one query for all, between the points
    that stand in both views' bounding boxes.

    Args:
        points0: (N0, 3) world metres.
        points1: (N1, 3) world metres.
        radius: metres; the released recipe takes 1.5 voxels.

    Returns:
        (M, 2) int64 rows of points0 and points1, sorted by column 0, then by column 1.
    """
    none = np.zeros((0, 2), np.int64)
    if len(points0) == 0 or len(points1) == 0:
        return none
    lower = np.maximum(points0.min(axis=0), points1.min(axis=0)) - radius
    upper = np.minimum(points0.max(axis=0), points1.max(axis=0)) + radius
    rows0, rows1 = (
        np.flatnonzero(((points >= lower) & (points <= upper)).all(axis=1))
        for points in (points0, points1)
    )
    if len(rows0) == 0 or len(rows1) == 0:
        return none
    tree0, tree1 = (
        # Balanced trees would be faster to query but take longer to build than they save.
        KDTree(points, leafsize=16, balanced_tree=False, compact_nodes=False)
        for points in (points0[rows0], points1[rows1])
    )
    close = tree0.sparse_distance_matrix(tree1, radius, output_type="ndarray")
    keys = np.sort(rows0[close["i"]] * np.int64(len(points1)) + rows1[close["j"]])
    return np.stack(np.divmod(keys, len(points1)), axis=1)
