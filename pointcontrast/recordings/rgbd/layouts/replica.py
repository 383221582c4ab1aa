"""Replica as NICE-SLAM rendered it, and recordings in the same folders.

``results/frame000000.jpg``, ``results/depth000000.png`` (16 bits) and ``traj.txt``: one row of 16
numbers per frame, the 4 x 4 camera-to-world matrix, metres; OpenCV's axes.

Sources: cvg/nice-slam, ``src/utils/datasets.py`` (names; it turns the axes to OpenGL's itself) and
``configs/Replica/replica.yaml`` (depth / 6553.5; 1200 x 680 pixels, fx fy 600, cx 599.5, cy 339.5);
its download has ``cam_params.json`` beside the scenes.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pointcontrast.errors import InputError
from pointcontrast.recordings.frame_order import numeric_order
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.pose_file import PoseFile
from pointcontrast.recordings.rgbd.images.depth_images import depth_size
from pointcontrast.recordings.rgbd.images.intrinsics_file import (
    INTRINSICS_FILES,
    Intrinsics,
    find_intrinsics,
)
from pointcontrast.recordings.rgbd.posed_images import ImageFrame, ImageRecording, PosedImages

_FILE = re.compile(r"(frame|depth)(\d+)\.(png|jpe?g|npy|exr|tiff?)", re.IGNORECASE)
_INTRINSICS_FILES = ("cam_params.json", *INTRINSICS_FILES)
_SIZE = (1200, 680)
_KNOWN = Intrinsics(
    matrix=np.array([[600.0, 0.0, 599.5], [0.0, 600.0, 339.5], [0.0, 0.0, 1.0]]), size=_SIZE
)
UNITS_PER_METRE = 6553.5


class ReplicaSequence(PosedImages):
    """One folder of ``results/`` and ``traj.txt``."""

    layout = "replica"
    description = "results/frame*.jpg and results/depth*.png with traj.txt"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        return (folder / "results").is_dir() and (folder / "traj.txt").is_file()

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        found: dict[str, dict[str, Path]] = {}
        for path in (folder / "results").iterdir():
            match = _FILE.fullmatch(path.name)
            if match:
                found.setdefault(match[2], {})[match[1].lower()] = path
        frame_ids = tuple(sorted(found, key=numeric_order))
        depths = [found[name]["depth"] for name in frame_ids if "depth" in found[name]]
        if not depths:
            raise InputError(f"{folder / 'results'} holds no depth000000.png")
        poses = PoseFile(folder / "traj.txt", frame_ids, "frame", folder / "results")
        path, intrinsics = find_intrinsics(folder, options.intrinsics, _INTRINSICS_FILES)
        notes: tuple[str, ...] = ()
        if intrinsics is None:
            intrinsics = _known_intrinsics(folder, depth_size(depths))
            notes = (
                f"{folder}: intrinsics 600 600 599.5 339.5, those of NICE-SLAM's Replica, are "
                "taken; --intrinsics fx fy cx cy states others",
            )
        if intrinsics.units_per_metre is None and options.depth_scale is None:
            notes += (
                f"{folder}: depth is taken as {UNITS_PER_METRE} units per metre, as in NICE-SLAM's "
                "Replica; --depth-scale states another unit",
            )
        return ImageRecording(
            frames=tuple(
                ImageFrame(
                    frame_id=frame_id,
                    depth=found[frame_id].get("depth"),
                    color=found[frame_id].get("frame"),
                    pose=poses.recorded(index),
                    pose_place=poses.place(index),
                )
                for index, frame_id in enumerate(frame_ids)
            ),
            intrinsics=intrinsics.matrix,
            intrinsics_size=intrinsics.size,
            units_per_metre=intrinsics.units_per_metre or UNITS_PER_METRE,
            texts=(poses.path, *((path,) if path else ())),
            notes=notes,
        )


def _known_intrinsics(folder: Path, size: tuple[int, int]) -> Intrinsics:
    if size != _SIZE:
        raise InputError(
            f"{folder} has no cam_params.json, and its depth images are {size[0]} x {size[1]}, not "
            f"the {_SIZE[0]} x {_SIZE[1]} of NICE-SLAM's Replica, whose intrinsics are known; pass "
            "--intrinsics fx fy cx cy"
        )
    return _KNOWN
