"""Frames that were exported from ScanNet's ``.sens`` files, and recordings in the same folders.

``color/0.jpg``, ``depth/0.png`` (16 bits, millimetres) and ``pose/0.txt`` (4 x 4 camera to world,
metres; -inf where tracking was lost) share their numbers, which are not padded. The colour camera
is another one, with images of another size: ``intrinsic/intrinsic_{depth,color}.txt`` and
``intrinsic/extrinsic_{depth,color}.txt`` are 4 x 4.

Source: ScanNet/ScanNet, ``SensReader/python/SensorData.py``, which writes one number after the
other with six digits. ScanNet's own ``scannet_frames_25k`` pads the numbers and has
``intrinsics_depth.txt`` beside the folders.

Colour is registered to depth as for the ``.sens`` file itself
(``pointcontrast.recordings.rgbd.images.color_registration``), if the intrinsics of both cameras are
there and belong to the images; otherwise it is taken as registered and resized.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.frame_order import numeric_order
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.images.color_registration import ColorLookup
from pointcontrast.recordings.rgbd.images.depth_images import depth_size
from pointcontrast.recordings.rgbd.images.image_files import decoding, open_image
from pointcontrast.recordings.rgbd.images.image_listing import (
    depth_and_color,
    depth_folder,
    images_in,
)
from pointcontrast.recordings.rgbd.images.intrinsics import check_center
from pointcontrast.recordings.rgbd.images.intrinsics_file import (
    INTRINSICS_FILES,
    find_intrinsics,
    read_intrinsics,
)
from pointcontrast.recordings.rgbd.posed_images import (
    MILLIMETRES,
    ImageFrame,
    ImageRecording,
    PosedImages,
)
from pointcontrast.recordings.rgbd.sens.images import reduced_rgb
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.recordings.text_files import read_matrix

_POSE_FOLDERS = ("pose", "poses")
_SCENE_NAME = re.compile(r"scene\d{4}_\d{2}")
_PLACES = ("intrinsic/", "intrinsics/", "")


class ScanNetFramesSequence(PosedImages):
    """A folder of ``color/ depth/ pose/ intrinsic/``.

    Attributes:
        up: z for a folder with a name of ScanNet's (``sceneNNNN_NN``, or ``frames`` in one), whose
            world has z as its up direction; else None.
    """

    layout = "scannet_frames"
    description = "color/, depth/ and pose/ folders with intrinsic/intrinsic_depth.txt"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        return depth_folder(folder) is not None and _pose_folder(folder) is not None

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a folder; see the base class."""
        self._lookup: ColorLookup | None = None
        super().__init__(folder, options)
        if any(_SCENE_NAME.fullmatch(name) for name in (folder.name, folder.parent.name)):
            self.up = np.array([0.0, 0.0, 1.0])

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        depths, colors, notes = depth_and_color(folder)
        pose_folder = _pose_folder(folder)
        if not depths or pose_folder is None:
            raise InputError(f"{folder / 'depth'} holds no image")
        poses = images_in(pose_folder, (".txt",))
        names = _files_of("depth", "intrinsic") + INTRINSICS_FILES
        path, intrinsics = find_intrinsics(folder, options.intrinsics, names)
        if intrinsics is None:
            raise InputError(
                f"{folder} has no intrinsic/intrinsic_depth.txt with the intrinsics of its depth "
                "images; write it, or pass --intrinsics fx fy cx cy"
            )
        texts = [path] if path else []
        if colors:
            lookup, used, reason = _color_lookup(folder, depths, colors, intrinsics.matrix)
            self._lookup = lookup
            texts += used
            notes += reason
        return ImageRecording(
            frames=tuple(
                ImageFrame(
                    frame_id=frame_id,
                    depth=depths.get(frame_id),
                    color=colors.get(frame_id),
                    pose=poses.get(frame_id),
                    pose_place=str(poses.get(frame_id, pose_folder / f"{frame_id}.txt")),
                )
                for frame_id in sorted({*depths, *colors}, key=numeric_order)
            ),
            intrinsics=intrinsics.matrix,
            intrinsics_size=intrinsics.size,
            units_per_metre=intrinsics.units_per_metre or MILLIMETRES,
            texts=tuple(texts),
            notes=notes,
        )

    def read_color(self, path: Path, index: int, depth: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Read a colour image and register it to the depth image; see the base class."""
        if self._lookup is None:
            return super().read_color(path, index, depth)
        with open_image(path) as image:
            if image.size != self._lookup.color_size:
                width, height = self._lookup.color_size
                raise FrameError(
                    f"{path} is {image.size[0]} x {image.size[1]} pixels, the first colour image "
                    f"{width} x {height}; export all at one size"
                )
            with decoding(path):
                color = reduced_rgb(image, self._lookup.reduction)
        return self._lookup.register(color, depth)


def _pose_folder(folder: Path) -> Path | None:
    there = (folder / name for name in _POSE_FOLDERS if (folder / name).is_dir())
    return next((path for path in there if any(path.glob("*.txt"))), None)


def _files_of(camera: str, kind: str) -> tuple[str, ...]:
    """Return the names under which exports store a matrix of a camera."""
    return tuple(f"{place}{name}_{camera}.txt" for place in _PLACES for name in (kind, f"{kind}s"))


def _matrix_of(folder: Path, camera: str) -> tuple[Path | None, NDArray[np.float64]]:
    """Read the extrinsics of a camera; the identity if there are none."""
    for name in _files_of(camera, "extrinsic"):
        if (folder / name).is_file():
            return folder / name, read_matrix(folder / name, (4, 4))
    return None, np.eye(4)


def _color_lookup(
    folder: Path,
    depths: dict[str, Path],
    colors: dict[str, Path],
    depth_intrinsics: NDArray[np.float64],
) -> tuple[ColorLookup | None, list[Path], tuple[str, ...]]:
    """Return the look-up of colours, the files that it is made of, and why there is none."""
    names = _files_of("color", "intrinsic")
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        return None, [], ()
    color_intrinsics = read_intrinsics(path).matrix
    color_size = depth_size(list(colors.values()))
    try:
        check_center(f"{folder}: its colour", color_size, color_intrinsics)
    except InputError:
        width, height = color_size
        note = (
            f"{path} belongs to colour images of another size than {width} x {height}; colour is "
            "taken as registered to depth, and resized"
        )
        return None, [path], (note,)
    used = [path]
    extrinsics = {}
    for camera in ("color", "depth"):
        file, extrinsics[camera] = _matrix_of(folder, camera)
        used += [file] if file else []
    color_from_depth = np.eye(4)  # exact if both are equal
    if not np.array_equal(extrinsics["color"], extrinsics["depth"]):
        color_from_depth = np.linalg.inv(extrinsics["color"]) @ extrinsics["depth"]
    lookup = ColorLookup(
        color_size=color_size,
        depth_size=depth_size(list(depths.values())),
        color_intrinsics=color_intrinsics,
        depth_intrinsics=depth_intrinsics,
        color_from_depth=color_from_depth,
    )
    return lookup, used, ()
