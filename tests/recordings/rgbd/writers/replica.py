"""Replica as NICE-SLAM rendered it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from pointcontrast.types import Frame


def write_replica(folder: Path, frames: list[Frame], units_per_metre: float = 6553.5) -> Path:
    """Write ``results/ traj.txt``, and ``cam_params.json`` beside the folder's name."""
    (folder / "results").mkdir(parents=True)
    for index, frame in enumerate(frames):
        units = np.rint(np.asarray(frame.depth, np.float64) * units_per_metre).astype(np.uint16)
        Image.fromarray(units).save(folder / "results" / f"depth{index:06d}.png")
        color = Image.fromarray(np.asarray(frame.color))
        color.save(folder / "results" / f"frame{index:06d}.png")
    np.savetxt(folder / "traj.txt", [frame.world_from_camera.ravel() for frame in frames])
    matrix = frames[0].intrinsics
    height, width = frames[0].depth.shape
    camera = {
        "w": width,
        "h": height,
        "fx": matrix[0, 0],
        "fy": matrix[1, 1],
        "cx": matrix[0, 2],
        "cy": matrix[1, 2],
        "scale": units_per_metre,
    }
    (folder / "cam_params.json").write_text(json.dumps({"camera": camera}))
    return folder
