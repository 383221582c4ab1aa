"""Record3D: the folder of its export "EXR + JPG sequence"; not its own ``.r3d`` files.

``rgb/0.jpg``, ``depth/0.exr`` (float metres) and ``metadata.json``: ``poses``, a row ``qx qy qz qw
tx ty tz`` per frame, which maps the camera to the world, with OpenGL's axes; ``K``, the pinhole
matrix by columns; ``w`` and ``h`` of the colour images. The world is ARKit's, whose y axis points
up.

Sources: nerfstudio-project/nerfstudio, ``nerfstudio/process_data/record3d_utils.py`` (which takes
the middle of the image for the principal point; here K is taken whole) and
``docs/quickstart/custom_dataset.md``. A ``.r3d`` file is an archive of ``metadata``, ``rgbd/0.jpg``
and ``rgbd/0.depth``; the latter is compressed with Apple's LZFSE.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import read_json
from pointcontrast.recordings.frame_order import numeric_order
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.quaternions import rotation_from_quaternion
from pointcontrast.recordings.rgbd.images.color_images import COLOR_SUFFIXES
from pointcontrast.recordings.rgbd.images.depth_images import DEPTH_SUFFIXES
from pointcontrast.recordings.rgbd.images.image_listing import images_in
from pointcontrast.recordings.rgbd.images.intrinsics import check_intrinsics
from pointcontrast.recordings.rgbd.posed_images import ImageFrame, ImageRecording, PosedImages
from pointcontrast.recordings.sequence import FrameError

_METADATA = "metadata.json"
_HALF = 0.5  # of a pixel: this project's centre of the top left pixel is at (0, 0)


class Record3DSequence(PosedImages):
    """A folder of ``rgb/``, ``depth/`` and ``metadata.json``."""

    layout = "record3d"
    description = "Record3D's export EXR + JPG sequence: rgb/, depth/ and metadata.json"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        if not all((folder / name).is_dir() for name in ("rgb", "depth")):
            return False
        try:
            return (folder / _METADATA).is_file() and {"poses", "K"} <= _read(folder).keys()
        except InputError:
            return False

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a folder; see the base class."""
        super().__init__(folder, options)
        self.up = np.array([0.0, 1.0, 0.0])

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        path = folder / _METADATA
        metadata = _read(folder)
        depths = images_in(folder / "depth", DEPTH_SUFFIXES)
        colors = images_in(folder / "rgb", COLOR_SUFFIXES)
        poses = metadata["poses"]
        frame_ids = sorted({*depths, *colors}, key=numeric_order)
        if not isinstance(poses, list) or len(poses) != len(frame_ids):
            count = len(poses) if isinstance(poses, list) else 0
            raise InputError(
                f"{path} has {count} poses for {len(frame_ids)} frames in {folder}; export the "
                "recording again"
            )
        matrix, size = None, None
        if options.intrinsics is None:
            matrix, size = _intrinsics(metadata, path)
        return ImageRecording(
            frames=tuple(
                ImageFrame(
                    frame_id=frame_id,
                    depth=depths.get(frame_id),
                    color=colors.get(frame_id),
                    pose=_pose(pose, f"{path}: pose {index}"),
                    pose_place=f"{path}: pose {index}",
                )
                for index, (frame_id, pose) in enumerate(zip(frame_ids, poses, strict=True))
            ),
            intrinsics=matrix,
            intrinsics_size=size,
            axes="opengl",
            texts=(path,),
        )


def _read(folder: Path) -> dict[str, Any]:
    path = folder / _METADATA
    content = read_json(path)
    return content if isinstance(content, dict) else {}


def _pose(row: object, where: str) -> NDArray[np.float64] | FrameError:
    """Return the (4, 4) matrix of a quaternion and a translation, or why there is none."""
    try:
        numbers = np.array(row, dtype=np.float64)
        if numbers.shape != (7,):
            return FrameError(f"{where} holds {numbers.size} numbers, not qx qy qz qw tx ty tz")
        pose = np.eye(4)
        pose[:3, :3] = rotation_from_quaternion(numbers[:4], where)
        pose[:3, 3] = numbers[4:]
    except (TypeError, ValueError, OverflowError) as error:
        known = isinstance(error, InputError)
        return FrameError(str(error) if known else f"{where} is not numbers")
    return pose


def _intrinsics(
    metadata: dict[str, Any], path: Path
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    matrix = np.eye(3)
    try:
        matrix = np.array(metadata["K"], dtype=np.float64).reshape(3, 3).T.copy()
        size = int(metadata["w"]), int(metadata["h"])
    except (KeyError, TypeError, ValueError, OverflowError):
        size = 0, 0
    if min(size) < 1:
        raise InputError(
            f"{path} lacks K (9 numbers), w or h; export it again, or pass --intrinsics fx fy cx "
            "cy of the depth images"
        )
    matrix[:2, 2] -= _HALF
    return check_intrinsics(matrix, f"{path}: K"), size
