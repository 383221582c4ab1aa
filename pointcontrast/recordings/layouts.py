"""The known layouts of raw data, and the search for scenes in them.

To add a layout, derive from :class:`~pointcontrast.recordings.sequence.Layout` in a new file and
list the class in ``LAYOUTS``. A scene folder of any layout may hold ``up.txt``: three numbers, the
world's up direction.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import unit_vector
from pointcontrast.recordings.known_unread import advice_on
from pointcontrast.recordings.lidar.e57_scans import E57Sequence
from pointcontrast.recordings.lidar.kitti import KittiSequence
from pointcontrast.recordings.lidar.kitti360 import Kitti360Sequence
from pointcontrast.recordings.lidar.ros_log import RosLogFile, RosLogFolder
from pointcontrast.recordings.lidar.sweep_folder import SweepFolderSequence
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.reconstruction.scan_views import ScanFileSequence
from pointcontrast.recordings.rgbd.images.intrinsics import check_intrinsics
from pointcontrast.recordings.rgbd.layouts.arkit_scenes import ArkitScenesSequence
from pointcontrast.recordings.rgbd.layouts.image_folder import ImageFolderSequence
from pointcontrast.recordings.rgbd.layouts.open3d_trajectory import Open3DSequence
from pointcontrast.recordings.rgbd.layouts.polycam import PolycamSequence
from pointcontrast.recordings.rgbd.layouts.record3d import Record3DSequence
from pointcontrast.recordings.rgbd.layouts.replica import ReplicaSequence
from pointcontrast.recordings.rgbd.layouts.scannet_frames import ScanNetFramesSequence
from pointcontrast.recordings.rgbd.layouts.scannet_pp import ScanNetPPSequence
from pointcontrast.recordings.rgbd.layouts.seven_scenes import SevenScenesSequence
from pointcontrast.recordings.rgbd.layouts.stray_scanner import StrayScannerSequence
from pointcontrast.recordings.rgbd.layouts.sun3d import Sun3dSequence
from pointcontrast.recordings.rgbd.layouts.transforms_json import TransformsSequence
from pointcontrast.recordings.rgbd.layouts.tum import TumSequence
from pointcontrast.recordings.rgbd.sens.sequence import SensSequence
from pointcontrast.recordings.sequence import Layout, MergedSequence, PosedSequence
from pointcontrast.recordings.text_files import read_matrix

LAYOUTS: tuple[type[Layout], ...] = (
    SevenScenesSequence,
    ImageFolderSequence,
    SensSequence,
    TumSequence,
    StrayScannerSequence,
    ArkitScenesSequence,
    ScanNetPPSequence,
    TransformsSequence,
    ScanNetFramesSequence,
    ReplicaSequence,
    Open3DSequence,
    PolycamSequence,
    Record3DSequence,
    Sun3dSequence,
    KittiSequence,
    Kitti360Sequence,
    SweepFolderSequence,
    RosLogFolder,
    RosLogFile,
    E57Sequence,
    ScanFileSequence,
)
_MAX_DEPTH = 4  # levels of folders searched; also ends loops of links


def find_sequences(folder: Path) -> list[Path]:
    """Find the folders and files at or below ``folder`` that are one scene each, sorted.

    A folder that is a scene is not searched further. Hidden names and anything more than four
    levels down are ignored.

    Raises:
        InputError: ``folder`` is missing or unreadable, or holds nothing in a known layout.
    """
    found = _search(_absolute(folder), depth=0)
    if not found:
        raise _unknown(folder)
    return found


def open_sequence(folder: Path, options: RecordingOptions | None = None) -> PosedSequence:
    """Open one scene in any known layout.

    Args:
        folder: Folder that holds the frames, or file that is the scene.
        options: Statements of the user about the recording; None makes none.

    Raises:
        InputError: The folder is missing or unreadable, in no known layout, or cannot be used as
            a whole (without intrinsics, for example).
    """
    if options is not None and options.intrinsics is not None:
        check_intrinsics(options.intrinsics, "--intrinsics")
    folder = _absolute(folder)
    layout = _layout_of(folder)
    if layout is None:
        raise _unknown(folder)
    sequence = layout(folder, options)
    others = [each.layout for each in _layouts_of(folder) if each is not layout]
    if others:
        sequence.notes += (
            f"{folder} is taken as {layout.layout}; it is {' and '.join(others)} as well. Move the "
            "files of one into a folder of their own to have the other",
        )
    stated = _stated_up((folder.parent if folder.is_file() else folder) / "up.txt")
    if stated is not None:
        sequence.up = stated
    return sequence


def open_merged(folder: Path, options: RecordingOptions | None = None) -> PosedSequence:
    """Open all sequences at or below ``folder`` as one scene; they must share a world frame.

    Raises:
        InputError: As :func:`find_sequences` and :func:`open_sequence`.
    """
    folder = _absolute(folder)
    sequences = [open_sequence(each, options) for each in find_sequences(folder)]
    return MergedSequence(folder, sequences) if len(sequences) > 1 else sequences[0]


def _absolute(folder: Path) -> Path:
    # Not resolve(): a linked scene is named by its link.
    return Path(os.path.abspath(folder))


def _search(path: Path, depth: int) -> list[Path]:
    if _layout_of(path) is not None:
        return [path]
    if depth == _MAX_DEPTH or path.is_file():
        return []
    below = (each for each in sorted(path.iterdir()) if not each.name.startswith("."))
    # broken links, pipes and the like are skipped
    usable = (each for each in below if each.is_dir() or each.is_file())
    return [found for each in usable for found in _search(each, depth + 1)]


def _layout_of(path: Path) -> type[Layout] | None:
    """Return the layout of a readable folder or file, or None."""
    return next(_layouts_of(path), None)


def _layouts_of(path: Path) -> Iterator[type[Layout]]:
    _readable(path)
    fitting = (layout for layout in LAYOUTS if layout.is_file == path.is_file())
    return (layout for layout in fitting if layout.recognises(path))


def _readable(path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path} does not exist; give a folder of posed frames, or a scan file")
    try:
        if path.is_dir():
            next(path.iterdir(), None)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None


def _unknown(folder: Path) -> InputError:
    known = ", ".join(layout.layout for layout in LAYOUTS)
    advice = advice_on(folder)
    found = f"; it looks like {advice}. Known" if advice else "; known"
    return InputError(
        f"{folder} holds no frames in a known layout{found} are {known}; datasets/README.md tells "
        "the files of each"
    )


def _stated_up(path: Path) -> NDArray[np.float64] | None:
    if not path.exists():
        return None
    return unit_vector(read_matrix(path, (1, 3))[0], str(path))
