"""Axes of the frames whose poses recordings of sweeps give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointcontrast.recordings.options import RecordingOptions

AXES = {
    "opencv": np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]),
    "opengl": np.array([[0, -1, 0, 0], [0, 0, 1, 0], [-1, 0, 0, 0], [0, 0, 0, 1.0]]),
}
"""Camera from LiDAR for a camera that looks along x of a LiDAR with y left and z up, (4, 4)."""


def stated_pose(pose: NDArray[np.float64], options: RecordingOptions) -> NDArray[np.float64]:
    """Apply a user's statements, direction and axes, to a recorded (4, 4) pose."""
    if options.poses == "inverse":
        pose = np.asarray(np.linalg.inv(pose), dtype=np.float64)
    if options.axes is None:
        return pose
    camera_from_lidar = AXES[options.axes]
    return camera_from_lidar.T @ pose @ camera_from_lidar
