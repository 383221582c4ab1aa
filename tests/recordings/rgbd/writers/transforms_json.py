"""``transforms.json`` of nerfstudio, with colour and depth images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pointcontrast.recordings.rgbd.pose_conventions import as_recorded
from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import millimetres

Edit = Callable[[dict[str, Any]], object]


def write_transforms(
    folder: Path, frames: list[Frame], edit: Edit | None = None, per_frame: bool = False
) -> Path:
    """Write ``images/ depth/ transforms.json``; ``edit`` changes the content before it is written.

    ``per_frame`` puts the intrinsics into each frame.
    """
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True)
    matrix = frames[0].intrinsics
    height, width = frames[0].depth.shape
    # nerfstudio's centre of the top left pixel is (0.5, 0.5)
    intrinsics = {
        "fl_x": matrix[0, 0],
        "fl_y": matrix[1, 1],
        "cx": matrix[0, 2] + 0.5,
        "cy": matrix[1, 2] + 0.5,
        "w": width,
        "h": height,
    }
    content: dict[str, Any] = {"camera_model": "OPENCV", **({} if per_frame else intrinsics)}
    content["frames"] = []
    for number, frame in enumerate(frames, 1):
        name = f"frame_{number:05d}"
        Image.fromarray(np.asarray(frame.color)).save(folder / "images" / f"{name}.png")
        Image.fromarray(millimetres(frame.depth)).save(folder / "depth" / f"{name}.png")
        content["frames"].append(
            {
                "file_path": f"./images/{name}.png",
                "depth_file_path": f"./depth/{name}.png",
                "transform_matrix": as_recorded(
                    frame.world_from_camera, "camera_to_world", "opengl"
                ).tolist(),
                **(intrinsics if per_frame else {}),
            }
        )
    if edit is not None:
        edit(content)
    (folder / "transforms.json").write_text(json.dumps(content, indent=4))
    return folder
