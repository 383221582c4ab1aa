"""Rotations from quaternions.

Recordings write a quaternion in one of two orders: x y z w (ROS, TUM RGB-D) or w x y z (nuScenes,
COLMAP). The order is part of each format, and the reader of the format puts the scalar last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.errors import InputError

NORM_TOLERANCE = 0.02
"""Largest difference of a quaternion's norm from 1: files round to three digits at worst."""


def rotation_from_quaternion(xyzw: ArrayLike, where: str) -> NDArray[np.float64]:
    """Return the rotation matrix of a quaternion, which is scaled to unit length first.

    Convention:
        Scalar last, x y z w. The matrix acts on column vectors: a rotation by ``a`` about the unit
        vector ``u`` has the quaternion ``(u sin(a/2), cos(a/2))``.

    Args:
        xyzw: (4,) or (N, 4) finite numbers, scalar last, each row of length 1 within
            ``NORM_TOLERANCE``.
        where: File and row, the first words of an error message.

    Returns:
        (3, 3) or (N, 3, 3) float64.

    Raises:
        InputError: Another shape, not finite, or not of unit length.
    """
    q = np.asarray(xyzw, dtype=np.float64)
    if q.shape[-1:] != (4,) or q.ndim > 2:
        raise InputError(f"{where}: a quaternion has 4 numbers, not the shape {q.shape}")
    norm = _norm(q)
    wrong = ~is_unit_quaternion(q)
    if wrong.any():
        row = int(np.argmax(np.atleast_1d(wrong)))
        values = " ".join(f"{value:g}" for value in np.atleast_2d(q)[row])
        raise InputError(
            f"{where}: the quaternion {values} has the length {np.atleast_1d(norm)[row]:.3g}, not 1"
            "; are these its columns?"
        )
    x, y, z, w = np.moveaxis(q / norm[..., None], -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def is_unit_quaternion(xyzw: ArrayLike) -> NDArray[np.bool_]:
    """Tell which rows of (N, 4), or whether (4,), have length 1 within ``NORM_TOLERANCE``."""
    norm = _norm(np.asarray(xyzw, dtype=np.float64))
    return np.asarray(np.abs(norm - 1) <= NORM_TOLERANCE)  # False for NaN


def _norm(q: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return np.asarray(np.linalg.norm(q, axis=-1))


def pose_from_quaternion(
    translation: ArrayLike, xyzw: ArrayLike, where: str
) -> NDArray[np.float64]:
    """Return the rigid transform of a translation and a quaternion.

    Args:
        translation: (3,) metres.
        xyzw: (4,) quaternion, scalar last.
        where: File and row, the first words of an error message.

    Returns:
        (4, 4) float64.

    Raises:
        InputError: As :func:`rotation_from_quaternion`, or a translation that is not finite.
    """
    pose = np.eye(4)
    pose[:3, :3] = rotation_from_quaternion(xyzw, where)
    pose[:3, 3] = np.asarray(translation, dtype=np.float64)
    if not np.isfinite(pose).all():
        raise InputError(f"{where}: the translation is not finite")
    return pose
