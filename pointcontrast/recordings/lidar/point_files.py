"""Reading one sweep's points, in any of four formats, and saying what is wrong with them."""

from __future__ import annotations

import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import plyfile
from numpy.typing import NDArray

from pointcontrast.recordings.sequence import FrameError
from pointcontrast.types import PointCloud

_BIN_POINT_BYTES = 16  # float32 x y z and reflectance
# NumPy's and plyfile's readers report damage in all these ways.
_DAMAGE = (
    *(OSError, ValueError, EOFError, IndexError, KeyError, TypeError, MemoryError),
    *(SyntaxError, tokenize.TokenError),
)


def read_points(path: Path) -> PointCloud:
    """Read the points of one sweep.

    ``.bin`` holds float32 x y z reflectance a point (KITTI's); ``.npy`` an (N, 3 or more) array
    of numbers, x y z first; ``.ply`` a vertex element with x y z and, if coloured, red green
    blue; ``.pcd`` what Open3D reads, with colours if there are. Reflectance and all else is left
    out. Points exactly at the origin (a LiDAR's "no return") and points that are not finite are
    dropped.

    Args:
        path: the file, in a format of ``READERS``.

    Returns:
        At least one point, in the file's own frame, metres.

    Raises:
        FrameError: absent, empty, damaged, or without a single good point.
    """
    try:
        points, colors = READERS[path.suffix.lower()](path)
    except FileNotFoundError:
        raise FrameError(f"{path} does not exist") from None
    except FrameError:
        raise
    except _DAMAGE as error:
        raise FrameError(f"{path} is damaged or cut short ({_one_line(error)})") from None
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is dropped
        points = np.ascontiguousarray(points, dtype=np.float32)
    good = np.isfinite(points).all(axis=1) & points.any(axis=1)
    if not good.any():
        raise FrameError(
            f"{path} holds no usable point: all {len(points)} are at the origin or not finite"
            if len(points)
            else f"{path} holds no point"
        )
    return PointCloud(points[good], None if colors is None else colors[good])


def _read_bin(path: Path) -> tuple[NDArray[Any], None]:
    size = path.stat().st_size
    if size % _BIN_POINT_BYTES:
        raise FrameError(
            f"{path} is {size} bytes, not a multiple of the {_BIN_POINT_BYTES} of a point (float32 "
            "x y z reflectance): it is cut short or in another format; save that as .npy"
        )
    return np.fromfile(path, dtype="<f4").reshape(-1, 4)[:, :3], None


def _read_npy(path: Path) -> tuple[NDArray[Any], None]:
    # Mapped, so that a header which promises more than the file holds allocates nothing.
    array = np.lib.format.open_memmap(path, mode="r")
    if array.ndim != 2 or array.shape[1] < 3 or array.dtype.kind not in "fiu":
        raise FrameError(
            f"{path} holds an array {array.shape} of {array.dtype}, not (N, 3 or more) numbers"
        )
    return array[:, :3], None


def _read_ply(path: Path) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    try:
        elements = plyfile.PlyData.read(path)
    except plyfile.PlyParseError as error:
        raise FrameError(f"{path} is damaged or cut short ({_one_line(error)})") from None
    if "vertex" not in elements:
        raise FrameError(f"{path} has no vertex element, so no points")
    vertices = elements["vertex"].data
    fields = vertices.dtype.names or ()
    if not {"x", "y", "z"} <= set(fields):
        raise FrameError(f"{path}: its vertices have {', '.join(fields)}, but no x y z")
    points = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    channels = ("red", "green", "blue")
    if not set(channels) <= set(fields):
        return points, None
    if any(vertices[channel].dtype != np.uint8 for channel in channels):
        raise FrameError(f"{path}: its colours are not of type uchar; save them so, 0..255")
    return points, np.stack([vertices[channel] for channel in channels], axis=1)


def _read_pcd(path: Path) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    import open3d  # takes seconds to import

    promised = _pcd_count(path)
    with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
        cloud = open3d.io.read_point_cloud(path, format="pcd")
    if len(cloud.points) != promised:
        raise FrameError(
            f"{path} is damaged or cut short (its header promises {promised} points, "
            f"{len(cloud.points)} can be read)"
        )
    colors = np.rint(np.asarray(cloud.colors) * 255).astype(np.uint8)
    return np.asarray(cloud.points), colors if cloud.has_colors() else None


def _pcd_count(path: Path) -> int:
    """The number of points in the header: Open3D tells of damage by reading none at all."""
    with open(path, "rb") as file:
        for _ in range(64):
            words = file.readline(1024).split()
            if len(words) == 2 and words[0] == b"POINTS":
                return int(words[1])
    raise FrameError(f"{path} is not a PCD file: no POINTS in its header")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


READERS: dict[str, Callable[[Path], tuple[NDArray[Any], NDArray[np.uint8] | None]]] = {
    ".bin": _read_bin,
    ".npy": _read_npy,
    ".ply": _read_ply,
    ".pcd": _read_pcd,
}
