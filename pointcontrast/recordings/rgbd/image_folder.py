"""Folders with ``images/``, ``depth/``, ``poses.txt`` and ``K.txt``.

``depth/NAME.png`` (16 bits, millimetres) and ``images/NAME.jpg`` (or .png; the folder may be
absent) share their names. ``poses.txt`` holds one row per frame, in the order of the sorted names:
the 16 numbers of the 4 x 4 camera-to-world matrix, or its first 12, metres. ``K.txt`` is the 3 x 3
pinhole matrix of the depth images. The colour images are registered to the depth images; one of
another size is resized.
"""

from __future__ import annotations

from pathlib import Path

from pointcontrast.errors import InputError
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.pose_file import PoseFile
from pointcontrast.recordings.rgbd.files import depth_size, read_color, read_depth, read_intrinsics
from pointcontrast.recordings.sequence import FrameError, Layout
from pointcontrast.types import Frame

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


class ImageFolderSequence(Layout):
    """One folder of ``images/``, ``depth/``, ``poses.txt`` and ``K.txt``."""

    layout = "image_folder"
    description = "images/ and depth/ folders with poses.txt and K.txt"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        return (folder / "depth").is_dir() and (folder / "poses.txt").exists()

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a folder; only names, poses and a few image headers are read.

        Args:
            folder: Folder of the scene.
            options: Statements of the user; intrinsics take the place of the recording's own.

        Raises:
            InputError: No depth image, no intrinsics, or another number of poses than of frames.
        """
        intrinsics = options.intrinsics if options is not None else None
        self.name = folder.name
        self.folder = folder
        self._depths = _images(folder / "depth")
        self._colors = _images(folder / "images") if (folder / "images").is_dir() else {}
        self.frame_ids = tuple(sorted({*self._depths, *self._colors}))
        if not self._depths:
            raise InputError(f"{folder / 'depth'} holds no image")
        self._poses = PoseFile(folder / "poses.txt", self.frame_ids, "frame", folder)
        self._intrinsics_file = folder / "K.txt" if intrinsics is None else None
        self._intrinsics = read_intrinsics(folder / "K.txt") if intrinsics is None else intrinsics
        self._size = depth_size(list(self._depths.values()), self._intrinsics)

    def read(self, index: int) -> Frame:
        """Read one frame; see :meth:`~pointcontrast.recordings.sequence.PosedSequence.read`."""
        frame_id = self.frame_ids[index]
        for folder, files in (("depth", self._depths), ("images", self._colors)):
            if files and frame_id not in files:
                raise FrameError(f"{self.folder / folder / frame_id}: its image is missing")
        return Frame(
            frame_id=frame_id,
            depth=read_depth(self._depths[frame_id], self._size),
            color=read_color(self._colors[frame_id], self._size) if self._colors else None,
            intrinsics=self._intrinsics,
            world_from_camera=self._poses.pose(index),
        )

    def files(self) -> list[Path]:
        """Return the images, ``poses.txt`` and ``K.txt``."""
        texts = [self._poses.path, self._intrinsics_file]
        return [*self._depths.values(), *self._colors.values(), *(path for path in texts if path)]


def _images(folder: Path) -> dict[str, Path]:
    return {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _IMAGE_SUFFIXES and not path.name.startswith(".")
    }
