"""Axes of the frames whose poses recordings of sweeps give."""

from __future__ import annotations

import numpy as np

AXES = {
    "opencv": np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]),
    "opengl": np.array([[0, -1, 0, 0], [0, 0, 1, 0], [-1, 0, 0, 0], [0, 0, 0, 1.0]]),
}
"""Camera from LiDAR for a camera that looks along x of a LiDAR with y left and z up, (4, 4)."""
