"""Rigid transforms, the pinhole camera, and grouping points by grid cell.

Convention:
    Points are rows, (N, 3). A rigid transform is a (4, 4) float64 matrix named ``dst_from_src``
    that acts on column vectors, so ``dst = R @ src + t``; in rows, ``dst = src @ R.T + t``.
    Transforms chain by matching inner names: ``a_from_c = a_from_b @ b_from_c``.
    The camera frame has x to the right, y down and z along the viewing direction. The centre of
    the top left pixel is at pixel coordinates (0, 0), as in ScanNet and 7-Scenes.
    Angles are in radians, right-handed about their axis. Lengths are in metres.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.errors import InputError

# Pose files round: to 4e-4 in the 7-Scenes' tracker output (float32 products), 1e-6 elsewhere.
# A scaled or sheared matrix that matters (1 cm at 2 m) is off by more than this.
RIGID_TOLERANCE = 5e-3
_CELL_BITS = 21  # three cell indices of 21 bits share one int64


def transform_points(
    dst_from_src: NDArray[np.float64], points: NDArray[np.floating[Any]]
) -> NDArray[np.floating[Any]]:
    """Move points from one frame to another.

    Convention:
        ``result[i] = R @ points[i] + t`` with R, t of ``dst_from_src``.

    Args:
        dst_from_src: (4, 4) float64 rigid transform.
        points: (N, 3) floating point, in the source frame.

    Returns:
        (N, 3) in the destination frame, in the dtype of ``points``; computed in float64.
    """
    moved = points @ dst_from_src[:3, :3].T + dst_from_src[:3, 3]
    return moved.astype(points.dtype, copy=False)


def rigid_problem(matrix: NDArray[np.float64], tolerance: float = RIGID_TOLERANCE) -> str | None:
    """Describe why a matrix is no rigid transform.

    Args:
        matrix: Matrix to check, of any shape.
        tolerance: Largest absolute difference of an entry of R @ R.T from the identity.

    Returns:
        A short reason ("holds NaN", ...), or None if the matrix is a rigid transform: (4, 4),
        finite, with the last row 0 0 0 1 and a rotation as its upper left block.
    """
    if matrix.shape != (4, 4):
        return f"has shape {matrix.shape}, not (4, 4)"
    if np.isnan(matrix).any():
        return "holds NaN"
    if not np.isfinite(matrix).all():
        return "holds infinite values"
    if not np.allclose(matrix[3], (0, 0, 0, 1), atol=1e-6):
        return f"has the last row {matrix[3].tolist()}, not 0 0 0 1"
    rotation = matrix[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if not error <= tolerance:  # true for NaN
        return f"has axes that are not orthonormal (R R^T is off by {error:.3g})"
    if np.linalg.det(rotation) < 0:
        return "mirrors (its determinant is -1)"
    return None


def pixel_rays(height: int, width: int, intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return directions through the pixels, (H, W, 3) float64 in the camera frame, with z = 1."""
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height))
    pixels = np.stack([columns, rows, np.ones_like(columns)], axis=-1)  # (H, W, 3)
    return pixels @ np.linalg.inv(intrinsics).T


def rotation_about(axis: ArrayLike, angle: float) -> NDArray[np.float64]:
    """Return the rotation by ``angle`` about ``axis`` (Rodrigues' formula).

    Convention:
        Right-handed: about +z, a quarter turn takes +x to +y.

    Args:
        axis: (3,) of any length but zero.
        angle: Angle, radians.

    Returns:
        (3, 3) float64.
    """
    x, y, z = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)


def unit_vector(vector: ArrayLike, what: str) -> NDArray[np.float64]:
    """Scale a direction that a user gave to unit length.

    Args:
        vector: Three finite numbers, not all zero.
        what: Name of the argument or file, for the message.

    Returns:
        (3,) float64.

    Raises:
        InputError: Not three finite numbers, or all zero.
    """
    try:
        direction = np.asarray(vector, dtype=np.float64)
    except (TypeError, ValueError):
        direction = np.zeros(0)
    length = float(np.linalg.norm(direction)) if direction.shape == (3,) else 0.0
    if not (np.isfinite(length) and length > 0):
        raise InputError(f"{what} must be three numbers, not all zero; got {vector}")
    return direction / length


def rotation_between(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Return the smallest rotation that takes direction ``a`` to direction ``b``.

    Convention:
        ``rotation_between(a, b) @ a = b`` for unit vectors; its axis is a x b. For opposite
        vectors the axis is not unique, and a fixed rule chooses one.

    Args:
        a: (3,) of any length but zero.
        b: (3,) of any length but zero.

    Returns:
        (3, 3) float64.
    """
    a = np.asarray(a, dtype=np.float64) / np.linalg.norm(a)
    b = np.asarray(b, dtype=np.float64) / np.linalg.norm(b)
    axis = np.cross(a, b)
    sine, cosine = float(np.linalg.norm(axis)), float(a @ b)
    if sine < 1e-12:
        if cosine > 0:
            return np.eye(3)
        axis = np.cross(a, np.eye(3)[np.argmin(np.abs(a))])  # the coordinate axis least along a
    return rotation_about(axis, np.arctan2(sine, cosine))


def sort_by_cell(
    points: NDArray[np.floating[Any]], cell_size: float, origin: ArrayLike = (0.0, 0.0, 0.0)
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Group points by the cell of a regular grid: floor((point - origin) / cell_size).

    Args:
        points: (N, 3) finite, metres.
        cell_size: Side of a cell, metres.
        origin: (3,) corner of the grid, metres.

    Returns:
        ``order`` (N,) int64, rows of ``points`` sorted by cell, in their old order within a cell;
        ``starts`` (K,) int64, start of each of the K occupied cells in ``order``.

    Raises:
        ValueError: The points span more than 2**21 cells along an axis.
    """
    cells = np.floor((points - np.asarray(origin, dtype=np.float64)) / cell_size).astype(np.int64)
    if not len(cells):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    cells -= cells.min(axis=0)
    if cells.max() >= 1 << _CELL_BITS:
        raise ValueError(f"the points span more than 2**{_CELL_BITS} cells of {cell_size} m")
    keys = (cells[:, 0] << 2 * _CELL_BITS) | (cells[:, 1] << _CELL_BITS) | cells[:, 2]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return order, starts


def point_spacing(points: NDArray[np.floating[Any]]) -> float:
    """Estimate the distance between neighbouring points on a surface.

    It is the median distance to the fourth neighbour: on a square grid, the side of a cell.

    Args:
        points: (N, 3) metres. About 2,000 of them, evenly spread over the rows, are queried.

    Returns:
        Metres; 0.01 for fewer than 5 points, or where most coincide.
    """
    from scipy.spatial import KDTree  # half a second to import

    if len(points) < 5:
        return 0.01
    queries = points[:: max(1, len(points) // 2000)]
    distances = KDTree(points, balanced_tree=False).query(queries, k=5)[0][:, 4]
    return float(np.median(distances)) or 0.01
