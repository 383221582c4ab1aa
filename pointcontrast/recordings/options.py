"""What a user states about a recording, in place of what its layout or files say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

PoseDirection = Literal["camera_to_world", "inverse"]
CameraAxes = Literal["opencv", "opengl", "unity"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordingOptions:
    """Statements about a recording; None leaves each to the recording.

    Attributes:
        intrinsics: (3, 3) pinhole matrix of the depth images, pixels.
        depth_scale: Units of the depth images per metre: 1000 for millimetres, 5000 for TUM RGB-D,
            6553.5 for Replica.
        poses: Direction of the poses: "camera_to_world", or "inverse" where they map the world to
            the camera.
        axes: Axes of the cameras: "opencv" (x right, y down, z forward), "opengl" (x right, y up,
            z backward) or "unity" (x right, y up, z forward in a left-handed world).
        floats_per_point: Numbers per point of sweeps in ``.bin`` files: 4 for KITTI, 5 for
            nuScenes.
        topics: Topics of the sweeps and of their poses in a bag of ROS; "/tf" for the poses takes
            the tree of frames.
        unit: Metres per unit of the coordinates of a mesh or point cloud: 0.001 for millimetres.
    """

    intrinsics: NDArray[np.float64] | None = None
    depth_scale: float | None = None
    poses: PoseDirection | None = None
    axes: CameraAxes | None = None
    floats_per_point: int | None = None
    topics: tuple[str, str] | None = None
    unit: float | None = None
