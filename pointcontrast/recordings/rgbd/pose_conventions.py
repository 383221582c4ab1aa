"""Conventions of recorded camera poses, and their conversion to this project's own.

This project's poses map the camera to the world, and its cameras have x right, y down and z forward
(``pointcontrast.geometry``). Recorders differ in both.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from pointcontrast.recordings.options import CameraAxes, PoseDirection

DIRECTIONS: tuple[PoseDirection, ...] = get_args(PoseDirection)
AXES: tuple[CameraAxes, ...] = get_args(CameraAxes)

_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
_MIRROR_Y = np.diag([1.0, -1.0, 1.0, 1.0])


def camera_to_world(
    recorded: NDArray[np.float64], poses: PoseDirection, axes: CameraAxes
) -> NDArray[np.float64]:
    """Convert a recorded pose.

    Convention:
        "opengl" cameras have x right, y up, z backward: their axes are turned. "unity" cameras have
        x right, y up, z forward in a left-handed world: camera and world are mirrored in y.

    Args:
        recorded: (4, 4) float64 rigid transform, metres.
        poses: Direction of ``recorded``.
        axes: Axes of the recorder's camera.

    Returns:
        (4, 4) float64 ``world_from_camera``; ``recorded`` itself in this project's convention.
    """
    pose = _inverse(recorded) if poses == "inverse" else recorded
    if axes == "opengl":
        return pose @ _OPENGL
    return _MIRROR_Y @ pose @ _MIRROR_Y if axes == "unity" else pose


def as_recorded(
    pose: NDArray[np.float64], poses: PoseDirection, axes: CameraAxes
) -> NDArray[np.float64]:
    """Invert :func:`camera_to_world`: write a pose as a recorder with this convention does."""
    if axes == "opengl":
        pose = pose @ _OPENGL
    elif axes == "unity":
        pose = _MIRROR_Y @ pose @ _MIRROR_Y
    return _inverse(pose) if poses == "inverse" else pose


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
