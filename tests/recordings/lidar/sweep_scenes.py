"""Recordings of sweeps in memory, right and wrong, for the check of their conventions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import rotation_about
from pointcontrast.recordings.sequence import FrameError, PosedSequence
from pointcontrast.types import PointCloud, Sweep
from tests.recordings.makers_sweeps import TR, drive, scan, street_boxes

Poses = list[NDArray[np.float64]]


class SweepsInMemory(PosedSequence):
    """Sweeps with the poses that a recording claims."""

    layout = "memory"
    name = "memory"
    folder = Path("drive")

    def __init__(self, clouds: list[NDArray[np.float64]], poses: Poses) -> None:
        self.clouds, self.poses = clouds, poses
        self.frame_ids = tuple(f"{i:06d}" for i in range(len(clouds)))
        self.num_read = 0

    def pose(self, index: int) -> NDArray[np.float64]:
        if np.isnan(self.poses[index]).any():
            raise FrameError("no pose")
        return self.poses[index]

    def read(self, index: int) -> Sweep:
        self.num_read += 1
        cloud = PointCloud(self.clouds[index].astype(np.float32))
        return Sweep(self.frame_ids[index], cloud, self.pose(index))

    def files(self) -> list[Path]:
        return []


def rooms() -> NDArray[np.float64]:
    """Boxes of two furnished rooms with a door between them."""
    rng = np.random.default_rng(3)
    boxes = [[[-4, -3, -0.1], [8, 3, 0]], [[-4, -3, 2.6], [8, 3, 2.7]]]
    boxes += [[[-4.1, -3, 0], [-4, 3, 2.6]], [[8, -3, 0], [8.1, 3, 2.6]]]
    boxes += [[[-4, -3.1, 0], [8, -3, 2.6]], [[-4, 3, 0], [8, 3.1, 2.6]]]
    boxes += [[[2, -3, 0], [2.1, -0.6, 2.6]], [[2, 0.6, 0], [2.1, 3, 2.6]]]
    for _ in range(14):
        place, size = rng.uniform([-3.5, -2.6, 0], [7, 2.4, 0.01]), rng.uniform(0.3, 1.1, 3)
        if abs(place[1] + size[1] / 2) > 0.9:  # not in the way
            boxes.append([place, place + size])
    return np.array(boxes)


def walk(count: int) -> Poses:
    """World from sensor of a person who carries a LiDAR, tilted, through the rooms."""
    poses = []
    for i in range(count):
        pose = np.eye(4)
        pose[:3, :3] = rotation_about([0, 0, 1], 0.3 * np.sin(0.5 * i)) @ rotation_about(
            [0.3, 1, 0], 0.2 * np.sin(0.9 * i)
        )
        pose[:3, 3] = -3 + 8.0 * i / count, 0.25 * np.sin(0.7 * i), 1.4 + 0.1 * np.sin(i)
        poses.append(pose)
    return poses


def loop(count: int) -> Poses:
    """World from sensor around a block: back to the start."""
    poses = []
    for angle in np.linspace(0, 2 * np.pi, count, endpoint=False):
        pose = np.eye(4)
        pose[:3, :3] = rotation_about([0, 0, 1], angle + np.pi / 2)
        pose[:3, 3] = 15 + 3.0 * np.cos(angle), 2.0 * np.sin(angle), 1.7
        poses.append(pose)
    return poses


def straight(count: int) -> Poses:
    """World from sensor straight along the street."""
    poses = drive(count, turn=0.0)
    assert all(np.array_equal(pose[:3, :3], np.eye(3)) for pose in poses)
    return poses


def clouds_of(
    poses: Poses, boxes: NDArray[np.float64], noise: float = 0.02, moving: int = 0
) -> list[NDArray[np.float64]]:
    """Sweeps at the poses, with ``moving`` cars that drive through the scene."""
    clouds = []
    for i, pose in enumerate(poses):
        cars = [
            [[x0 + 2.0 * i, y - 0.9, 0.2], [x0 + 2.0 * i + 4.2, y + 0.9, 1.6]]
            for x0, y in [(-15, 2.0), (-30, 2.2), (0, -2.5), (10, 2.0), (-8, -3.0)][:moving]
        ]
        all_boxes = np.concatenate([boxes, np.array(cars).reshape(-1, 2, 3)])
        clouds.append(scan(pose, all_boxes, noise=noise, seed=i, steps=360).points)
    return clouds


def camera_poses(poses: Poses) -> Poses:
    """KITTI's: those of the camera, in the world of its first position."""
    first = np.linalg.inv(poses[0])
    return [np.asarray(TR @ first @ pose @ np.linalg.inv(TR)) for pose in poses]


def turned(poses: Poses) -> Poses:
    """Those of a vehicle with x forward, where the LiDAR has y forward (nuScenes)."""
    quarter = np.eye(4)
    quarter[:3, :3] = rotation_about([0, 0, 1], np.pi / 2)
    return [np.asarray(pose @ quarter) for pose in poses]


def inverted(poses: Poses) -> Poses:
    return [np.array(np.linalg.inv(pose), dtype=np.float64) for pose in poses]


def by_columns(poses: Poses) -> Poses:
    changed = [pose.copy() for pose in poses]
    for pose in changed:
        pose[:3, :3] = pose[:3, :3].T
    return changed


def opengl_poses(poses: Poses) -> Poses:
    axes = np.diag([1.0, -1.0, -1.0, 1.0])
    return [pose @ axes for pose in camera_poses(poses)]


WRONG: dict[str, tuple[Callable[[Poses], Poses], str]] = {
    "inverted": (inverted, "--poses inverse"),
    "KITTI's camera": (camera_poses, "--axes opencv"),
    "KITTI's camera, inverted": (
        lambda poses: inverted(camera_poses(poses)),
        "--poses inverse --axes opencv",
    ),
    "OpenGL's camera": (opengl_poses, "--axes opengl"),
    "a vehicle's": (turned, "write the poses of the sensor itself"),
    "by columns": (by_columns, "the rotations transposed"),
}

SCENES: dict[str, Callable[[], tuple[list[NDArray[np.float64]], Poses]]] = {
    "street": lambda: (clouds_of(drive(12), street_boxes()), drive(12)),
    "rooms": lambda: (clouds_of(walk(16), rooms(), 0.01), walk(16)),
    "loop": lambda: (clouds_of(loop(16), street_boxes()), loop(16)),
}
