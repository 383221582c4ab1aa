"""Down-sampling of a cloud to the mean of the points in each voxel, as Open3D does it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.compiled import overlap as overlap_kernels
from pointcontrast.compiled.overlap import load_overlap_kernels
from pointcontrast.errors import InputError
from pointcontrast.geometry import sort_by_cell

_MAX_VOXELS = 2**21 - 1  # along an axis


def voxel_means(points: NDArray[np.floating[Any]], voxel_size: float) -> NDArray[np.float64]:
    """Down-sample a cloud to the mean of the points in each voxel.

    The means equal those of Open3D's ``voxel_down_sample`` bit for bit, in another order: sums are
    in float64 and in the order of the points.

    Convention:
        Each cloud has a grid of its own, which starts half a voxel below the smallest coordinates.

    Args:
        points: (N, 3), N >= 1, finite, metres.
        voxel_size: Side of a voxel, metres.

    Returns:
        (K, 3) float64, one row per occupied voxel, in the order of their first points.

    Raises:
        InputError: No points, a point that is not finite, or an extent of 2**21 voxels or more.
    """
    if points.ndim != 2 or points.shape[1] != 3 or not len(points):
        raise InputError(f"a view must have points, as an array (N, 3); got {points.shape}")
    library = load_overlap_kernels() if points.dtype == np.float32 else None
    try:
        if library is not None:
            return overlap_kernels.voxel_means(library, points, voxel_size)
        return _by_sorting(points.astype(np.float64), voxel_size)
    except ValueError:
        raise InputError(_what_is_wrong(points, voxel_size)) from None


def _by_sorting(points: NDArray[np.float64], voxel_size: float) -> NDArray[np.float64]:
    lower = points.min(axis=0) - 0.5 * voxel_size
    if not ((points.max(axis=0) - lower) / voxel_size < _MAX_VOXELS).all():  # false for NaN
        raise ValueError
    order, starts = sort_by_cell(points, voxel_size, lower)
    counts = np.diff(starts, append=len(order))
    first = np.argsort(order[starts])  # voxels sorted by their first points
    rank = np.empty_like(first)
    rank[first] = np.arange(len(first))
    voxel = np.empty_like(order)
    voxel[order] = np.repeat(rank, counts)
    # bincount adds in the order of the rows; np.add.reduceat adds pairwise and rounds differently
    sums = np.stack([np.bincount(voxel, weights=axis) for axis in points.T], axis=1)
    return sums / counts[first, None]


def _what_is_wrong(points: NDArray[np.floating[Any]], voxel_size: float) -> str:
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        return (
            f"{len(bad)} of a view's {len(points)} points are not finite, the first at row "
            f"{bad[0]}: {points[bad[0]].tolist()}; drop them, or correct the view's pose"
        )
    extent = float(np.ptp(points.astype(np.float64), axis=0).max())
    return (
        f"a view spans {extent:g} m, more than 2**21 voxels of {voxel_size:g} m; drop its "
        "far points, or use a larger overlap voxel size"
    )
