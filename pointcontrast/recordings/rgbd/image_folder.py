"""Folders with ``images/``, ``depth/``, ``poses.txt`` and ``K.txt``.

``depth/NAME.png`` (16 bits, millimetres) and ``images/NAME.jpg`` (or .png; the folder may be
absent) share their names; ``poses.txt`` holds one row of 16 numbers (4 x 4 camera to world,
metres) per frame, in the order of the sorted names; ``K.txt`` is the 3 x 3 pinhole matrix of the
depth images, to which the colour images are registered (one of another size is resized).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem
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
        """Whether ``folder`` is in this layout."""
        return (folder / "depth").is_dir() and (folder / "poses.txt").exists()

    def __init__(self, folder: Path, intrinsics: NDArray[np.float64] | None = None) -> None:
        """Open a folder; only names, poses and a few image headers are read.

        Args:
            folder: the folder.
            intrinsics: (3, 3) pinhole matrix of the depth images; None reads ``K.txt``.

        Raises:
            InputError: no depth image, no intrinsics, or another number of poses than of frames.
        """
        self.name = folder.name
        self.folder = folder
        self._depths = _images(folder / "depth")
        self._colors = _images(folder / "images") if (folder / "images").is_dir() else {}
        self.frame_ids = tuple(sorted({*self._depths, *self._colors}))
        if not self._depths:
            raise InputError(f"{folder / 'depth'} holds no image")
        self._poses = _pose_rows(folder / "poses.txt")
        self._check_order()
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
            world_from_camera=self._pose(index),
        )

    def files(self) -> list[Path]:
        """The images, ``poses.txt`` and ``K.txt``."""
        texts = [self.folder / "poses.txt", self._intrinsics_file]
        return [*self._depths.values(), *self._colors.values(), *(path for path in texts if path)]

    def _pose(self, index: int) -> NDArray[np.float64]:
        where = f"{self.folder / 'poses.txt'}: row {index + 1} (frame {self.frame_ids[index]})"
        try:
            numbers = np.array([float(word) for word in self._poses[index].split()])
        except ValueError:
            raise FrameError(f"{where} is not numbers") from None
        if numbers.size != 16:
            raise FrameError(f"{where} holds {numbers.size} numbers, not the 16 of a 4 x 4 matrix")
        problem = rigid_problem(numbers.reshape(4, 4))
        if problem:
            raise FrameError(f"{where} is not a rigid transform: it {problem}")
        return numbers.reshape(4, 4)

    def _check_order(self) -> None:
        """Rows of ``poses.txt`` carry no names, so their order must be beyond doubt."""
        if len(self._poses) != len(self.frame_ids):
            raise InputError(
                f"{self.folder / 'poses.txt'} has {len(self._poses)} rows for "
                f"{len(self.frame_ids)} frames in depth/ and images/; give one row per frame"
            )
        numbered = all(frame_id.isdecimal() for frame_id in self.frame_ids)
        if numbered and list(self.frame_ids) != sorted(self.frame_ids, key=int):
            raise InputError(
                f"{self.folder}: its frame numbers sort differently as names and as numbers, so "
                "rows of poses.txt cannot be told apart; pad the numbers in the names with zeros"
            )


def _images(folder: Path) -> dict[str, Path]:
    return {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _IMAGE_SUFFIXES and not path.name.startswith(".")
    }


def _pose_rows(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error})") from None
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
