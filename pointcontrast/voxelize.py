"""Voxelization: the points that are kept, their integer voxels, and labels of voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointcontrast.compiled.points import first_of_each_voxel, load_kernels
from pointcontrast.errors import InputError


def voxelize(
    points: NDArray[np.float32], voxel_size: float
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Keep one point per voxel: the first in the given order.

    Convention:
        coordinates = floor(points / voxel_size), which may be negative.

    Args:
        points: (N, 3) metres.
        voxel_size: Side of a voxel, metres.

    Returns:
        rows: (M,) int64 rows of ``points`` that are kept, ascending.
        coordinates: (M, 3) int32, unique; row i is the voxel of ``points[rows[i]]``.

    Raises:
        InputError: The voxel size is not positive, a point is not finite, or the cloud is too wide
            for its voxels to be numbered.
    """
    _check_voxel_size(voxel_size)
    if len(points) == 0:
        return np.zeros(0, np.int64), np.zeros((0, 3), np.int32)
    columns, bounds = _columns_and_box(points, voxel_size)
    library = load_kernels()
    if library is not None and columns.dtype == np.float32:
        return first_of_each_voxel(library, columns, voxel_size, *bounds)
    return _first_by_sorting(np.floor(columns / points.dtype.type(voxel_size)), *bounds)


