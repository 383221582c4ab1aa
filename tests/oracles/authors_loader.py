"""The authors' way of loading a training pair, in our words: slow and plainly right.

PointContrast ``pretrain/pointcontrast/lib/ddp_data_loaders.py`` at commit 47e8682: both clouds
are read at full resolution as float64, rotated, quantised keeping one point a voxel, and matched
by one KD-tree query for each point in a Python loop.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LoadedPair:
    """Voxel coordinates of both views, their correspondences, and the time the loop took."""

    coordinates0: NDArray[np.int32]
    coordinates1: NDArray[np.int32]
    correspondences: NDArray[np.int64]
    matching_seconds: float


def match(
    points0: NDArray[np.floating], points1: NDArray[np.floating], radius: float
) -> NDArray[np.int64]:
    """All (i, j) with points0[i] and points1[j] within ``radius``, by a loop over points0."""
    import open3d

    target = open3d.geometry.PointCloud()
    target.points = open3d.utility.Vector3dVector(np.asarray(points1, dtype=np.float64))
    tree = open3d.geometry.KDTreeFlann(target)
    found = []
    for i, point in enumerate(np.asarray(points0, dtype=np.float64)):
        _, neighbours, _ = tree.search_radius_vector_3d(point, radius)
        for j in neighbours:
            found.append((i, j))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def quantize(points: NDArray[np.float64], voxel_size: float) -> NDArray[np.int64]:
    """Rows of the first point of each voxel.

    The authors call a hash in C++; packed keys and ``numpy.unique`` are about as fast, so that
    the comparison is of the matching, not of this.
    """
    voxels = np.floor(points / voxel_size).astype(np.int64)
    voxels -= voxels.min(axis=0)
    extent = voxels.max(axis=0) + 1
    keys = (voxels[:, 0] * extent[1] + voxels[:, 1]) * extent[2] + voxels[:, 2]
    return np.unique(keys, return_index=True)[1]


def load_pair(file0: Path, file1: Path, voxel_size: float, rng: np.random.Generator) -> LoadedPair:
    """Read two ``.npz`` clouds (key ``pcd``), rotate and quantise each, and match them."""
    kept, coordinates = [], []
    for file in (file0, file1):
        points = np.load(file)["pcd"].astype(np.float64)
        axis = rng.random(3) - 0.5
        axis /= np.linalg.norm(axis)
        angle = 2 * np.pi * (rng.random() - 0.5)
        cross = np.cross(np.eye(3), axis)
        rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        rotated = points @ rotation.T
        rotated -= rotated.mean(axis=0)
        rows = quantize(rotated, voxel_size)
        kept.append(points[rows])
        coordinates.append(np.floor(rotated[rows] / voxel_size).astype(np.int32))
    start = time.perf_counter()
    correspondences = match(kept[0], kept[1], 1.5 * voxel_size)
    return LoadedPair(*coordinates, correspondences, time.perf_counter() - start)
