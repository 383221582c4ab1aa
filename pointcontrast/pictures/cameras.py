"""Virtual cameras placed so that a whole cloud is in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError


@dataclass(frozen=True)
class Camera:
    """A pinhole camera whose axis goes through the centre of the picture.

    Attributes:
        world_from_camera: Rigid transform (4, 4), float64, metres; x right, y down, z forward.
        focal: Focal length as a fraction of the picture's height.
    """

    world_from_camera: NDArray[np.float64]
    focal: float = 1.2


@dataclass(frozen=True)
class Viewpoint:
    """The choice between :func:`look_from_behind` and :func:`look_at` for the panels of a picture.

    Attributes:
        up: Up direction of the scene in the world frame (3,).
        aspect: Width of the picture divided by its height.
        azimuth: See :func:`look_at`. None looks at a view from slightly behind the camera that
            took it, and at a cloud without a camera from azimuth 0.
        elevation: See :func:`look_at`.
        focal: See :class:`Camera`.
    """

    up: NDArray[np.float64]
    aspect: float
    azimuth: float | None
    elevation: float
    focal: float = 1.2

    def camera(
        self, points: NDArray[np.floating], world_from_camera: NDArray[np.float64] | None
    ) -> Camera:
        """Place a camera for a cloud (N, 3), taken by a camera of the given pose, if known."""
        if world_from_camera is not None and self.azimuth is None:
            return look_from_behind(
                world_from_camera, points, self.up, aspect=self.aspect, focal=self.focal
            )
        return look_at(
            points,
            self.up,
            self.azimuth or 0.0,
            self.elevation,
            aspect=self.aspect,
            focal=self.focal,
        )


def look_at(
    points: NDArray[np.floating],
    up: NDArray[np.floating],
    azimuth: float = 0.0,
    elevation: float = 40.0,
    *,
    aspect: float = 4 / 3,
    focal: float = 1.2,
) -> Camera:
    """Place a camera outside a cloud so that the cloud fills the picture.

    Args:
        points: World coordinates (N, 3) in metres, N >= 1. The outermost 0.5 % on each side may
            leave the picture, so that stray points do not shrink the rest.
        up: Up direction of the scene in the world frame (3,), of any length.
        azimuth: Degrees about ``up``. At 0 the camera looks along the shorter horizontal side of
            the cloud, so that the longer one fills the width.
        elevation: Degrees of the camera above the horizon, -90 to 90.
        aspect: Width of the picture divided by its height.
        focal: See :class:`Camera`.

    Raises:
        InputError: The cloud is empty, or ``up`` is zero.
    """
    points, vertical = _points_and_vertical(points, up)
    ahead = _shorter_horizontal_axis(points, vertical)
    turn, tilt = np.radians(azimuth), np.radians(elevation)
    ahead = np.cos(turn) * ahead + np.sin(turn) * np.cross(vertical, ahead)
    forward = np.cos(tilt) * ahead - np.sin(tilt) * vertical
    right = np.cross(ahead, vertical)  # also defined for a view from straight above
    return _fitting_camera(points, forward, right, aspect, focal, percentile=99.5)


def look_from_behind(
    world_from_camera: NDArray[np.float64],
    points: NDArray[np.floating],
    up: NDArray[np.floating],
    *,
    tilt: float = 8.0,
    aspect: float = 4 / 3,
    focal: float = 1.2,
) -> Camera:
    """Place an upright camera slightly behind and above the one that took a view.

    Args:
        world_from_camera: Pose (4, 4) of the camera that took the view, metres.
        points: World coordinates (N, 3) in metres, N >= 1. The outermost 0.2 % may leave the
            picture.
        up: Up direction of the scene in the world frame (3,), of any length.
        tilt: Degrees by which the new camera looks further down.
        aspect: Width of the picture divided by its height.
        focal: See :class:`Camera`.

    Raises:
        InputError: The cloud is empty, or ``up`` is zero.
    """
    points, vertical = _points_and_vertical(points, up)
    axis = world_from_camera[:3, 2]
    right = np.cross(axis, vertical)
    if np.linalg.norm(right) < 0.1:  # it looked straight up or down: keep its own right
        right = world_from_camera[:3, 0]
    right = right / np.linalg.norm(right)
    turn = np.radians(tilt)
    forward = np.cos(turn) * axis + np.sin(turn) * np.cross(axis, right)
    return _fitting_camera(points, forward, right, aspect, focal, percentile=99.8)


def _points_and_vertical(
    points: NDArray[np.floating], up: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(points) == 0:
        raise InputError("the point cloud is empty: there is nothing to look at")
    length = np.linalg.norm(up)
    if not (np.isfinite(length) and length > 0):
        raise InputError(f"the up direction {np.asarray(up).tolist()} is not a direction")
    return np.asarray(points, dtype=np.float64), np.asarray(up, dtype=np.float64) / length


def _shorter_horizontal_axis(
    points: NDArray[np.float64], vertical: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Horizontal direction (3,) of the smallest variance, with a fixed sign."""
    first = np.cross(vertical, np.eye(3)[np.argmin(np.abs(vertical))])
    first /= np.linalg.norm(first)
    basis = np.stack([first, np.cross(vertical, first)], axis=1)
    flat = (points - points.mean(axis=0)) @ basis
    axis = (basis @ np.linalg.eigh(flat.T @ flat)[1][:, 0]).real
    return axis * (1.0 if axis[np.argmax(np.abs(axis))] > 0 else -1.0)


def _fitting_camera(
    points: NDArray[np.float64],
    forward: NDArray[np.float64],
    right: NDArray[np.float64],
    aspect: float,
    focal: float,
    percentile: float,
) -> Camera:
    """Place the camera of a given direction as near as the points allow.

    Points beyond ``percentile`` on each side may stay outside the picture.

    In the camera's axes a point at (x, z) is within the left and right edges of a camera at
    (cx, cz) if |x - cx| <= t (z - cz), where t is the tangent of half the field of view. So the
    largest x - t z and the largest -x - t z give cx and cz, and likewise for y.
    """
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    local = points @ rotation
    tangents = 0.96 * np.array([aspect, 1.0]) / (2 * focal)  # 0.96 leaves a margin
    slanted = local[:, 2:] * tangents
    beyond_high = np.percentile(local[:, :2] - slanted, percentile, axis=0)
    beyond_low = np.percentile(-local[:, :2] - slanted, percentile, axis=0)
    middle = (beyond_high - beyond_low) / 2
    retreat = np.max((beyond_high + beyond_low) / (2 * tangents))
    nearest = np.percentile(local[:, 2], 100 - percentile)
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = rotation
    # a cloud with no width to fit is seen from 30 cm
    world_from_camera[:3, 3] = rotation @ np.append(middle, min(-retreat, nearest - 0.3))
    return Camera(world_from_camera, focal)
