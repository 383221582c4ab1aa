"""Polycam's raw export.

The world is that of the frames, whose z axis points up; in a real export it is y.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from pointcontrast.recordings.rgbd.pose_conventions import as_recorded
from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import millimetres


def write_polycam(
    folder: Path, frames: list[Frame], corrected: bool = True, color_scale: int = 1
) -> Path:
    """Write ``keyframes/``; ``color_scale`` times as many colour pixels a side as depth pixels."""
    cameras = "corrected_cameras" if corrected else "cameras"
    images = "corrected_images" if corrected else "images"
    keyframes = folder / "keyframes"
    for name in (cameras, images, "depth", "confidence"):
        (keyframes / name).mkdir(parents=True)
    for index, frame in enumerate(frames):
        name = str(1_659_731_212_000_000 + 500_000 * index)
        color = np.asarray(frame.color).repeat(color_scale, 0).repeat(color_scale, 1)
        Image.fromarray(color).save(keyframes / images / f"{name}.png")
        Image.fromarray(millimetres(frame.depth)).save(keyframes / "depth" / f"{name}.png")
        sure = np.full(frame.depth.shape, 255, np.uint8)
        Image.fromarray(sure).save(keyframes / "confidence" / f"{name}.png")
        pose = as_recorded(frame.world_from_camera, "camera_to_world", "opengl")
        matrix = frame.intrinsics
        camera = {
            **{f"t_{i}{j}": pose[i, j] for i in range(3) for j in range(4)},
            "fx": matrix[0, 0] * color_scale,
            "fy": matrix[1, 1] * color_scale,
            "cx": (matrix[0, 2] + 0.5) * color_scale,
            "cy": (matrix[1, 2] + 0.5) * color_scale,
            "width": color.shape[1],
            "height": color.shape[0],
            "blur_score": 100.0,
        }
        (keyframes / cameras / f"{name}.json").write_text(json.dumps(camera))
    return folder
