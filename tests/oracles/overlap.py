"""Overlap as the authors compute it: Open3D, one KD-tree question per point, a Python loop.

After ``compute_full_overlapping.py`` of the released code, in our own words: each view is
down-sampled once as it is loaded and gets one KD-tree; then every two views, in both directions,
are a loop over points.
"""

from __future__ import annotations

import copy

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

VOXEL_SIZE = 0.05


def overlap_of_two(
    points0: NDArray, points1: NDArray, voxel_size: float = VOXEL_SIZE, radius: float | None = None
) -> float:
    """The larger of both directions' share of points with a partner within ``radius``."""
    radius = 1.5 * voxel_size if radius is None else radius
    down0, down1 = (down_sample(points, voxel_size) for points in (points0, points1))
    return max(
        matched_share(down0, make_tree(down1), radius),
        matched_share(down1, make_tree(down0), radius),
    )


def down_sample(points: NDArray, voxel_size: float = VOXEL_SIZE) -> o3d.geometry.PointCloud:
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(np.float64)))
    return cloud.voxel_down_sample(voxel_size)


def make_tree(cloud: o3d.geometry.PointCloud) -> o3d.geometry.KDTreeFlann:
    return o3d.geometry.KDTreeFlann(copy.deepcopy(cloud))


def matched_share(
    source: o3d.geometry.PointCloud, tree: o3d.geometry.KDTreeFlann, radius: float
) -> float:
    """The share of ``source`` with a point of the tree nearer than ``radius``."""
    matches = []
    for i, point in enumerate(source.points):
        _, found, _ = tree.search_radius_vector_3d(point, radius)
        for j in found[:1]:
            matches.append((i, j))
    return len(matches) / len(source.points)
