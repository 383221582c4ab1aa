"""Reading the file of one LiDAR sweep."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pointcontrast.errors import InputError
from pointcontrast.recordings.point_files import read_point_file
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.types import PointCloud

SUFFIXES = (".bin", ".npy", ".ply", ".pcd")


def read_sweep_file(path: Path) -> PointCloud:
    """Read the points of one sweep.

    Points exactly at the origin (a LiDAR's "no return") and points that are not finite are
    dropped. Reflectance, normals and all else but colours are left out.

    Args:
        path: File with one of ``SUFFIXES``, as
            :func:`pointcontrast.recordings.point_files.read_point_file` takes them.

    Returns:
        At least one point, in the frame of the file, metres.

    Raises:
        FrameError: Absent, empty, damaged, or without a single usable point.
    """
    try:
        stored = read_point_file(path)
    except InputError as error:
        raise FrameError(str(error)) from None
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is dropped
        points = stored.points.astype(np.float32)
    good = np.isfinite(points).all(axis=1) & points.any(axis=1)
    if not good.any():
        raise FrameError(
            f"{path} holds no usable point: all {len(points)} are at the origin or not finite"
        )
    return PointCloud(points[good], None if stored.colors is None else stored.colors[good])
