"""A tiny room with closed-form depth, and writers of it in the raw RGB-D layouts.

The room is the inside of the box ``LOW``..``HIGH`` with z up; its walls have six flat colours.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pointcontrast.geometry import pixel_rays
from pointcontrast.types import Frame

LOW = np.array([-2.0, -1.5, 0.0])
HIGH = np.array([2.0, 1.5, 2.5])
WIDTH, HEIGHT = 160, 120
INTRINSICS = np.array([[140.0, 0.0, 79.5], [0.0, 140.0, 59.5], [0.0, 0.0, 1.0]])


def look(yaw: float, pitch: float = -0.5, position=(0.0, 0.0, 1.4)) -> NDArray[np.float64]:
    """Pose of a level camera at ``position`` that looks along yaw, up by pitch (radians)."""
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = position
    return pose


def render(pose: NDArray[np.float64], frame_id: str = "f", shrink: int = 1) -> Frame:
    """What a camera in the room sees, without noise; ``shrink`` divides the image's size."""
    intrinsics = INTRINSICS.copy()
    intrinsics[:2] /= shrink
    intrinsics[:2, 2] += 0.5 / shrink - 0.5  # pixel centres are whole numbers
    rays = pixel_rays(HEIGHT // shrink, WIDTH // shrink, intrinsics) @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        ends = np.where(rays > 0, HIGH - pose[:3, 3], LOW - pose[:3, 3]) / rays
    depth = ends.min(axis=2)
    wall = ends.argmin(axis=2)
    side = np.take_along_axis(rays, wall[..., None], axis=2)[..., 0] > 0
    color = np.stack([60 + 80 * wall, np.where(side, 200, 40), np.full_like(wall, 90)], axis=2)
    return Frame(frame_id, depth.astype(np.float32), color.astype(np.uint8), intrinsics, pose)


def walk(num_frames: int, step: float = 0.25, shrink: int = 1) -> list[Frame]:
    """Frames of a camera that turns in the middle of the room."""
    return [render(look(step * i), f"frame-{i:06d}", shrink) for i in range(num_frames)]


def save_depth(path: Path, depth: NDArray) -> None:
    """Write metres as 16-bit millimetres."""
    Image.fromarray(np.rint(depth * 1000).astype(np.uint16)).save(path)


def write_seven_scenes(folder: Path, frames: list[Frame], suffix: str = "png") -> Path:
    """Write frames as ``frame-NNNNNN.{color,depth,pose}``."""
    folder.mkdir(parents=True)
    np.savetxt(folder / "camera-intrinsics.txt", frames[0].intrinsics)
    for frame in frames:
        Image.fromarray(frame.color).save(folder / f"{frame.frame_id}.color.{suffix}")
        save_depth(folder / f"{frame.frame_id}.depth.png", frame.depth)
        np.savetxt(folder / f"{frame.frame_id}.pose.txt", frame.world_from_camera)
    return folder


def write_image_folder(folder: Path, frames: list[Frame]) -> Path:
    """Write frames as ``images/ depth/ poses.txt K.txt``."""
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True)
    np.savetxt(folder / "K.txt", frames[0].intrinsics)
    np.savetxt(folder / "poses.txt", [frame.world_from_camera.ravel() for frame in frames])
    for i, frame in enumerate(frames):
        Image.fromarray(frame.color).save(folder / "images" / f"{i:05d}.png")
        save_depth(folder / "depth" / f"{i:05d}.png", frame.depth)
    return folder
