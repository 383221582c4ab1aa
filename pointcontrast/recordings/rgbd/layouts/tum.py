"""Folders in the layout of TUM's RGB-D benchmark, which ORB-SLAM and many recorders share.

``rgb.txt`` and ``depth.txt`` list the images of ``rgb/`` and ``depth/`` (``timestamp filename``),
each camera with times of its own. ``groundtruth.txt`` holds poses, ``timestamp tx ty tz qx qy qz
qw``: camera to world, x right, y down, z forward, at the 100 Hz of a motion capture system. Depth
images are 16 bits at 5000 units per metre (https://cvg.cit.tum.de/data/datasets/rgbd-dataset/
file_formats; cvg/nice-slam, src/utils/datasets.py). In place of these files there may be

* ``associations.txt`` (or ``associate.txt``, ``associated.txt``): a row of time and file of both
  images, in either order (ORB_SLAM2 writes colour first, ICL-NUIM depth first);
* ``CameraTrajectory.txt`` or ``KeyFrameTrajectory.txt``, ORB-SLAM's estimates, in the form of
  ``groundtruth.txt``.

A depth image takes the colour image nearest in time, each once and at most 0.02 s away, as in the
benchmark's associate.py. Its pose is that of its own time, between the two poses around it if these
are at most 0.1 s apart, else the nearest at most 0.02 s away. (Others take the nearest: 0.08 s in
NICE-SLAM.) Depth images without either are left out and counted.

There are no intrinsics in the release: ``tum_intrinsics``. ICL-NUIM (``*.gt.freiburg``) has a
left-handed world with y up, and numbers of frames as times (nvidia-isaac/cuVSLAM, pull request 135;
ankurhanda/living_room_iclnuim gives a negative fy for the same reason). The ``groundtruth.txt`` of
Bonn RGB-D Dynamic (``rgbd_bonn_*``) holds poses of markers that are mounted on the camera with a
transform that is published with a scale in it, so that views do not fit together (PRBonn/refusion,
issue 14): it is refused, estimated trajectories are taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.layouts.tum_intrinsics import BONN, ICL, camera_of, dataset_of
from pointcontrast.recordings.rgbd.posed_images import ImageFrame, ImageRecording, PosedImages
from pointcontrast.recordings.time_association import MAX_GAP, associate, poses_at
from pointcontrast.recordings.time_tables import Trajectory, read_file_lists, read_trajectory

UNITS_PER_METRE = 5000.0
INTERPOLATED_SPAN = 0.1
"""Longest time between two poses across which a pose is interpolated, seconds."""
_GROUND_TRUTH = "groundtruth.txt"
_ESTIMATES = ("CameraTrajectory.txt", "KeyFrameTrajectory.txt")
_ASSOCIATIONS = ("associations.txt", "associate.txt", "associated.txt", "association.txt")


class TumSequence(PosedImages):
    """One folder of ``rgb.txt``, ``depth.txt`` and ``groundtruth.txt``."""

    layout = "tum"
    description = "TUM RGB-D: rgb.txt, depth.txt (or associations.txt) and groundtruth.txt"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` lists its depth images in this layout."""
        if (folder / "depth.txt").is_file():
            return (folder / "rgb.txt").is_file() or _trajectory_file(folder) is not None
        return (folder / "depth").is_dir() and _associations_file(folder) is not None

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        path = _trajectory_file(folder)
        if path is None:
            raise InputError(
                f"{folder} has no poses: neither {_GROUND_TRUTH} nor {' nor '.join(_ESTIMATES)}; "
                "give one with rows of a time, a translation and a quaternion (t x y z qx qy qz qw)"
            )
        dataset = dataset_of(folder, path)
        if dataset == BONN and path.name == _GROUND_TRUTH:
            raise InputError(
                f"{path} holds poses of the markers on the camera, not of the camera ({BONN}), so "
                f"the views would not fit together; give an estimated {_ESTIMATES[0]} in its place"
            )
        images = _list_images(folder)
        trajectory = read_trajectory(path)
        used, poses, left_out = _posed_images(folder, images, trajectory, path)
        camera = camera_of(folder, dataset, options.intrinsics)
        names = _frame_ids(images.depths)
        return ImageRecording(
            frames=tuple(
                ImageFrame(
                    frame_id=names[row],
                    depth=_existing(folder, images.depths[row]),
                    color=_existing(folder, images.colors[row]) if images.has_color else None,
                    pose=poses[row],
                    pose_place=f"{path}: the pose at {images.times[row]:.6f} s",
                    distortion=camera.distortion,
                )
                for row in used
            ),
            intrinsics=camera.intrinsics.matrix,
            intrinsics_size=camera.intrinsics.size,
            units_per_metre=camera.intrinsics.units_per_metre or UNITS_PER_METRE,
            axes="unity" if dataset == ICL else "opencv",
            texts=(path, *images.files, *camera.texts),
            notes=(*camera.notes, *left_out),
        )


