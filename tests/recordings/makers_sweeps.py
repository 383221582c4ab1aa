"""A LiDAR that drives through a street, and writers of its sweeps in the layouts of datasets.

The street has a ground, two rows of houses of different depth, an end, poles and parked cars, so
that only the right poses put the sweeps together. z is up, the LiDAR has x forward and y left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import rotation_about

# Camera from LiDAR, near KITTI's: x forward, y left, z up becomes x right, y down, z forward.
TR = np.array([[0, -1, 0, -0.02], [0, 0, -1, -0.06], [1, 0, 0, -0.33], [0, 0, 0, 1.0]])
NUM_BEAMS, NUM_STEPS = 16, 240


@dataclass(frozen=True)
class SimulatedSweep:
    """A sweep in the frame of the LiDAR, and its pose.

    Attributes:
        points: (N, 3) float64 metres, x forward, y left, z up.
        intensity: (N,) float64 0..1, a property of the surface.
        ring: (N,) int64 beam of each point.
        pose: (4, 4) float64 world from sensor.
    """

    points: NDArray[np.float64]
    intensity: NDArray[np.float64]
    ring: NDArray[np.int64]
    pose: NDArray[np.float64]


@cache
def street_boxes() -> NDArray[np.float64]:
    """Boxes of the street, (B, 2, 3): low and high corners, metres."""
    rng = np.random.default_rng(7)
    boxes = [[[-40, -40, -1], [80, 40, 0]]]  # the ground
    for side in (-1, 1):
        for x in np.arange(-30, 70, 8.0):
            near = rng.uniform(6, 10)
            far, height = near + 8, rng.uniform(4, 9)
            ys = sorted([side * near, side * far])
            boxes.append([[x, ys[0], 0], [x + rng.uniform(5, 7.5), ys[1], height]])
        for x in np.arange(-25, 60, 11.0):
            y = side * rng.uniform(4.2, 5)
            boxes.append([[x - 0.15, y - 0.15, 0], [x + 0.15, y + 0.15, 5]])  # a pole
        for x in rng.uniform(-20, 55, 6):
            y = side * rng.uniform(3, 3.6)
            boxes.append([[x - 2.2, y - 0.8, 0.2], [x + 2.2, y + 0.8, 1.5]])  # a parked car
    boxes.append([[68, -30, 0], [70, 30, 9]])  # the end of the street
    return np.array(boxes)


def drive(count: int, step: float = 1.2, turn: float = 0.06) -> list[NDArray[np.float64]]:
    """World from LiDAR of a car that drives a bend; the LiDAR is 1.7 m above the ground."""
    poses = []
    place, heading = np.array([-10.0, -1.0, 1.7]), 0.0
    for i in range(count):
        pose = np.eye(4)
        pose[:3, :3] = rotation_about([0, 0, 1], heading)
        pose[:3, 3] = place
        poses.append(pose)
        heading = turn * count / 6 * np.sin(2 * np.pi * (i + 1) / count)
        place = place + step * np.array([np.cos(heading), np.sin(heading), 0])
    return poses


def scan(
    pose: NDArray[np.float64],
    boxes: NDArray[np.float64] | None = None,
    noise: float = 0.02,
    seed: int = 0,
    steps: int = NUM_STEPS,
) -> SimulatedSweep:
    """What a turning LiDAR at ``pose`` sees, ring after ring, within 60 m."""
    boxes = street_boxes() if boxes is None else boxes
    rng = np.random.default_rng(seed)
    azimuth = np.linspace(-np.pi, np.pi, steps, endpoint=False)
    elevation = np.deg2rad(np.linspace(-15, 15, NUM_BEAMS))
    turn, rise = np.meshgrid(azimuth, elevation)
    rays = np.stack(
        [np.cos(turn) * np.cos(rise), np.sin(turn) * np.cos(rise), np.sin(rise)], axis=-1
    ).reshape(-1, 3)
    ring = np.repeat(np.arange(NUM_BEAMS), steps)
    world = rays @ pose[:3, :3].T
    world = np.where(np.abs(world) < 1e-9, 1e-9, world)
    low, high = boxes[:, 0] - pose[:3, 3], boxes[:, 1] - pose[:3, 3]  # (B, 3)
    first, second = low[None] / world[:, None], high[None] / world[:, None]  # (R, B, 3)
    enter = np.minimum(first, second).max(axis=2)
    leave = np.maximum(first, second).min(axis=2)
    hit = np.where((enter <= leave) & (leave > 0), np.where(enter > 0, enter, leave), np.inf)
    box = hit.argmin(axis=1)
    distance = hit.min(axis=1)
    seen = distance < 60
    distance = distance[seen] + rng.normal(0, noise, int(seen.sum()))
    intensity = np.clip(0.1 + 0.8 * ((box[seen] * 37) % 101) / 101, 0, 1)
    return SimulatedSweep(rays[seen] * distance[:, None], intensity, ring[seen], pose)


def street_sweeps(count: int = 6, step: float = 1.2, noise: float = 0.02) -> list[SimulatedSweep]:
    """Sweeps of :func:`drive`."""
    return [scan(pose, noise=noise, seed=i) for i, pose in enumerate(drive(count, step))]


def columns(sweep: SimulatedSweep, width: int = 4) -> NDArray[np.float64]:
    """(N, width) as datasets store them: x y z, intensity (0..1, 0..255 from 5 on), ring, time."""
    count = len(sweep.points)
    intensity = sweep.intensity if width == 4 else np.rint(255 * sweep.intensity)
    more = [intensity, sweep.ring, np.linspace(-0.1, 0, count), np.ones(count), np.zeros(count)]
    return np.column_stack([sweep.points, *more[: width - 3]])


def write_sweep_folder(
    folder: Path,
    sweeps: list[SimulatedSweep],
    *,
    width: int = 4,
    dtype: str = "<f4",
    name: str = "{:06d}.bin",
    sweep_folder: str = "sweeps",
) -> Path:
    """Write ``sweeps/*.bin`` and ``poses.txt`` (12 numbers, world from sensor)."""
    (folder / sweep_folder).mkdir(parents=True)
    for i, sweep in enumerate(sweeps):
        columns(sweep, width).astype(dtype).tofile(folder / sweep_folder / name.format(i))
    write_poses(folder / "poses.txt", [sweep.pose for sweep in sweeps])
    return folder


def write_kitti(root: Path, sweeps: list[SimulatedSweep], name: str = "04") -> Path:
    """Write ``sequences/NAME`` as SemanticKITTI has it: camera poses, and ``Tr``."""
    folder = write_sweep_folder(root / "sequences" / name, sweeps, sweep_folder="velodyne")
    first = np.linalg.inv(sweeps[0].pose)
    write_poses(
        folder / "poses.txt", [TR @ first @ each.pose @ np.linalg.inv(TR) for each in sweeps]
    )
    rows = {f"P{i}": np.eye(4)[:3] for i in range(4)} | {"Tr": TR[:3]}
    (folder / "calib.txt").write_text(
        "".join(f"{key}: {' '.join(map(str, rows[key].ravel()))}\n" for key in rows)
    )
    return folder


def write_poses(path: Path, poses: list[NDArray[np.float64]]) -> None:
    """Write rows of 12 numbers."""
    np.savetxt(path, [pose[:3].ravel() for pose in poses])


def world_points(sweeps: list[SimulatedSweep]) -> NDArray[np.float64]:
    """All points in the world, (N, 3) metres: the truth of a prepared scene."""
    return np.concatenate([each.points @ each.pose[:3, :3].T + each.pose[:3, 3] for each in sweeps])
