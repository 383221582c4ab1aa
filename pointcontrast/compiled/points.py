"""Compiled kernels for points, ``csrc/points.cpp``.

``voxelize`` and ``find_correspondences`` use them if they exist; the results are the same without.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pointcontrast.compiled.library import load_library, switched_off

_INT32, _INT64, _FLOAT32 = (
    np.ctypeslib.ndpointer(dtype, flags="C_CONTIGUOUS")
    for dtype in (np.int32, np.int64, np.float32)
)


@lru_cache(maxsize=1)
def load_kernels() -> ctypes.CDLL | None:
    """Load the library; None if it was not built, cannot be loaded or is disabled."""
    if switched_off():
        return None
    try:
        library = load_library("compiled._point_kernels")
    except OSError:  # built for another machine
        return None
    if library is not None:
        library.pointcontrast_voxelize.restype = ctypes.c_int64
        library.pointcontrast_voxelize.argtypes = [
            _FLOAT32, ctypes.c_int64, ctypes.c_float, _INT64, _INT64, _INT64, _INT32,
        ]  # fmt: skip
        library.pointcontrast_match.restype = ctypes.c_int64
        library.pointcontrast_match.argtypes = [
            _FLOAT32, ctypes.c_int64, _FLOAT32, ctypes.c_int64, ctypes.c_double,
            ctypes.c_double, _FLOAT32, _FLOAT32, _INT64, ctypes.c_int64, _INT64,
        ]  # fmt: skip
    return library


def first_of_each_voxel(
    library: ctypes.CDLL,
    points: NDArray[np.float32],
    voxel_size: float,
    lower: NDArray[np.int64],
    extent: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Keep one point per voxel, the first.

    Args:
        library: Library of :func:`load_kernels`.
        points: (3, N), finite.
        voxel_size: Side of a voxel, in the unit of the points.
        lower: (3,) smallest voxel along each axis.
        extent: (3,) number of voxels along each axis, with a product below 2**62.

    Returns:
        Rows that are kept, (M,) int64, ascending, and their voxels, (M, 3) int32.
    """
    count = points.shape[1]
    rows, voxels = np.empty(count, np.int64), np.empty((count, 3), np.int32)
    count = checked(
        library.pointcontrast_voxelize(points, count, voxel_size, lower, extent, rows, voxels)
    )
    return rows[:count].copy(), voxels[:count].copy()


def match(
    library: ctypes.CDLL,
    points0: NDArray[np.float32],
    points1: NDArray[np.float32],
    radius: float,
    lower: NDArray[np.float32],
    upper: NDArray[np.float32],
) -> NDArray[np.int64] | None:
    """Find all pairs of points of two clouds within ``radius``, among the points in a box.

    Args:
        library: Library of :func:`load_kernels`.
        points0: (N0, 3) first cloud.
        points1: (N1, 3) second cloud.
        radius: Largest distance, in the unit of the points.
        lower: (3,) smallest coordinates of the box, finite.
        upper: (3,) largest coordinates of the box.

    Returns:
        (M, 2) int64 rows of both clouds, sorted; None if there are too many cells of that size to
        be numbered.
    """
    cell = 2 * radius * (1 + 1e-9)  # a ball never spans more than two cells, including rounding
    extent = np.floor((upper - lower.astype(np.float64)) / cell) + 1
    if np.log2(extent).sum() >= 62 or not np.abs([lower, upper]).max() / radius < 2**52:
        return None
    cells = extent.astype(np.int64)
    room = 12 * max(len(points0), len(points1))  # rarely more; untouched memory costs nothing
    while True:
        pairs = np.empty((room, 2), np.int64)
        count = checked(
            library.pointcontrast_match(
                points0,
                len(points0),
                points1,
                len(points1),
                radius,
                cell,
                lower,
                upper,
                cells,
                room,
                pairs,
            )
        )
        if count <= room:
            return pairs[:count]
        room = count


def checked(count: int) -> int:
    """Return the result of a kernel, or raise the error that it stands for."""
    if count < 0:
        raise MemoryError("not enough memory for points")
    return count
