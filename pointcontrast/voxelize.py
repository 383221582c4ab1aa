"""Metres to integer voxels: which points stay, and where."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.point_kernels import first_of_each_voxel, load_kernels


def voxelize(
    points: NDArray[np.float32], voxel_size: float
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Keep one point a voxel: the first in the order given.

    Convention:
        coordinates = floor(points / voxel_size); negative ones are as good as others.

    Args:
        points: (N, 3) metres.
        voxel_size: edge of a voxel, metres.

    Returns:
        rows: (M,) int64 rows of ``points`` that stay, rising.
        coordinates: (M, 3) int32, unique; row i is the voxel of ``points[rows[i]]``.

    Raises:
        InputError: the voxel size is not positive, a point is not finite, or the cloud is too
            wide for its voxels to be numbered.
    """
    if not voxel_size > 0:
        raise InputError(f"voxel_size {voxel_size} must be positive (metres)")
    if len(points) == 0:
        return np.zeros(0, np.int64), np.zeros((0, 3), np.int32)
    # NumPy works several times faster along rows than down columns: one row a coordinate.
    columns = np.ascontiguousarray(points.T)
    bounds = voxel_box(columns.min(axis=1), columns.max(axis=1), voxel_size, len(points))
    library = load_kernels()
    if library is not None and columns.dtype == np.float32:
        return first_of_each_voxel(library, columns, voxel_size, *bounds)
    return _first_by_sorting(np.floor(columns / points.dtype.type(voxel_size)), *bounds)


def voxel_box(
    low: NDArray[np.floating], high: NDArray[np.floating], voxel_size: float, num_points: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The voxels between the smallest and the largest coordinates of some points.

    Args:
        low: (3,) metres.
        high: (3,) metres.
        voxel_size: metres.
        num_points: how many points lie there.

    Returns:
        The smallest voxel (3,) and how many there are along each axis (3,), both int64.

    Raises:
        InputError: a bound is not finite, or so far that voxels cannot be numbered.
    """
    lower, upper = (np.floor(bound / bound.dtype.type(voxel_size)) for bound in (low, high))
    if not np.isfinite(lower).all() or not np.isfinite(upper).all():
        raise InputError("points hold NaN or infinity; drop such points first")
    extent = (upper - lower + 1).astype(np.float64)
    bits = np.log2(extent).sum() + _index_bits(num_points)
    if bits >= 62 or np.abs([lower, upper]).max() >= 2**31:
        raise InputError(
            f"the points span {(upper - lower) * voxel_size} metres, too far for voxels of "
            f"{voxel_size} m; look for an outlier"
        )
    return lower.astype(np.int64), extent.astype(np.int64)


def _index_bits(num_points: int) -> int:
    return int(num_points - 1).bit_length()


def _first_by_sorting(
    floored: NDArray[np.floating],
    lower: NDArray[np.int64],
    extent: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """What the compiled kernel does, by NumPy."""
    coordinates = floored.astype(np.int64)
    x, y, z = coordinates - lower[:, None]
    keys = (x * extent[1] + y) * extent[2] + z
    index_bits = _index_bits(len(keys))
    # Sorting (voxel, row) as one number is several times as fast as np.unique(return_index=True).
    ordered = np.sort((keys << index_bits) | np.arange(len(keys)))
    sorted_keys = ordered >> index_bits
    first = np.empty(len(ordered), dtype=bool)
    first[0] = True
    np.not_equal(sorted_keys[1:], sorted_keys[:-1], out=first[1:])
    rows = np.sort(ordered[first] & ((1 << index_bits) - 1))
    return rows, np.ascontiguousarray(coordinates[:, rows].T, dtype=np.int32)
