"""Frames as ScanNet's reader exports them from a ``.sens`` file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import millimetres


def write_scannet_frames(folder: Path, frames: list[Frame], first: int = 0, step: int = 1) -> Path:
    """Write ``color/ depth/ pose/ intrinsic/``, with unpadded numbers and 4 x 4 intrinsics."""
    for name in ("color", "depth", "pose", "intrinsic"):
        (folder / name).mkdir(parents=True)
    matrix = np.eye(4)
    matrix[:3, :3] = frames[0].intrinsics
    for camera in ("depth", "color"):
        np.savetxt(folder / "intrinsic" / f"intrinsic_{camera}.txt", matrix)
        np.savetxt(folder / "intrinsic" / f"extrinsic_{camera}.txt", np.eye(4))
    for index, frame in enumerate(frames):
        number = first + index * step
        Image.fromarray(np.asarray(frame.color)).save(folder / "color" / f"{number}.png")
        Image.fromarray(millimetres(frame.depth)).save(folder / "depth" / f"{number}.png")
        np.savetxt(folder / "pose" / f"{number}.txt", frame.world_from_camera)
    return folder
