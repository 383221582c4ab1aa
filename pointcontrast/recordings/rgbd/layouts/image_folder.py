"""Folders with ``depth/``, ``images/``, ``poses.txt`` and ``K.txt``.

``depth/NAME.png`` (16 bits, millimetres; ``depth_images`` has the other forms) and
``images/NAME.jpg`` (or ``color/``, ``rgb/`` and the like; it may be absent) share their names, or
the last number in their names. ``poses.txt`` holds one row per frame, in the order of the numbers
in the names: the 16 numbers of the 4 x 4 camera-to-world matrix, or its first 12, metres.
``K.txt`` is the pinhole matrix of the depth images (``intrinsics`` has its forms and other names).
The colour images are registered to the depth images; one of another size is resized.

Semantic-NeRF's renderings of Replica have this layout with the names ``rgb/rgb_0.png``,
``depth/depth_0.png`` and ``traj_w_c.txt`` (Harry-Zhi/semantic_nerf,
``SSR/datasets/replica/replica_datasets.py``), and no file of intrinsics.
"""

from __future__ import annotations

from pathlib import Path

from pointcontrast.errors import InputError
from pointcontrast.recordings.frame_order import order_by_number
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.pose_file import PoseFile
from pointcontrast.recordings.rgbd.images.image_listing import depth_and_color, depth_folder
from pointcontrast.recordings.rgbd.images.intrinsics_file import INTRINSICS_FILES, find_intrinsics
from pointcontrast.recordings.rgbd.posed_images import (
    MILLIMETRES,
    ImageFrame,
    ImageRecording,
    PosedImages,
)

_POSE_FILES = ("poses.txt", "traj.txt", "traj_w_c.txt")


class ImageFolderSequence(PosedImages):
    """One folder of ``images/``, ``depth/``, ``poses.txt`` and ``K.txt``."""

    layout = "image_folder"
    description = "images/ and depth/ folders with poses.txt and K.txt"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        return _pose_file(folder) is not None and depth_folder(folder) is not None

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        depths, colors, notes = depth_and_color(folder)
        pose_file = _pose_file(folder)
        if not depths or pose_file is None:
            raise InputError(f"{folder / 'depth'} holds no image")
        frame_ids = tuple(order_by_number({*depths, *colors}, folder, "frame"))
        if list(frame_ids) != sorted(frame_ids):
            notes += (
                f"{pose_file}: its rows are taken for the frames in the order of their numbers "
                f"({', '.join(frame_ids[:3])}, ...), which are not padded with zeros",
            )
        poses = PoseFile(pose_file, frame_ids, "frame", folder)
        path, intrinsics = find_intrinsics(folder, options.intrinsics, INTRINSICS_FILES)
        if intrinsics is None:
            raise InputError(
                f"{folder} has no K.txt with the intrinsics of its depth images; write it, or pass "
                "--intrinsics fx fy cx cy"
            )
        return ImageRecording(
            frames=tuple(
                ImageFrame(
                    frame_id=frame_id,
                    depth=depths.get(frame_id),
                    color=colors.get(frame_id),
                    pose=poses.recorded(index),
                    pose_place=poses.place(index),
                )
                for index, frame_id in enumerate(frame_ids)
            ),
            intrinsics=intrinsics.matrix,
            intrinsics_size=intrinsics.size,
            units_per_metre=intrinsics.units_per_metre or MILLIMETRES,
            texts=(poses.path, *((path,) if path else ())),
            notes=(*notes, *poses.notes),
        )

    def files(self) -> list[Path]:
        """Return the depth images, the colour images, ``poses.txt`` and ``K.txt``."""
        frames = self._recording.frames
        images = [*(frame.depth for frame in frames), *(frame.color for frame in frames)]
        return [*(path for path in images if path is not None), *self._recording.texts]


def _pose_file(folder: Path) -> Path | None:
    return next((folder / name for name in _POSE_FILES if (folder / name).is_file()), None)
