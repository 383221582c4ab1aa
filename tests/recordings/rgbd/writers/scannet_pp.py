"""Writer of the extracted frames of ScanNet++'s iPhone recordings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pointcontrast.types import Frame
from tests.helpers import small_scenes
from tests.recordings.rgbd.writers.pose_tables import in_units, save_image

LARGE = small_scenes.INTRINSICS * np.array([[12.0], [12.0], [1.0]])
"""Intrinsics of the small scenes' camera with images of 1920 x 1440 pixels."""
LARGE[:2, 2] += 5.5


def write_scannet_pp(
    folder: Path, frames: Sequence[Frame], *, camera: NDArray[np.float64] | None = None
) -> Path:
    """Write the extracted frames of ScanNet++'s iPhone data; ``camera`` is that of 1920 x 1440."""
    camera = LARGE if camera is None else camera
    content = {}
    for number, frame in enumerate(frames):
        name = f"frame_{number:06d}"
        save_image(folder / "depth" / f"{name}.png", in_units(frame.depth, 1000))
        path = folder / "rgb" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(frame.color)).save(path, quality=95, subsampling=0)
        content[name] = {
            "timestamp": number / 60,
            "pose": (np.eye(4) + np.eye(4, k=3) * 50).tolist(),
            "intrinsic": camera.tolist(),
            "imu": {},
            "aligned_pose": frame.world_from_camera.tolist(),
        }
    (folder / "pose_intrinsic_imu.json").write_text(json.dumps(content))
    return folder
