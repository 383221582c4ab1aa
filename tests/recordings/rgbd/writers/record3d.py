"""Record3D's export "EXR + JPG sequence".

The world is that of the frames, whose z axis points up; in a real export it is y.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image
from scipy.spatial.transform import Rotation

from pointcontrast.recordings.rgbd.pose_conventions import as_recorded
from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import millimetres


def write_record3d(folder: Path, frames: list[Frame]) -> Path:
    """Write ``rgb/ depth/ metadata.json``; depth in float metres, whole millimetres of them."""
    for name in ("rgb", "depth"):
        (folder / name).mkdir(parents=True)
    poses = []
    for index, frame in enumerate(frames):
        Image.fromarray(np.asarray(frame.color)).save(folder / "rgb" / f"{index}.png")
        depth = (millimetres(frame.depth) / 1000.0).astype(np.float32)
        header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
        OpenEXR.File(header, {"Z": depth}).write(str(folder / "depth" / f"{index}.exr"))
        pose = as_recorded(frame.world_from_camera, "camera_to_world", "opengl")
        quaternion = Rotation.from_matrix(pose[:3, :3]).as_quat()
        poses.append([*quaternion, *pose[:3, 3]])
    matrix = frames[0].intrinsics.copy()
    matrix[:2, 2] += 0.5
    height, width = frames[0].depth.shape
    content = {"w": width, "h": height, "fps": 60, "K": matrix.T.ravel().tolist(), "poses": poses}
    (folder / "metadata.json").write_text(json.dumps(content))
    return folder
