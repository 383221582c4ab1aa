"""Tiny RGB-D recordings that are right: a box room with exact depth, poses and intrinsics.

Rows start from one of these and change what their report is about. Depth is whole millimetres, the
world is ``tests.helpers.small_scenes``' room: 4 x 3 x 2.5 m, z up, six flat colours.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import pixel_rays
from pointcontrast.recordings.rgbd.sens.writer import SensFrame
from pointcontrast.types import Frame
from tests.helpers import small_scenes
from tests.helpers.small_sens import write_small

PREPARE_SMALL = (
    "--overlap-voxel-size", "0.2", "--storage-grid", "0", "--num-workers", "1",
)  # fmt: skip
"""Options of ``tools/prepare_pairs.py`` under which so coarse frames overlap as they should.

Several scenes are prepared in one process, because workers take seconds to start.
"""


def box_room_frames(count: int = 5, step: float = 0.25) -> list[Frame]:
    """Frames of 40 x 30 pixels of a camera that turns by ``step`` radians between them."""
    return small_scenes.walk(count, step, shrink=4)


def walking_frames(count: int = 5, step: float = 0.2) -> list[Frame]:
    """As :func:`box_room_frames`, but the camera also moves: wrong poses do not fit by chance."""
    return [
        small_scenes.render(
            small_scenes.look(step * i, 0.05 * i - 0.4, (0.2 * i - 0.6, 0.15 * i, 1.2 + 0.06 * i)),
            f"frame-{i:06d}",
            shrink=4,
        )
        for i in range(count)
    ]  # fmt: skip


def write_seven_scenes(folder: Path, frames: list[Frame] | None = None) -> Path:
    """Write the 7-Scenes layout, ``frame-NNNNNN.{color,depth,pose}``; return the folder."""
    return small_scenes.write_seven_scenes(folder, walking_frames() if frames is None else frames)


def write_image_folder(folder: Path, frames: list[Frame] | None = None) -> Path:
    """Write ``images/ depth/ poses.txt K.txt``; return the folder."""
    return small_scenes.write_image_folder(folder, walking_frames() if frames is None else frames)


def write_sens_folder(folder: Path, frames: list[Frame] | None = None) -> Path:
    """Write ``scan.sens`` into ``folder``; return the folder."""
    folder.mkdir(parents=True)
    frames = walking_frames() if frames is None else frames
    sens = [
        SensFrame(
            color=np.asarray(frame.color),
            depth=millimetres(frame.depth),
            world_from_camera=frame.world_from_camera,
        )
        for frame in frames
    ]
    intrinsics = frames[0].intrinsics
    write_small(folder, sens, depth_intrinsics=intrinsics, color_intrinsics=intrinsics)
    return folder


def millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth in metres as whole millimetres, as files hold it."""
    return np.rint(depth * 1000).astype(np.uint16)


def world_points(frames: list[Frame]) -> NDArray[np.float64]:
    """All points of the frames in the world, (N, 3) metres: the truth of a prepared scene."""
    clouds = []
    for frame in frames:
        height, width = frame.depth.shape
        rays = pixel_rays(height, width, frame.intrinsics)
        seen = (rays * frame.depth[..., None]).reshape(-1, 3)
        pose = frame.world_from_camera
        clouds.append(seen @ pose[:3, :3].T + pose[:3, 3])
    return np.concatenate(clouds)


def off_the_walls(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distance of points from the nearest wall, (N,) metres: 0 where all is right."""
    sides = np.abs(np.stack([points - small_scenes.LOW, points - small_scenes.HIGH]))
    return sides.min(axis=(0, 2))
