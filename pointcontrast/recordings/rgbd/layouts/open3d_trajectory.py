"""Recordings of Open3D's reconstruction system, and of redwood-data.org.

``depth/`` and ``color/`` (or ``rgb/``, ``image/``), and ``trajectory.log``, in the folder or in
``scene/``: five lines per frame, three integers and the 4 x 4 camera-to-world matrix in metres.
In its place may stand ``trajectory.json``: for each frame the world-to-camera matrix by columns
(``extrinsic``) and its intrinsics. ``camera_intrinsic.json`` or the like holds
``intrinsic_matrix`` by columns, ``width`` and ``height``.

Sources: isl-org/Open3D, ``cpp/open3d/io/file_format/FileLOG.cpp`` (the reader inverts each matrix
to get an extrinsic one; without intrinsics it takes PrimeSense's 525 525 319.5 239.5 for 640 x
480); redwood-data.org/indoor/fileformat.html; cvg/nice-slam, ``src/utils/datasets.py`` (Azure).
The JSON file is as Open3D 0.19 writes it.
Deviation: Open3D ignores a count of matrices other than that of images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import read_json
from pointcontrast.recordings.frame_order import numeric_order
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.pose_rows import read_rows
from pointcontrast.recordings.rgbd.images.depth_images import depth_size
from pointcontrast.recordings.rgbd.images.image_listing import depth_and_color, depth_folder
from pointcontrast.recordings.rgbd.images.intrinsics_file import (
    INTRINSICS_FILES,
    Intrinsics,
    find_intrinsics,
    intrinsics_of,
)
from pointcontrast.recordings.rgbd.posed_images import (
    MILLIMETRES,
    ImageFrame,
    ImageRecording,
    PosedImages,
)
from pointcontrast.recordings.text_files import split_numbers

_LOGS = tuple(
    f"{place}trajectory{suffix}" for place in ("", "scene/") for suffix in (".log", ".json")
)
_LINES = 5  # per frame
_INTRINSICS_FILES = ("camera_intrinsic.json", "intrinsic.json", "camera.json", *INTRINSICS_FILES)
_PRIMESENSE_SIZE = (640, 480)
_PRIMESENSE = np.array([[525.0, 0.0, 319.5], [0.0, 525.0, 239.5], [0.0, 0.0, 1.0]])


class Open3DSequence(PosedImages):
    """One folder of ``depth/``, ``color/`` and ``trajectory.log``."""

    layout = "open3d_trajectory"
    description = "color/ and depth/ folders with Open3D's trajectory.log or trajectory.json"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        return depth_folder(folder) is not None and _log(folder) is not None

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        depths, colors, notes = depth_and_color(folder)
        log = _log(folder)
        if not depths or log is None:
            raise InputError(f"{folder / 'depth'} holds no image")
        frame_ids = sorted({*depths, *colors}, key=numeric_order)
        in_json = log.suffix == ".json"
        poses, stated = _read_json(log) if in_json else (_read_log(log), None)
        if len(poses) != len(frame_ids):
            raise InputError(
                f"{log} has {len(poses)} poses for {len(frame_ids)} frames in {folder}; give one "
                "pose per frame"
            )
        path, intrinsics = find_intrinsics(folder, options.intrinsics, _INTRINSICS_FILES)
        intrinsics = intrinsics or stated
        if intrinsics is None:
            intrinsics = _primesense(folder, depth_size(list(depths.values())))
            notes += (
                f"{folder}: intrinsics 525 525 319.5 239.5, Open3D's default, are taken; "
                "--intrinsics fx fy cx cy states others",
            )
        return ImageRecording(
            frames=tuple(
                ImageFrame(
                    frame_id=frame_id,
                    depth=depths.get(frame_id),
                    color=colors.get(frame_id),
                    pose=pose,
                    pose_place=f"{log}: pose {index + 1} (frame {frame_id})",
                )
                for index, (frame_id, pose) in enumerate(zip(frame_ids, poses, strict=True))
            ),
            intrinsics=intrinsics.matrix,
            intrinsics_size=intrinsics.size,
            units_per_metre=intrinsics.units_per_metre or MILLIMETRES,
            poses="inverse" if in_json else "camera_to_world",
            texts=(log, *((path,) if path else ())),
            notes=notes,
        )


def _log(folder: Path) -> Path | None:
    return next((folder / name for name in _LOGS if (folder / name).is_file()), None)


def _read_log(path: Path) -> list[NDArray[np.float64]]:
    """Read the (4, 4) matrices of a trajectory.

    Raises:
        InputError: A frame is not three numbers and four rows of four.
    """
    rows = read_rows(path)
    if not rows or len(rows) % _LINES:
        raise InputError(
            f"{path} has {len(rows)} lines, not {_LINES} per frame (three numbers, then a 4 x 4 "
            "matrix); it is cut short or no trajectory"
        )
    poses = []
    for start in range(0, len(rows), _LINES):
        where = f"{path}: pose {start // _LINES + 1}"
        try:
            numbers = [split_numbers(row) for row in rows[start : start + _LINES]]
        except ValueError:
            raise InputError(f"{where} is not numbers") from None
        if [len(row) for row in numbers] != [3, 4, 4, 4, 4]:
            raise InputError(f"{where} is not three numbers and a 4 x 4 matrix")
        poses.append(np.array(numbers[1:], dtype=np.float64))
    return poses


def _read_json(path: Path) -> tuple[list[NDArray[np.float64]], Intrinsics | None]:
    """Read the (4, 4) extrinsic matrices, which take the world to the camera, and the intrinsics.

    Raises:
        InputError: Another file, or a frame that has no extrinsic matrix.
    """
    content = read_json(path)
    frames = content.get("parameters") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames:
        raise InputError(f'{path} has no list "parameters"; it is no trajectory of Open3D')
    try:
        matrices = [np.array(each["extrinsic"], dtype=np.float64) for each in frames]
        poses = [np.ascontiguousarray(each.reshape(4, 4).T) for each in matrices]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError(f"{path} has a frame without an extrinsic matrix of 16 numbers") from None
    return poses, intrinsics_of(frames[0].get("intrinsic"), str(path))


def _primesense(folder: Path, size: tuple[int, int]) -> Intrinsics:
    if size != _PRIMESENSE_SIZE:
        raise InputError(
            f"{folder} has no camera_intrinsic.json, and its depth images are {size[0]} x "
            f"{size[1]}, not the 640 x 480 of Open3D's default camera; pass --intrinsics fx fy cx "
            "cy"
        )
    return Intrinsics(matrix=_PRIMESENSE)
