"""Origins of coordinates: what is taken off large coordinates before they become float32.

float32 has 24 bits: it resolves 0.06 mm at 1 km from zero, 3 cm at a UTM easting (4.5e5 m) and half
a metre at a UTM northing (5.2e6 m). Georeferenced points are therefore stored and processed
relative to an origin, which stays float64, and are written out in the frame they came in.

An origin is of whole metres. Voxels whose size divides a metre then have the same borders as in the
original frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.errors import InputError

FARTHEST = 1000.0
"""Metres from zero up to which coordinates keep the origin zero; float32 resolves 0.06 mm there."""

FINEST_VOXEL = 0.02
"""Voxel size in metres that the points of every scene must resolve: that of the finest recipes."""

_SHARE_OF_VOXEL = 0.1
_FEW = 100  # points
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max) / 2


def origin_between(low: ArrayLike, high: ArrayLike) -> NDArray[np.float64]:
    """Compute the origin of points from their bounding box.

    Args:
        low: (3,) smallest coordinates, metres.
        high: (3,) largest coordinates, metres.

    Returns:
        (3,) float64: zeros if no coordinate is farther than ``FARTHEST`` from zero; otherwise the
        middle of the box, in whole metres.
    """
    lower, upper = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if max(-lower.min(), upper.max()) <= FARTHEST:
        return np.zeros(3)
    return np.rint((lower + upper) / 2)


def origin_of(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the origin of points (N, 3), as :func:`origin_between`.

    Points that are not finite do not count. The origin of no points is zero.
    """
    if not len(points):
        return np.zeros(3)
    low, high = points.min(axis=0), points.max(axis=0)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        finite = points[np.isfinite(points).all(axis=1)]
        return origin_of(finite)
    return origin_between(low, high)


def take_origin_off(
    points: NDArray[Any], origin: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Convert points to float32 relative to an origin.

    Args:
        points: (N, 3) metres, of any numeric dtype; float64 where coordinates are large.
        origin: (3,) float64 origin that several clouds share; None computes that of ``points``.

    Returns:
        points: (N, 3) float32 relative to the origin, contiguous; the array itself where it is so
            already and the origin is zero.
        origin: (3,) float64 whole metres, zeros for points near zero (``FARTHEST``).
    """
    wide = points if points.dtype.kind == "f" else points.astype(np.float64)
    if origin is None:
        origin = origin_of(wide)
    if origin.any():
        wide = wide - origin
    return np.ascontiguousarray(wide, dtype=np.float32), origin


def put_back(points: NDArray[np.floating], origin: NDArray[np.float64]) -> NDArray[np.floating]:
    """Return points (N, 3), relative to an origin, in the original frame.

    Returns:
        float64 in the original frame; the array itself if the origin is zero.
    """
    return np.asarray(points, np.float64) + origin if origin.any() else points


def check_resolution(points: NDArray[np.floating], voxel_size: float, where: str) -> None:
    """Refuse coordinates that do not resolve a tenth of a voxel.

    Such coordinates were float32 while they were large: every value has a step that depends on its
    distance from zero. float64 coordinates are refused if they hold only float32 values, as after
    a cast back, or from a file with float32 coordinates; a few points may do so by chance.

    Args:
        points: (N, 3) metres as they were given, before an origin is taken off.
        voxel_size: Side of a voxel, metres.
        where: Name of the points, the first words of the message.

    Raises:
        InputError: A step is larger than a tenth of ``voxel_size``.
    """
    if not len(points):
        return
    limit = _SHARE_OF_VOXEL * voxel_size
    farthest = max(-float(points.min()), float(points.max()))
    if not np.isfinite(farthest):  # such points do not count
        check_resolution(points[np.isfinite(points).all(axis=1)], voxel_size, where)
        return
    if _step(farthest) <= limit:
        return
    reach = np.maximum(-points.min(axis=0), points.max(axis=0)).astype(np.float64)
    steps = [_step(float(each)) for each in reach]
    for axis in range(3):
        if steps[axis] <= limit:
            continue
        column = points[:, axis]
        with np.errstate(over="ignore"):
            if points.dtype.itemsize > 4 and (
                len(points) < _FEW or (column != column.astype(np.float32)).any()
            ):
                continue
        raise InputError(
            f"{where}: {'xyz'[axis]} reaches {reach[axis]:.7g} m, where float32 steps by "
            f"{steps[axis]:.2g} m, more than a tenth of the voxel size {voxel_size:g} m; give "
            "float64 coordinates, or subtract an offset before they become float32 (or look for "
            "an outlier)"
        )


def _step(reach: float) -> float:
    """Distance between neighbouring float32 numbers at ``reach`` >= 0."""
    return float(np.spacing(np.float32(min(reach, _LARGEST_FLOAT32))))
