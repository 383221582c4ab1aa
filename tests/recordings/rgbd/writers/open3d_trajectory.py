"""A recording of Open3D's reconstruction system."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import millimetres


def write_open3d(folder: Path, frames: list[Frame], log: str = "trajectory.log") -> Path:
    """Write ``color/ depth/ trajectory.log camera_intrinsic.json``."""
    for name in ("color", "depth"):
        (folder / name).mkdir(parents=True)
    lines = []
    for index, frame in enumerate(frames):
        Image.fromarray(np.asarray(frame.color)).save(folder / "color" / f"{index:06d}.png")
        Image.fromarray(millimetres(frame.depth)).save(folder / "depth" / f"{index:06d}.png")
        lines.append(f"{index} {index} {index + 1}")
        lines += [" ".join(map(repr, row)) for row in frame.world_from_camera.tolist()]
    (folder / log).parent.mkdir(exist_ok=True)
    (folder / log).write_text("\n".join(lines) + "\n")
    height, width = frames[0].depth.shape
    by_columns = frames[0].intrinsics.T.ravel().tolist()
    intrinsics = {"width": width, "height": height, "intrinsic_matrix": by_columns}
    (folder / "camera_intrinsic.json").write_text(json.dumps(intrinsics))
    return folder
