"""Reading the file of one LiDAR sweep."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pointcontrast.errors import InputError
from pointcontrast.recordings.binary_records import RecordForm, read_records
from pointcontrast.recordings.point_files import read_point_file
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.types import PointCloud

SUFFIXES = (".bin", ".npy", ".ply", ".pcd")


def sweep_name(path: Path) -> str:
    """Return the name of a sweep: its file's name without suffixes (nuScenes has ``.pcd.bin``)."""
    return path.stem.removesuffix(".pcd") if path.suffix.lower() == ".bin" else path.stem


def read_sweep_file(
    path: Path, form: RecordForm | None = None, width: int | None = None
) -> PointCloud:
    """Read the points of one sweep.

    Points exactly at the origin (a LiDAR's "no return") and points that are not finite are
    dropped. Reflectance, normals and all else but colours are left out.

    Args:
        path: File with one of ``SUFFIXES``, as
            :func:`pointcontrast.recordings.point_files.read_point_file` takes them.
        form: Form of the records of the ``.bin`` files next to it; None where it is not known.
        width: Numbers per point of a ``.bin`` file as the user states them, or None.

    Returns:
        At least one point, in the frame of the file, metres.

    Raises:
        FrameError: Absent, empty, damaged, of another form than the files next to it, or without a
            single usable point.
    """
    try:
        if path.suffix.lower() == ".bin":
            stored, colors = read_records(path, form, width)[:, :3], None
        else:
            file = read_point_file(path)
            stored, colors = file.points, file.colors
    except InputError as error:
        raise FrameError(str(error)) from None
    except FileNotFoundError:
        raise FrameError(f"{path} does not exist") from None
    except OSError as error:
        raise FrameError(f"{path} cannot be read ({error.strerror or error})") from None
    if not len(stored):
        raise FrameError(f"{path} holds no points; is it damaged? Export it again")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is dropped
        points = np.ascontiguousarray(stored, dtype=np.float32)
    good = np.isfinite(points).all(axis=1) & points.any(axis=1)
    if not good.any():
        raise FrameError(
            f"{path} holds no usable point: all {len(points)} are at the origin or not finite"
        )
    return PointCloud(points[good], None if colors is None else colors[good])
