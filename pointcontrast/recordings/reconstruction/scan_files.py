"""Reading the file of a reconstruction as points on its surfaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats import MESH_SUFFIXES
from pointcontrast.recordings.point_files import read_point_file
from pointcontrast.recordings.reconstruction.surface_points import sample_surface
from pointcontrast.types import PointCloud

SUFFIXES = (".ply", *MESH_SUFFIXES, ".pcd", ".xyz", ".pts", ".xyzrgb")
DENSITY = 10_000.0  # points per square metre of a mesh: one per square centimetre
MAX_POINTS = 5_000_000

_SMALLEST, _LARGEST = 0.1, 1000.0  # metres: the extent of what is taken for a scan in metres


def read_scan_file(path: Path) -> PointCloud:
    """Read a reconstruction as points on its surfaces.

    A mesh becomes about one point per square centimetre (fewer above five million points), drawn
    with a fixed seed. A point cloud is taken as it is.

    Args:
        path: File with one of ``SUFFIXES``, as
            :func:`pointcontrast.recordings.point_files.read_point_file` takes them.

    Returns:
        N >= 1 points, world metres, with colours and normals where the file has them.

    Raises:
        InputError: Damaged, without points, with NaN, or with an extent that no scan in metres
            has.
    """
    stored = read_point_file(path)
    if not np.isfinite(stored.points).all():
        raise InputError(f"{path} holds NaN or infinite coordinates; remove those points")
    if stored.faces is None:
        cloud = PointCloud(stored.points.astype(np.float32), stored.colors, stored.normals)
    else:
        rng = np.random.default_rng(0)  # a file gives the same points every time
        cloud = sample_surface(stored.points, stored.faces, stored.colors, DENSITY, MAX_POINTS, rng)
        if not len(cloud):
            raise InputError(f"{path} has faces without area only; export the mesh again")
    extent = float(np.ptp(cloud.points, axis=0).max())
    if not _SMALLEST <= extent <= _LARGEST:
        raise InputError(
            f"{path} is {extent:.3g} m across, if its unit is the metre as it must be: convert it "
            "to metres, or remove stray points far from the rest"
        )
    return cloud
