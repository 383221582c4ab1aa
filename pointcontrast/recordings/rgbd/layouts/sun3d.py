"""Sequences of SUN3D, as Princeton published them.

``image/0000001-000000000000.jpg`` and ``depth/0000001-000000016666.png`` are named by number and
time in microseconds. ``extrinsics/DATE.txt`` holds three rows of four numbers per image, the upper
part of its camera-to-world matrix, metres; the last file is the latest. ``intrinsics.txt`` is the
3 x 3 matrix of both cameras.

Sources: SUN3D's MATLAB readers ``loadSUN3D.m`` and ``readSUN3Dannotation.m``. Each image takes the
depth image that is nearest in time; the 16 bits of a depth image's millimetres are rotated by
three; pixels are counted from 1, so that 1 is taken off the principal point here. Deviation: an
image whose nearest depth is more than 0.02 s away, which is more than half a frame, is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.images.depth_images import read_depth
from pointcontrast.recordings.rgbd.images.intrinsics_file import find_intrinsics
from pointcontrast.recordings.rgbd.posed_images import ImageFrame, ImageRecording, PosedImages
from pointcontrast.recordings.text_files import read_number_rows
from pointcontrast.recordings.time_association import associate

_IMAGE = re.compile(r"\d+-(\d+)\.(?:jpg|png)")
_MICROSECONDS = 1e-6
_ROTATED_BITS = 3


class Sun3dSequence(PosedImages):
    """A folder of ``image/``, ``depth/``, ``extrinsics/`` and ``intrinsics.txt``."""

    layout = "sun3d"
    description = "SUN3D: image/, depth/, extrinsics/*.txt and intrinsics.txt"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        there = all((folder / name).is_dir() for name in ("image", "depth", "extrinsics"))
        return there and any((folder / "extrinsics").glob("*.txt"))

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        images, image_times = _timed(folder / "image")
        depths, depth_times = _timed(folder / "depth")
        if not images or not depths:
            name = "depth" if images else "image"
            raise InputError(f"{folder / name} holds no image named NUMBER-TIME")
        path = sorted((folder / "extrinsics").glob("*.txt"))[-1]
        poses = _read_extrinsics(path, len(images))
        pairs = associate(image_times, depth_times, one_to_one=False)
        depth_of = dict(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
        file, intrinsics = find_intrinsics(folder, options.intrinsics, ("intrinsics.txt",))
        if intrinsics is None:
            raise InputError(f"{folder} has no intrinsics.txt; pass --intrinsics fx fy cx cy")
        matrix = intrinsics.matrix.copy()
        if file is not None:
            matrix[:2, 2] -= 1
        return ImageRecording(
            frames=tuple(
                ImageFrame(
                    frame_id=image.stem,
                    depth=depths[depth_of[index]] if index in depth_of else None,
                    color=image,
                    pose=poses[index],
                    pose_place=f"{path}: rows {3 * index + 1} to {3 * index + 3}",
                )
                for index, image in enumerate(images)
            ),
            intrinsics=matrix,
            texts=(path, *((file,) if file else ())),
        )

    def read_depth(self, path: Path, index: int) -> NDArray[np.float32]:
        """Read a depth image, whose bits are rotated."""
        units = read_depth(path, self._size, 1.0).astype(np.uint16)
        units = (units >> _ROTATED_BITS) | (units << (16 - _ROTATED_BITS))
        return (units / self.units_per_metre).astype(np.float32)


def _timed(folder: Path) -> tuple[list[Path], NDArray[np.float64]]:
    """Return the images of a folder, sorted by name, and their times, seconds."""
    paths = sorted(path for path in folder.iterdir() if _IMAGE.fullmatch(path.name.lower()))
    names = (_IMAGE.fullmatch(path.name.lower()) for path in paths)
    times = [int(match[1]) * _MICROSECONDS for match in names if match]
    return paths, np.array(times, dtype=np.float64)


def _read_extrinsics(path: Path, count: int) -> NDArray[np.float64]:
    """Return (N, 4, 4) camera-to-world matrices.

    Raises:
        InputError: Not three rows of four numbers per image.
    """
    rows = read_number_rows(path, "rows of four numbers")
    if len(rows) != 3 * count or any(len(row) != 4 for row in rows):
        raise InputError(
            f"{path} has {len(rows)} rows for {count} images; it must have three rows of four "
            "numbers per image. Download the sequence again"
        )
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3] = np.array(rows, dtype=np.float64).reshape(count, 3, 4)
    return poses
