"""Compiled kernels for overlaps, ``csrc/overlap_*.cpp`` and ``csrc/voxel_means.cpp``.

``voxel_means``, ``count_matched`` and ``count_nearly_matched`` use them if they exist; the results
are the same without.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.compiled.points import load_kernels

_INT64, _FLOAT64 = (
    np.ctypeslib.ndpointer(dtype, flags="C_CONTIGUOUS") for dtype in (np.int64, np.float64)
)
_TOO_WIDE, _NOT_FINITE = -3, -2  # status of the kernels; -1 is out of memory


@lru_cache(maxsize=1)
def load_overlap_kernels() -> ctypes.CDLL | None:
    """Load the library; None if it was not built, cannot be loaded or is disabled."""
    library = load_kernels()
    if library is not None:
        for name, arguments in {
            "voxel_means": [ctypes.c_void_p, *3 * [ctypes.c_int64], ctypes.c_double, _FLOAT64],
            "count_matched": [_FLOAT64, _INT64, ctypes.c_int64, ctypes.c_double, _INT64],
            "count_nearly_matched": [
                _FLOAT64, _INT64, ctypes.c_int64, ctypes.c_double, ctypes.c_double, _INT64,
            ],
        }.items():  # fmt: skip
            function = getattr(library, f"pointcontrast_{name}")
            function.argtypes, function.restype = arguments, ctypes.c_int64
    return library


def voxel_means(
    library: ctypes.CDLL, points: NDArray[np.float32], voxel_size: float
) -> NDArray[np.float64]:
    """Compute the (K, 3) means of the points in each voxel (``pointcontrast.scenes.voxel_means``).

    Args:
        library: Library of :func:`load_overlap_kernels`.
        points: (N, 3), N >= 1, in any memory order, metres.
        voxel_size: Side of a voxel, metres.

    Raises:
        ValueError: A coordinate is not finite, or the points span 2**21 voxels or more.
    """
    if any(stride % points.itemsize for stride in points.strides):
        points = np.ascontiguousarray(points)
    row_stride, column_stride = (stride // points.itemsize for stride in points.strides)
    means = np.empty((len(points), 3))
    count = library.pointcontrast_voxel_means(
        points.ctypes.data, len(points), row_stride, column_stride, voxel_size, means
    )
    if count == _NOT_FINITE:
        raise ValueError("not finite")
    if count == _TOO_WIDE:
        raise ValueError("too wide")
    return means[: _checked(count)].copy()


def count_matched(
    library: ctypes.CDLL, clouds: list[NDArray[np.float64]], radius: float
) -> NDArray[np.int64]:
    """See :func:`pointcontrast.scenes.overlap_exact.count_matched`."""
    points, starts, counts = _arguments(clouds)
    _checked(library.pointcontrast_count_matched(points, starts, len(clouds), radius, counts))
    return counts


def count_nearly_matched(
    library: ctypes.CDLL, clouds: list[NDArray[np.float64]], side: float, reach: float
) -> NDArray[np.int64]:
    """See :func:`pointcontrast.scenes.overlap_fast.count_nearly_matched`.

    Args:
        library: Library of :func:`load_overlap_kernels`.
        clouds: V arrays (n, 3), n >= 1, metres.
        side: Side of a cell, metres.
        reach: Largest distance between the means of two near cells, metres, at most 4 sides.
    """
    points, starts, counts = _arguments(clouds)
    _checked(
        library.pointcontrast_count_nearly_matched(points, starts, len(clouds), side, reach, counts)
    )
    return counts


def _arguments(
    clouds: list[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[Any]]:
    starts = np.cumsum([0, *(len(cloud) for cloud in clouds)], dtype=np.int64)
    points = np.ascontiguousarray(np.concatenate(clouds), dtype=np.float64)
    return points, starts, np.empty((len(clouds), len(clouds)), np.int64)


def _checked(count: int) -> int:
    if count < 0:
        raise MemoryError("not enough memory for the overlaps of a scene")
    return count
