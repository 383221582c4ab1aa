"""A sequence of SUN3D."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import millimetres


def write_sun3d(folder: Path, frames: list[Frame]) -> Path:
    """Write ``image/ depth/ extrinsics/ intrinsics.txt``; depth starts half a frame later."""
    for name in ("image", "depth", "extrinsics"):
        (folder / name).mkdir(parents=True)
    for index, frame in enumerate(frames):
        time = 33_333 * index
        name = f"{index + 1:07d}-{time:012d}.png"
        Image.fromarray(np.asarray(frame.color)).save(folder / "image" / name)
        units = millimetres(frame.depth)
        rotated = (units << 3) | (units >> 13)
        name = f"{index + 1:07d}-{time + 14_000:012d}.png"
        Image.fromarray(rotated).save(folder / "depth" / name)
    rows = np.concatenate([frame.world_from_camera[:3] for frame in frames])
    np.savetxt(folder / "extrinsics" / "20130512130736.txt", np.zeros_like(rows))  # an older one
    np.savetxt(folder / "extrinsics" / "20140804145813.txt", rows)
    matrix = frames[0].intrinsics.copy()
    matrix[:2, 2] += 1  # MATLAB counts pixels from 1
    np.savetxt(folder / "intrinsics.txt", matrix)
    return folder
