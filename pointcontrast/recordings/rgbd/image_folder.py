"""Folders with ``images/``, ``depth/``, ``poses.txt`` and ``K.txt``.

``depth/NAME.png`` (16 bits, millimetres) and ``images/NAME.jpg`` (or .png; the folder may be
absent) share their names. ``poses.txt`` holds one row per frame, in the order of the numbers in
the names, camera-to-world: the 16 numbers of the 4 x 4 matrix, or another form of ``pose_rows``,
metres. ``K.txt`` is the 3 x 3 pinhole matrix of the depth images. The colour images are registered
to the depth images; one of another size is resized.
"""

from __future__ import annotations

from pathlib import Path

from pointcontrast.errors import InputError
from pointcontrast.recordings.frame_order import order_by_number
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.pose_file import PoseFile
from pointcontrast.recordings.rgbd.intrinsics import Intrinsics, read_intrinsics
from pointcontrast.recordings.rgbd.posed_images import ImageFrame, ImageRecording, PosedImages

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


class ImageFolderSequence(PosedImages):
    """One folder of ``images/``, ``depth/``, ``poses.txt`` and ``K.txt``."""

    layout = "image_folder"
    description = "images/ and depth/ folders with poses.txt and K.txt"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        return (folder / "depth").is_dir() and (folder / "poses.txt").exists()

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        depths = _images(folder / "depth")
        colors = _images(folder / "images") if (folder / "images").is_dir() else {}
        if not depths:
            raise InputError(f"{folder / 'depth'} holds no image")
        frame_ids = tuple(order_by_number({*depths, *colors}, folder, "frame"))
        poses = PoseFile(folder / "poses.txt", frame_ids, "frame", folder)
        given = options.intrinsics
        own = read_intrinsics(folder / "K.txt") if given is None else Intrinsics(matrix=given)
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
            intrinsics=own.matrix,
            intrinsics_size=own.size,
            notes=poses.notes,
            texts=(poses.path, *((folder / "K.txt",) if given is None else ())),
        )


def _images(folder: Path) -> dict[str, Path]:
    return {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _IMAGE_SUFFIXES and not path.name.startswith(".")
    }
