"""Readers of posed RGB-D data, one file a layout.

A new layout is one new file with a :class:`PosedSequence` and one more entry in ``LAYOUTS``.
Each scene folder, in any layout, may hold ``up.txt``: three numbers, the world's up direction.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.rgbd.files import check_intrinsics, read_matrix
from pointcontrast.rgbd.image_folder import ImageFolderSequence
from pointcontrast.rgbd.sequence import FrameError, MergedSequence, PosedSequence
from pointcontrast.rgbd.seven_scenes import SevenScenesSequence

__all__ = [
    "LAYOUTS",
    "FrameError",
    "MergedSequence",
    "PosedSequence",
    "find_sequences",
    "open_merged",
    "open_sequence",
]

LAYOUTS = (SevenScenesSequence, ImageFolderSequence)
_MAX_DEPTH = 4  # folders of folders searched; also ends loops of links


def find_sequences(folder: Path) -> list[Path]:
    """Find the folders of frames at or below ``folder``, sorted.

    A folder that is one itself is not searched further; hidden folders are passed over, and so
    is what lies more than four folders down.

    Raises:
        InputError: ``folder`` is missing or unreadable, or nothing in it is in a known layout.
    """
    found = _search(_absolute(folder), depth=0)
    if not found:
        raise InputError(f"{folder} holds no frames in a known layout; known are: {_known()}")
    return found


def open_sequence(folder: Path, intrinsics: NDArray[np.float64] | None = None) -> PosedSequence:
    """Open one folder of frames in whichever layout it is.

    Args:
        folder: the folder that holds the frames.
        intrinsics: (3, 3) pinhole matrix of the depth images, in place of the folder's own.

    Raises:
        InputError: the folder is missing or unreadable, in no known layout, or cannot be used as
            a whole (no intrinsics, say).
    """
    if intrinsics is not None:
        check_intrinsics(intrinsics, "--intrinsics")
    folder = _absolute(folder)
    for layout in LAYOUTS:
        if _readable(folder) and layout.recognises(folder):
            sequence = layout(folder, intrinsics)
            sequence.up = _stated_up(folder / "up.txt")
            return sequence
    raise InputError(f"{folder} holds no frames in a known layout; known are: {_known()}")


def open_merged(folder: Path, intrinsics: NDArray[np.float64] | None = None) -> PosedSequence:
    """Open all sequences at or below ``folder`` as one scene: they must share a world frame.

    Raises:
        InputError: as :func:`find_sequences` and :func:`open_sequence`.
    """
    folder = _absolute(folder)
    sequences = [open_sequence(each, intrinsics) for each in find_sequences(folder)]
    return MergedSequence(folder, sequences) if len(sequences) > 1 else sequences[0]


def _absolute(folder: Path) -> Path:
    # Not resolve(): a linked scene keeps the name of its link.
    return Path(os.path.abspath(folder))


def _search(folder: Path, depth: int) -> list[Path]:
    _readable(folder)
    if any(layout.recognises(folder) for layout in LAYOUTS):
        return [folder]
    if depth == _MAX_DEPTH:
        return []
    below = (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))
    return [found for path in below if path.is_dir() for found in _search(path, depth + 1)]


def _readable(folder: Path) -> bool:
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {what}; give a folder of posed RGB-D frames")
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror})") from None
    return True


def _known() -> str:
    return "; ".join(f"{layout.layout} ({layout.description})" for layout in LAYOUTS)


def _stated_up(path: Path) -> NDArray[np.float64] | None:
    if not path.exists():
        return None
    up = read_matrix(path, (1, 3))[0]
    length = np.linalg.norm(up)
    if not (np.isfinite(length) and length > 0):
        raise InputError(f"{path} is not a direction: {up.tolist()}")
    return up / length