def voxelize_with_inverse(
    points: NDArray[np.float32], voxel_size: float
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Voxelize as :func:`voxelize`, and return the voxel of each point, too.

    Args:
        points: (N, 3) metres.
        voxel_size: Side of a voxel, metres.

    Returns:
        rows: (M,) int64, as in :func:`voxelize`.
        coordinates: (M, 3) int32, as in :func:`voxelize`.
        inverse: (N,) int64; point i is in the voxel ``coordinates[inverse[i]]``.

    Raises:
        InputError: As :func:`voxelize`.
    """
    _check_voxel_size(voxel_size)
    if len(points) == 0:
        return np.zeros(0, np.int64), np.zeros((0, 3), np.int32), np.zeros(0, np.int64)
    columns, bounds = _columns_and_box(points, voxel_size)
    voxels = np.floor(columns / points.dtype.type(voxel_size)).astype(np.int64)
    order, is_first = _sort_by_voxel(voxels, *bounds)
    firsts = order[is_first]
    by_row = np.argsort(firsts)
    number = np.empty_like(firsts)  # index of each voxel, in the order of the keys
    number[by_row] = np.arange(len(firsts))
    inverse = np.empty_like(order)
    inverse[order] = number[np.cumsum(is_first) - 1]
    rows = firsts[by_row]
    return rows, np.ascontiguousarray(voxels[:, rows].T, dtype=np.int32), inverse


def voxelize_frames(
    points: NDArray[np.float32], times: NDArray[np.integer], voxel_size: float
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Voxelize each frame of a clip separately.

    Args:
        points: (N, 3) metres, in one frame of reference.
        times: (N,) frame index of each point, within int32.
        voxel_size: Side of a voxel, metres.

    Returns:
        rows: (M,) int64 rows of the first point of each voxel, sorted by frame, ascending within a
            frame.
        coordinates: (M, 4) int32, unique: the voxel, then the frame index.
        inverse: (N,) int64, as in :func:`voxelize_with_inverse`.

    Raises:
        InputError: As :func:`voxelize`.
    """
    _check_voxel_size(voxel_size)
    rows, coordinates = [np.zeros(0, np.int64)], [np.zeros((0, 4), np.int32)]
    inverse = np.empty(len(points), np.int64)
    num_voxels = 0
    for time in np.unique(times):
        members = np.flatnonzero(times == time)
        firsts, voxels, voxel_of = voxelize_with_inverse(points[members], voxel_size)
        rows.append(members[firsts])
        coordinates.append(np.insert(voxels, 3, time, axis=1))
        inverse[members] = voxel_of + num_voxels
        num_voxels += len(firsts)
    return np.concatenate(rows), np.concatenate(coordinates), inverse


def merge_labels(
    labels: NDArray[np.integer],
    inverse: NDArray[np.int64],
    num_voxels: int,
    ignore: int = -1,
    unknown: int | None = None,
) -> NDArray[np.int32]:
    """Label voxels by their points; a voxel whose points disagree gets ``ignore``.

    As ``quantize_label`` of MinkowskiEngine 0.4.3 (``src/quantization.cpp``), with which the
    published results were made; later releases take the label of one point. As there, ``ignore``
    is a label like any other: a voxel with a labelled point and an ignored one is ignored.

    Args:
        labels: (N,) labels of the points, within int32.
        inverse: (N,) voxel of each point.
        num_voxels: Number of voxels M.
        ignore: Label of voxels whose points disagree or are all unknown.
        unknown: Label of points that do not count, or None.

    Returns:
        (M,) int32 labels of the voxels.
    """
    if unknown is not None:
        is_known = labels != unknown
        labels, inverse = labels[is_known], inverse[is_known]
    merged = np.full(num_voxels, ignore, np.int32)
    merged[inverse] = labels  # of any point of the voxel; all others are compared with it
    merged[inverse[labels != merged[inverse]]] = ignore
    return merged


def voxel_box(
    low: NDArray[np.floating], high: NDArray[np.floating], voxel_size: float, num_points: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Compute the box of voxels between the smallest and the largest coordinates of points.

    Args:
        low: (3,) smallest coordinates, metres.
        high: (3,) largest coordinates, metres.
        voxel_size: Side of a voxel, metres.
        num_points: Number of points.

    Returns:
        The smallest voxel, (3,) int64, and the number of voxels along each axis, (3,) int64.

    Raises:
        InputError: A bound is not finite, or so far that voxels cannot be numbered.
    """
    if not np.isfinite(low).all() or not np.isfinite(high).all():
        raise InputError("points hold NaN or infinity; drop such points first")
    with np.errstate(over="ignore"):
        lower, upper = (np.floor(bound / bound.dtype.type(voxel_size)) for bound in (low, high))
    if not np.isfinite(lower).all() or not np.isfinite(upper).all():
        raise InputError(
            f"a point is {np.abs([low, high]).max():.3g} m from the origin; look for an outlier"
        )
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


def _check_voxel_size(voxel_size: float) -> None:
    if not voxel_size > 0:
        raise InputError(f"voxel_size {voxel_size} must be positive (metres)")


def _columns_and_box(
    points: NDArray[np.floating], voxel_size: float
) -> tuple[NDArray[np.floating], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the points as (3, N), contiguous, and their :func:`voxel_box`; N >= 1."""
    # NumPy is several times faster along rows than along columns: one row per coordinate.
    columns = np.ascontiguousarray(points.T)
    box = voxel_box(columns.min(axis=1), columns.max(axis=1), voxel_size, len(points))
    return columns, box


def _first_by_sorting(
    floored: NDArray[np.floating],
    lower: NDArray[np.int64],
    extent: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Do in NumPy what the compiled kernel does."""
    voxels = floored.astype(np.int64)
    order, is_first = _sort_by_voxel(voxels, lower, extent)
    rows = np.sort(order[is_first])
    return rows, np.ascontiguousarray(voxels[:, rows].T, dtype=np.int32)


def _sort_by_voxel(
    voxels: NDArray[np.int64], lower: NDArray[np.int64], extent: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Sort rows by voxel, ascending within each, and mark the first row of each voxel.

    ``voxels`` is (3, N); ``lower`` and ``extent`` are those of :func:`voxel_box`.
    """
    x, y, z = voxels - lower[:, None]
    keys = (x * extent[1] + y) * extent[2] + z
    index_bits = _index_bits(len(keys))
    # Sorting (voxel, row) as one number is several times faster than np.unique(return_index=True).
    ordered = np.sort((keys << index_bits) | np.arange(len(keys)))
    sorted_keys = ordered >> index_bits
    is_first = np.empty(len(ordered), dtype=bool)
    is_first[0] = True
    np.not_equal(sorted_keys[1:], sorted_keys[:-1], out=is_first[1:])
    return ordered & ((1 << index_bits) - 1), is_first
