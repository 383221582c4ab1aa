"""The extracted frames of ScanNet++'s iPhone recordings, ``data/SCENE/iphone/``.

``iphone/prepare_iphone_data.py`` of scannetpp/scannetpp extracts ``rgb/frame_000000.jpg`` (1920 x
1440) and ``depth/frame_000000.png`` (256 x 192, 16 bits, millimetres) from the ``rgb.mkv`` and
``depth.bin`` of the release. ``pose_intrinsic_imu.json`` holds for each frame (as read by
iphone/arkit_pcl.py):

* ``aligned_pose``: 4 x 4, camera to world in the frame of the laser scan, metres, x right, y down,
  z forward; the world has z up (scannetpp/scannetpp, issue 25). In a file that has only ``pose``,
  ARKit's own, that is taken, with y up.
* ``intrinsic``: 3 x 3 of the colour image, scaled to the depth image, which shows the same view.

Frames of the file that were not extracted, in colour and in depth, are left out and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import read_json
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.images.color_images import COLOR_SUFFIXES
from pointcontrast.recordings.rgbd.images.depth_images import DEPTH_SUFFIXES
from pointcontrast.recordings.rgbd.images.image_listing import images_in
from pointcontrast.recordings.rgbd.images.intrinsics import check_intrinsics
from pointcontrast.recordings.rgbd.posed_images import ImageFrame, ImageRecording, PosedImages
from pointcontrast.recordings.sequence import FrameError

_FILE = "pose_intrinsic_imu.json"
_COLOR_SIZE = (1920, 1440)
_EXTRACT = "extract them with iphone/prepare_iphone_data.py of scannetpp/scannetpp"


class ScanNetPPSequence(PosedImages):
    """One folder of ``rgb/``, ``depth/`` and ``pose_intrinsic_imu.json``, or of a whole scene."""

    layout = "scannet_pp"
    description = "ScanNet++ (iPhone): rgb/, depth/ and pose_intrinsic_imu.json"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        return (_frames_folder(folder) / _FILE).is_file()

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        folder = _frames_folder(folder)
        path = folder / _FILE
        content = _read_frames(path)
        depths, colors = (
            _images(folder / "depth", DEPTH_SUFFIXES),
            _images(folder / "rgb", COLOR_SUFFIXES),
        )
        names = [name for name in sorted(content) if name in depths]
        if not names:
            raise InputError(f"{folder / 'depth'} holds no frame of {_FILE}; {_EXTRACT}")
        used = [name for name in names if name in colors] if colors else names
        if not used:
            raise InputError(f"{folder / 'rgb'} holds no frame of depth/; {_EXTRACT}")
        notes: tuple[str, ...] = ()
        if len(used) < len(content):
            notes += (
                f"{path}: {len(content) - len(used)} of its {len(content)} frames are left out: "
                "they are not extracted",
            )
        if not colors:
            notes += (f"{folder / 'rgb'} is absent or empty: frames have no colour",)
        aligned = any(isinstance(e, dict) and "aligned_pose" in e for e in content.values())
        self.up = np.array([0.0, 0.0, 1.0] if aligned else [0.0, 1.0, 0.0])
        key = "aligned_pose" if aligned else "pose"
        given = options.intrinsics
        frames = tuple(
            _frame(name, content[name], key, (depths[name], colors.get(name)), path, given)
            for name in used
        )
        return ImageRecording(
            frames=frames,
            intrinsics=next((f.intrinsics for f in frames if f.intrinsics is not None), given),
            intrinsics_size=_COLOR_SIZE,
            texts=(path,),
            notes=notes,
        )


def _frames_folder(folder: Path) -> Path:
    """Return the folder of the iPhone's frames: beside it, a scene has meshes and photographs."""
    inner = folder / "iphone"
    return inner if (inner / _FILE).is_file() else folder


def _frame(
    name: str,
    entry: Any,
    key: str,
    images: tuple[Path, Path | None],
    path: Path,
    given: NDArray[np.float64] | None,
) -> ImageFrame:
    where = f"{path}: {name}: {key}"
    matrix: NDArray[np.float64] | None = None
    try:
        if not isinstance(entry, dict):
            raise FrameError(f"{path}: {name} is not an object")
        pose = _numbers(entry.get(key), (4, 4), where)
        if given is None:
            place = f"{path}: {name}: intrinsic"
            matrix = check_intrinsics(_numbers(entry.get("intrinsic"), (3, 3), place), place)
    except InputError as error:
        pose = error if isinstance(error, FrameError) else FrameError(str(error))
        matrix = None
    return ImageFrame(
        frame_id=name,
        depth=images[0],
        color=images[1],
        pose=pose,
        pose_place=where,
        intrinsics=matrix,
        intrinsics_size=_COLOR_SIZE,
    )


def _numbers(value: Any, shape: tuple[int, int], where: str) -> NDArray[np.float64]:
    try:
        array = np.array(value, dtype=np.float64)
        return array.reshape(shape)
    except (TypeError, ValueError):
        raise FrameError(f"{where} is not a {shape[0]} x {shape[1]} matrix of numbers") from None


def _read_frames(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path} holds no frames (an object with one entry per frame)")
    return content


def _images(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    return images_in(folder, suffixes) if folder.is_dir() else {}
