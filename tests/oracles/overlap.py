"""Overlap as the authors compute it: Open3D, one KD-tree question per point, a Python loop.

After ``compute_full_overlapping.py`` of the released code, in our own words.
"""

from __future__ import annotations

import numpy as np
import open3d as o3d
from numpy.typing import NDArray


def overlap_of_two(
    points0: NDArray, points1: NDArray, voxel_size: float = 0.05, radius: float = 0.075
) -> float:
    """The larger of both directions' share of points with a partner within ``radius``."""
    down0, down1 = (_down_sample(points, voxel_size) for points in (points0, points1))
    return max(_matched_share(down0, down1, radius), _matched_share(down1, down0, radius))


def _down_sample(points: NDArray, voxel_size: float) -> o3d.geometry.PointCloud:
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(np.float64)))
    return cloud.voxel_down_sample(voxel_size)


def _matched_share(
    source: o3d.geometry.PointCloud, target: o3d.geometry.PointCloud, radius: float
) -> float:
    tree = o3d.geometry.KDTreeFlann(target)
    matched = 0
    for point in source.points:
        found, _, _ = tree.search_radius_vector_3d(point, radius)
        matched += found > 0
    return matched / len(source.points)
