"""Folders of Stray Scanner, an app that records with the LiDAR of an iPhone or iPad.

``rgb.mp4`` (1920 x 1440), ``depth/NNNNNN.png`` and ``confidence/NNNNNN.png`` (256 x 192),
``odometry.csv`` and ``camera_matrix.csv``; a row of the odometry, a depth image and a frame of the
video belong together by their number (strayrobots/scanner, docs/format.md and Helpers/*.swift):

* ``depth``: 16 bits, millimetres. ``confidence``: 0, 1 or 2; depth of confidence 0 is dropped, as
  kekeblom/StrayVisualizer does (``--confidence 1``). Without the folder all depth is kept.
* ``odometry.csv``: ``timestamp, frame, x, y, z, qx, qy, qz, qw``: camera to world, metres, x right,
  y down, z forward (the app turns ARKit's axes; strayrobots/scanner, issue 11). ARKit's world has y
  up. Newer versions add ``fx, fy, cx, cy`` of each frame, which are used where they are there.
* ``camera_matrix.csv``: 3 x 3 of the last frame of the video, scaled to the depth images, which
  show the same field of view. (StrayVisualizer scales the principal point without the half pixel
  between corners and centres, 0.4 pixels of the depth image.)

Colours need PyAV (``pip install av``). Without ``rgb.mp4`` frames have no colour.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pointcontrast.errors import InputError
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.quaternions import pose_from_quaternion
from pointcontrast.recordings.rgbd.images.confidence import without_confidence
from pointcontrast.recordings.rgbd.images.depth_images import DEPTH_SUFFIXES
from pointcontrast.recordings.rgbd.images.intrinsics_file import read_intrinsics
from pointcontrast.recordings.rgbd.images.video_frames import VideoFrames
from pointcontrast.recordings.rgbd.posed_images import ImageFrame, ImageRecording, PosedImages
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.recordings.text_files import read_text

_VIDEO_SIZE = (1920, 1440)
_POSE_COLUMNS = ("x", "y", "z", "qx", "qy", "qz", "qw")
_CAMERA_COLUMNS = ("fx", "fy", "cx", "cy")
_LEAST_CONFIDENCE = 1


class StrayScannerSequence(PosedImages):
    """One folder of ``odometry.csv``, ``camera_matrix.csv``, ``depth/`` and ``rgb.mp4``."""

    layout = "stray_scanner"
    description = "Stray Scanner: odometry.csv, camera_matrix.csv, depth/ and rgb.mp4"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        return (folder / "odometry.csv").is_file() and (folder / "depth").is_dir()

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        odometry = folder / "odometry.csv"
        rows = _read_table(odometry)
        depths, confidences = _numbered(folder / "depth"), _numbered(folder / "confidence")
        if not depths:
            raise InputError(f"{folder / 'depth'} holds no numbered image")
        self.up = np.array([0.0, 1.0, 0.0])
        self._numbers = tuple(rows)
        self._confidences = confidences
        video = folder / "rgb.mp4"
        self._video = VideoFrames(video) if video.is_file() else None
        video_size = _VIDEO_SIZE if self._video is None else self._video.size
        camera = folder / "camera_matrix.csv"
        given = options.intrinsics
        absent = len(depths.keys() - rows.keys())
        notes = (f"{odometry} has no row for {absent} depth images: left out",) if absent else ()
        if self._video is None:
            notes += (f"{video} is absent: frames have no colour",)
        if not confidences:
            notes += (f"{folder / 'confidence'} is absent or empty: all depth is kept",)
        return ImageRecording(
            frames=tuple(
                ImageFrame(
                    frame_id=f"{number:06d}",
                    depth=depths.get(number),
                    color=None if self._video is None else video,
                    pose=_pose(row, f"{odometry}: frame {number}"),
                    pose_place=f"{odometry}: frame {number}",
                    intrinsics=_camera(row),
                    intrinsics_size=video_size,
                )
                for number, row in rows.items()
            ),
            intrinsics=read_intrinsics(camera).matrix if given is None else given,
            intrinsics_size=video_size,
            texts=(odometry, *((camera,) if given is None else ()), *confidences.values()),
            notes=notes,
        )

    def read_depth(self, path: Path, index: int) -> NDArray[np.float32]:
        """Read a depth image, without depth of confidence 0."""
        depth = super().read_depth(path, index)
        if not self._confidences:
            return depth
        number = self._numbers[index]
        if number not in self._confidences:
            raise FrameError(f"{path}: its image in confidence/ is missing")
        return without_confidence(depth, self._confidences[number], _LEAST_CONFIDENCE)

    def read_color(self, path: Path, index: int, depth: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Decode the frame of the video, reduced to the size of the depth image."""
        assert self._video is not None
        image = Image.fromarray(self._video.read(self._numbers[index]))
        return np.array(image.resize(depth.shape[::-1], Image.Resampling.BILINEAR))


def _read_table(path: Path) -> dict[int, dict[str, str]]:
    """Read the rows of ``odometry.csv`` by their frame number, in ascending order."""
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    is_excel = bool(lines) and ";" in lines[0]  # where the decimal separator is a comma
    table = csv.DictReader(lines, skipinitialspace=True, delimiter=";" if is_excel else ",")
    table.fieldnames = [name.strip() for name in table.fieldnames or ()]
    absent = [name for name in ("frame", *_POSE_COLUMNS) if name not in table.fieldnames]
    if absent:
        raise InputError(
            f"{path} has no column {', '.join(absent)}: its first line must name them, as Stray "
            "Scanner does: timestamp, frame, x, y, z, qx, qy, qz, qw"
        )
    rows: dict[int, dict[str, str]] = {}
    for row in table:
        words = {name: (value or "").strip() for name, value in row.items() if name}
        if is_excel:
            words = {name: word.replace(",", ".") for name, word in words.items()}
        if words["frame"].isdecimal():
            rows.setdefault(int(words["frame"]), words)
    if not rows:
        raise InputError(f"{path} has no row with the number of a frame")
    return dict(sorted(rows.items()))


def _pose(row: dict[str, str], where: str) -> NDArray[np.float64] | FrameError:
    try:
        numbers = [float(row[name]) for name in _POSE_COLUMNS]
        return pose_from_quaternion(numbers[:3], numbers[3:], where)
    except InputError as error:
        return FrameError(str(error))
    except ValueError:
        return FrameError(f"{where} has no numbers in the columns {', '.join(_POSE_COLUMNS)}")


def _camera(row: dict[str, str]) -> NDArray[np.float64] | None:
    """Return the intrinsics of one frame; None if the row has none."""
    try:
        fx, fy, cx, cy = (float(row[name]) for name in _CAMERA_COLUMNS)
    except (KeyError, ValueError):
        return None
    good = np.isfinite([fx, fy, cx, cy]).all() and fx > 0 and fy > 0
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float64) if good else None


def _numbered(folder: Path) -> dict[int, Path]:
    if not folder.is_dir():
        return {}
    return {
        int(path.stem): path
        for path in sorted(folder.iterdir())
        if path.stem.isdecimal() and path.suffix.lower() in DEPTH_SUFFIXES and path.is_file()
    }