class _Images(NamedTuple):
    """The images of a folder; the rows are depth images.

    Attributes:
        times: (N,) float64 times of the depth images, seconds.
        depths: N paths relative to the folder.
        colors: N paths of the colour images that belong to them, empty where there is none.
        has_color: Whether the folder has colour images at all.
        files: Tables that were read.
        left_out: For each table, the reasons why rows cannot be used.
    """

    times: NDArray[np.float64]
    depths: tuple[str, ...]
    colors: tuple[str, ...]
    has_color: bool
    files: tuple[Path, ...]
    left_out: tuple[tuple[str, ...], ...]


def _list_images(folder: Path) -> _Images:
    if not (folder / "depth.txt").is_file():
        return _associated_images(folder)
    (depth,) = read_file_lists(folder / "depth.txt")
    colors = [""] * len(depth.times)
    if not (folder / "rgb.txt").is_file():
        files, left_out = (folder / "depth.txt",), (depth.left_out,)
        return _Images(depth.times, depth.paths, tuple(colors), False, files, left_out)
    (color,) = read_file_lists(folder / "rgb.txt")
    pairs = associate(depth.times, color.times)
    for row, other in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        colors[row] = color.paths[other]
    files = (folder / "depth.txt", folder / "rgb.txt")
    left_out = (depth.left_out, color.left_out)
    return _Images(depth.times, depth.paths, tuple(colors), True, files, left_out)


def _associated_images(folder: Path) -> _Images:
    path = _associations_file(folder)
    assert path is not None
    pair = read_file_lists(path, 2)
    is_depth = ["depth" in each.paths[0].lower() for each in pair]
    if is_depth[0] == is_depth[1]:
        raise InputError(
            f"{path}: {pair[0].paths[0]} or {pair[1].paths[0]} must be the depth image, with "
            "depth in its path; rename the folder of the depth images"
        )
    depth, color = pair if is_depth[0] else pair[::-1]
    return _Images(depth.times, depth.paths, color.paths, True, (path,), (depth.left_out,))


def _posed_images(
    folder: Path, images: _Images, trajectory: Trajectory, path: Path
) -> tuple[list[int], NDArray[np.float64], tuple[str, ...]]:
    """Return the rows of the usable images by time, the poses of all rows, and what is left out."""
    times = images.times
    found = poses_at(
        times, trajectory.times, trajectory.poses, interpolate_within=INTERPOLATED_SPAN
    )
    by_time = np.argsort(times, kind="stable").tolist()
    colored = [row for row in by_time if not images.has_color or images.colors[row]]
    used = [row for row in colored if found.found[row]]
    if not used:
        raise InputError(
            f"{folder}: no depth image has a pose in {path.name} within {MAX_GAP:g} s and a colour "
            f"image: the {len(times)} depth images are of {times.min():.3f} to {times.max():.3f} "
            f"s, the {len(trajectory.times)} poses of {trajectory.times.min():.3f} to "
            f"{trajectory.times.max():.3f} s, and {len(colored)} depth images have a colour image; "
            "are these times of one clock?"
        )
    notes: tuple[str, ...] = ()
    if len(used) < len(times):
        notes += (
            f"{folder}: {len(times) - len(used)} of {len(times)} depth images are left out: "
            f"{len(times) - len(colored)} without a colour image, {len(colored) - len(used)} "
            f"without a pose in {path.name}, within {MAX_GAP:g} s",
        )
    for reasons in (*images.left_out, trajectory.left_out):
        if reasons:
            notes += (f"{reasons[0]}; rows left out of this file: {len(reasons)}",)
    return used, found.poses, notes


def _trajectory_file(folder: Path) -> Path | None:
    if (folder / _GROUND_TRUTH).is_file():
        return folder / _GROUND_TRUTH
    icl = sorted(folder.glob("*.gt.freiburg"))
    named = [folder / name for name in _ESTIMATES]
    return next((path for path in (*icl, *named) if path.is_file()), None)


def _associations_file(folder: Path) -> Path | None:
    return next((folder / name for name in _ASSOCIATIONS if (folder / name).is_file()), None)


def _existing(folder: Path, path: str) -> Path | None:
    """Return a listed file, or None; of a path of another machine, folder and name count."""
    for each in (folder / path, folder / Path(path).parent.name / Path(path).name):
        if each.is_file():
            return each
    return None


def _frame_ids(depths: tuple[str, ...]) -> list[str]:
    """Return the names of the depth images without suffix, with folders if they repeat."""
    names = [Path(path).stem for path in depths]
    return (
        names if len(set(names)) == len(names) else [str(Path(p).with_suffix("")) for p in depths]
    )
