"""Compiled kernels for depth images, ``csrc/depth.cpp``.

``codec.py`` and ``cloud.py`` use them if they exist; the results are the same without.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pointcontrast.compiled.points import checked, load_kernels

_UINT8, _UINT16, _INT32, _INT64, _FLOAT32 = (
    np.ctypeslib.ndpointer(dtype, flags="C_CONTIGUOUS")
    for dtype in (np.uint8, np.uint16, np.int32, np.int64, np.float32)
)
_IMAGE = (_UINT16, ctypes.c_int64, ctypes.c_int64)  # (H, W), H, W


@lru_cache(maxsize=1)
def load_depth_kernels() -> ctypes.CDLL | None:
    """Load the library; None if it was not built, cannot be loaded or is disabled."""
    library = load_kernels()
    if library is not None:
        for name, result, arguments in (
            ("undo_differences", None, (_UINT8, ctypes.c_int64, ctypes.c_int64, _UINT16)),
            ("depth_sums", None, (*_IMAGE, _INT64)),
            ("unproject", ctypes.c_int64, (*_IMAGE, _FLOAT32, ctypes.c_int64, _FLOAT32)),
            ("depth_bounds", ctypes.c_int64, (*_IMAGE, _FLOAT32, _FLOAT32)),
            (
                "voxelize_depth",
                ctypes.c_int64,
                (*_IMAGE, _FLOAT32, ctypes.c_float, _INT64, _INT64, _INT32, _INT32),
            ),
        ):
            function = getattr(library, f"pointcontrast_{name}")
            function.restype, function.argtypes = result, arguments
    return library


def undo_differences(library: ctypes.CDLL, planes: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Decode the (2, H, W) planes of ``pointcontrast.scenes.depth.codec`` to (H, W) depth."""
    _, height, width = planes.shape
    depth = np.empty((height, width), np.uint16)
    library.pointcontrast_undo_differences(planes, height, width, depth)
    return depth


def depth_sums(library: ctypes.CDLL, depth: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Return the (3,) sums of u z, v z and z over the (H, W) pixels."""
    sums = np.empty(3, np.int64)
    library.pointcontrast_depth_sums(depth, *depth.shape, sums)
    return sums


def unproject_to_world(
    library: ctypes.CDLL, depth: NDArray[np.uint16], matrix: NDArray[np.float32], count: int
) -> NDArray[np.float32]:
    """Return the (3, count) points ``matrix @ (u z, v z, z, 1)`` of the nonzero pixels."""
    points = np.empty((3, count), np.float32)
    checked(library.pointcontrast_unproject(depth, *depth.shape, matrix, count, points))
    return points


def depth_bounds(
    library: ctypes.CDLL, depth: NDArray[np.uint16], matrix: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return bounds of those points, (2, 3): smallest and largest coordinates, slightly wide."""
    bounds = np.empty((2, 3), np.float32)
    checked(library.pointcontrast_depth_bounds(depth, *depth.shape, matrix, bounds))
    return bounds


def voxelize_depth(
    library: ctypes.CDLL,
    depth: NDArray[np.uint16],
    matrix: NDArray[np.float32],
    voxel_size: float,
    lower: NDArray[np.int64],
    extent: NDArray[np.int64],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Keep one of those points per voxel: flat pixels, (M,), ascending, and voxels, (M, 3)."""
    pixels, voxels = np.empty(depth.size, np.int32), np.empty((depth.size, 3), np.int32)
    count = checked(
        library.pointcontrast_voxelize_depth(
            depth, *depth.shape, matrix, voxel_size, lower, extent, pixels, voxels
        )
    )
    return pixels[:count].copy(), voxels[:count].copy()
