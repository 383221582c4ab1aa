"""Polycam's raw export: ``keyframes/{images,depth,cameras}``.

``cameras/TIME.json`` (or ``corrected_cameras/TIME.json``, of the loop-closed poses, with
``corrected_images/``) holds the first three rows of the camera-to-world matrix as ``t_00`` to
``t_23`` in metres, and ``fx fy cx cy width height`` of the colour image; ``depth/TIME.png`` is
smaller, 16 bits, millimetres; ``confidence/TIME.png`` is 0 (low), 127 or 255. Depth of low
confidence is dropped: its makers call it quite unreliable.

Sources: nerfstudio-project/nerfstudio, ``nerfstudio/process_data/polycam_utils.py`` (its cycle of
the rows turns the world's y axis up to z; the columns, which are the axes of the camera, stay:
OpenGL's); PolyCam/polyform, README.md (units, confidence, ARKit's world, whose y axis points up).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import read_json
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.images.color_images import COLOR_SUFFIXES
from pointcontrast.recordings.rgbd.images.confidence import without_confidence
from pointcontrast.recordings.rgbd.images.depth_images import DEPTH_SUFFIXES
from pointcontrast.recordings.rgbd.images.image_listing import images_in
from pointcontrast.recordings.rgbd.images.intrinsics import check_intrinsics
from pointcontrast.recordings.rgbd.posed_images import ImageFrame, ImageRecording, PosedImages
from pointcontrast.recordings.sequence import FrameError

# Folders of the poses and of their images, in order of preference.
_CAMERAS = (("corrected_cameras", "corrected_images"), ("cameras", "images"))
_LEAST_CONFIDENCE = 1
_HALF = 0.5  # of a pixel: this project's centre of the top left pixel is at (0, 0)


class PolycamSequence(PosedImages):
    """A folder with ``keyframes/``."""

    layout = "polycam"
    description = "Polycam's raw export, keyframes/{images,depth,cameras}"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        return any((folder / "keyframes" / cameras).is_dir() for cameras, _ in _CAMERAS)

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a folder; see the base class."""
        super().__init__(folder, options)
        self.up = np.array([0.0, 1.0, 0.0])

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        keyframes = folder / "keyframes"
        if not (keyframes / "depth").is_dir():
            raise InputError(
                f"{keyframes} has no depth/: Polycam measures depth with LiDAR only, in developer "
                "mode; colours alone give no points"
            )
        cameras, images = next(
            (keyframes / cameras, keyframes / images)
            for cameras, images in _CAMERAS
            if (keyframes / cameras).is_dir()
        )
        if not images.is_dir():
            images = keyframes / "images"
        colors = images_in(images, COLOR_SUFFIXES) if images.is_dir() else {}
        depths = images_in(keyframes / "depth", DEPTH_SUFFIXES)
        sure = keyframes / "confidence"
        self._confidences = images_in(sure, (".png",)) if sure.is_dir() else {}
        files = images_in(cameras, (".json",))
        return ImageRecording(
            frames=tuple(
                _frame(name, path, depths.get(name), colors.get(name), options)
                for name, path in files.items()
            ),
            intrinsics=None,
            axes="opengl",
            texts=(*files.values(), *self._confidences.values()),
        )

    def read_depth(self, path: Path, index: int) -> NDArray[np.float32]:
        """Read a depth image, without depth of low confidence."""
        depth = super().read_depth(path, index)
        confidence = self._confidences.get(self.frame_ids[index])
        if confidence is None:
            return depth
        return without_confidence(depth, confidence, _LEAST_CONFIDENCE)


def _frame(
    name: str, path: Path, depth: Path | None, color: Path | None, options: RecordingOptions
) -> ImageFrame:
    values = _read(path)
    pose = np.eye(4)
    reason: FrameError | None = None
    try:
        pose[:3] = [[float(values[f"t_{i}{j}"]) for j in range(4)] for i in range(3)]
    except (KeyError, TypeError, ValueError, OverflowError):
        reason = FrameError(f"{path} has no pose t_00 to t_23")
    given = options.intrinsics is not None
    matrix, size = (None, None) if given else _intrinsics(values, path)
    return ImageFrame(
        frame_id=name,
        depth=depth,
        color=color,
        pose=reason or pose,
        pose_place=str(path),
        intrinsics=matrix,
        intrinsics_size=size,
    )


def _read(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} is no camera of Polycam's; export it again")
    return content


def _intrinsics(values: dict[str, Any], path: Path) -> tuple[NDArray[np.float64], tuple[int, int]]:
    fx = fy = cx = cy = 0.0
    try:
        fx, fy, cx, cy = (float(values[key]) for key in ("fx", "fy", "cx", "cy"))
        size = int(values["width"]), int(values["height"])
    except (KeyError, TypeError, ValueError, OverflowError):
        size = 0, 0
    if min(size) < 1:
        raise InputError(f"{path} lacks one of fx, fy, cx, cy, width and height; export it again")
    matrix = np.array([[fx, 0, cx - _HALF], [0, fy, cy - _HALF], [0, 0, 1.0]])
    return check_intrinsics(matrix, str(path)), size
