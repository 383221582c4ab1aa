"""Folders of ARKitScenes: ``lowres_wide/``, ``lowres_depth/`` and ``lowres_wide.traj``.

The names are ``VIDEO_TIME.png``, seconds with three digits, and what belongs together has about the
same time (apple/ARKitScenes, DATA.md, raw/README.md, threedod/benchmark_scripts/utils/
tenFpsDataLoader.py):

* ``lowres_depth``: 16 bits, millimetres, 256 x 192. ``confidence`` (only in the raw dataset): 0, 1
  or 2; depth of confidence 0 is dropped.
* ``lowres_wide``: colour of the same size and view.
* ``lowres_wide.traj``: rows of a time, a rotation vector (axis times angle, radians) and a
  translation (metres) that take the world to the camera: ``poses="inverse"``. The camera has x
  right, y down, z forward; the world has z up (apple/ARKitScenes, issue 81).
* ``lowres_wide_intrinsics/VIDEO_TIME.pincam``: width, height, fx, fy, cx, cy of one frame.

Apple's loader takes the pose of the same millisecond, else one at most 5 ms away, and intrinsics at
most 1 ms away; so does this one. The raw dataset has 60 images and about 10 poses a second, so that
most of its images have no pose: they are left out and counted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_about
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.images.confidence import without_confidence
from pointcontrast.recordings.rgbd.images.intrinsics import check_intrinsics
from pointcontrast.recordings.rgbd.posed_images import ImageFrame, ImageRecording, PosedImages
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.recordings.text_files import read_number_rows
from pointcontrast.recordings.time_association import associate

_POSE_GAP = 0.005
_FILE_GAP = 0.0015  # names are rounded to a millisecond, each in its own way
_LEAST_CONFIDENCE = 1
_LARGEST = 1e12  # of a time, an angle or a translation
_TRAJECTORY = "lowres_wide.traj"


class ArkitScenesSequence(PosedImages):
    """One folder of ``lowres_depth/``, ``lowres_wide/`` and ``lowres_wide.traj``.

    Or the folder of the video, ``47333462``, in which they are ``47333462_frames``.
    """

    layout = "arkit_scenes"
    description = "ARKitScenes: lowres_depth/, lowres_wide/ and lowres_wide.traj"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        return (_frames_folder(folder) / "lowres_depth").is_dir()

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        folder = _frames_folder(folder)
        depth_times, depths = _timed(folder / "lowres_depth", ".png")
        if not depths:
            raise InputError(f"{folder / 'lowres_depth'} holds no image named VIDEO_TIME.png")
        path = folder / _TRAJECTORY
        pose_times, poses, lines, bad = _read_trajectory(path)
        pairs = associate(depth_times, pose_times, _POSE_GAP)
        if not len(pairs.first):
            raise InputError(
                f"{folder}: no image of lowres_depth has a pose in {path.name} within "
                f"{_POSE_GAP:g} s: the images are of {depth_times[0]:.3f} to {depth_times[-1]:.3f} "
                f"s, the poses of {pose_times.min():.3f} to {pose_times.max():.3f} s; are they of "
                "one video?"
            )
        posed = pairs.first.tolist()
        colors = self._beside(depth_times, folder / "lowres_wide", ".png")
        cameras = self._beside(depth_times, folder / "lowres_wide_intrinsics", ".pincam")
        self._confidences = self._beside(depth_times, folder / "confidence", ".png")
        self._rows = posed
        self.up = np.array([0.0, 0.0, 1.0])
        notes: tuple[str, ...] = ()
        if pairs.num_left_out:
            notes += (
                f"{folder}: {pairs.num_left_out} of {len(depths)} depth images are left out: "
                f"without a pose in {path.name}, within {_POSE_GAP:g} s",
            )
        if bad:
            notes += (f"{bad[0]}; rows left out of this file: {len(bad)}",)
        given = options.intrinsics
        if given is None and not cameras:
            raise InputError(
                f"{folder / 'lowres_wide_intrinsics'} holds no VIDEO_TIME.pincam; download this "
                "asset (lowres_wide_intrinsics), or pass --intrinsics fx fy cx cy"
            )
        frames = []
        for row, other in zip(posed, pairs.second.tolist(), strict=True):
            matrix, size = given, None
            pose: NDArray[np.float64] | FrameError = poses[other]
            if given is None:
                try:
                    matrix, size = _read_pincam(cameras.get(row), depths[row])
                except FrameError as error:
                    pose = error
            frames.append(
                ImageFrame(
                    frame_id=depths[row].stem,
                    depth=depths[row],
                    color=colors.get(row),
                    pose=pose,
                    pose_place=f"{path}: line {lines[other]}",
                    intrinsics=matrix,
                    intrinsics_size=size,
                )
            )
        used = [cameras[row] for row in posed if row in cameras] if given is None else []
        used += [self._confidences[row] for row in posed if row in self._confidences]
        return ImageRecording(
            frames=tuple(frames),
            intrinsics=next((f.intrinsics for f in frames if f.intrinsics is not None), given),
            poses="inverse",
            texts=(path, *used),
            notes=notes,
        )

    def read_depth(self, path: Path, index: int) -> NDArray[np.float32]:
        """Read a depth image, without depth of confidence 0."""
        depth = super().read_depth(path, index)
        if not self._confidences:
            return depth
        confidence = self._confidences.get(self._rows[index])
        if confidence is None:
            raise FrameError(f"{path}: its image in confidence/ is missing")
        return without_confidence(depth, confidence, _LEAST_CONFIDENCE)

    def _beside(self, times: NDArray[np.float64], folder: Path, suffix: str) -> dict[int, Path]:
        """Return the files that belong to depth images, by the row of the image."""
        others, paths = _timed(folder, suffix)
        pairs = associate(times, others, _FILE_GAP)
        return {
            row: paths[other]
            for row, other in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
        }


def _frames_folder(folder: Path) -> Path:
    """Return the folder of the frames: beside it, the release has a mesh of the same room."""
    inner = folder / f"{folder.name}_frames"
    return inner if inner.is_dir() else folder


def _timed(folder: Path, suffix: str) -> tuple[NDArray[np.float64], list[Path]]:
    """Return the times in the names ``VIDEO_TIME`` of files, ascending, and the files."""
    found: list[tuple[float, Path]] = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix.lower() != suffix or path.name.startswith(".") or not path.is_file():
            continue
        try:
            found.append((float(path.stem.rpartition("_")[2]), path))
        except ValueError:
            continue
    found.sort()
    return np.array([time for time, _ in found], dtype=np.float64), [path for _, path in found]


def _read_trajectory(
    path: Path,
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[int], list[str]]:
    """Read the times (K,), the poses (K, 4, 4), their rows, and why other rows cannot be used."""
    times, poses, lines, bad = [], [], [], []
    rows = read_number_rows(path, "a table of a time, a rotation vector and a translation")
    for line, row in enumerate(rows, start=1):
        if len(row) != 7 or not (np.abs(row) < _LARGEST).all():  # false for NaN
            bad.append(
                f"{path}: row {line} holds {len(row)} numbers, or some beyond all measure, not the "
                "7 of a time, a rotation vector and a translation"
            )
            continue
        pose = np.eye(4)
        angle = float(np.linalg.norm(row[1:4]))
        if angle > 0:
            pose[:3, :3] = rotation_about(row[1:4], angle)
        pose[:3, 3] = row[4:]
        times.append(row[0])
        poses.append(pose)
        lines.append(line)
    if not times:
        raise InputError(bad[0] if bad else f"{path} holds no pose")
    return np.array(times), np.stack(poses), lines, bad


def _read_pincam(path: Path | None, depth: Path) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Read the intrinsics of one frame, and the size of the image that they belong to."""
    if path is None:
        raise FrameError(f"{depth}: its .pincam in lowres_wide_intrinsics is missing")
    try:
        numbers = [n for row in read_number_rows(path, "width height fx fy cx cy") for n in row]
        if len(numbers) != 6 or not np.isfinite(numbers).all():
            raise InputError(f"{path} holds {len(numbers)} numbers, not width height fx fy cx cy")
        width, height, fx, fy, cx, cy = numbers
        if not (1 <= width < 1e5 and 1 <= height < 1e5):
            raise InputError(f"{path} states images of {width:g} x {height:g} pixels")
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float64)
        return check_intrinsics(matrix, str(path)), (int(width), int(height))
    except InputError as error:
        raise FrameError(str(error)) from None
