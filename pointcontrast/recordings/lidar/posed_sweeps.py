"""Folders of posed LiDAR sweeps: what all their layouts share.

A layout lists its sweeps and gives the pose of each as recorded. What the user states
(``RecordingOptions``) is applied here: the direction of the poses, and the axes of the frame whose
poses they are.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.binary_records import KITTI_FORM, common_form
from pointcontrast.recordings.frame_order import order_by_number
from pointcontrast.recordings.lidar.sweep_axes import stated_pose
from pointcontrast.recordings.lidar.sweep_check import check_sweeps
from pointcontrast.recordings.lidar.sweep_files import SUFFIXES, read_sweep_file, sweep_name
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.sequence import Layout
from pointcontrast.types import Sweep


class PosedSweeps(Layout):
    """A folder of sweeps with poses; derive from it for each layout."""

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a folder; only names, poses and a few numbers of ``.bin`` files are read.

        Args:
            folder: Folder of the scene.
            options: Statements of the user. Intrinsics, depth scale and unit must be None: sweeps
                have no pinhole camera, and are in metres.

        Raises:
            InputError: A statement has no meaning here, no sweep, names whose order is uncertain,
                ``.bin`` files whose records cannot be told, or what the layout adds.
        """
        self.name = folder.name
        self.folder = folder
        self._options = options or RecordingOptions()
        refuse_senseless(folder, self._options)
        self._sweeps = self._list_sweeps()
        self.frame_ids = tuple(self._sweeps)
        binary = [path for path in self._sweeps.values() if path.suffix.lower() == ".bin"]
        width = self._options.floats_per_point
        self._form = common_form(binary, width) if binary else None
        if self._form is not None and width is None and self._form != KITTI_FORM:
            self.notes += (
                f"{binary[0].parent}: its .bin files hold {self._form} per point, as their numbers "
                "tell, x y z first; --floats-per-point states another count",
            )

    def read(self, index: int) -> Sweep:
        """Read one sweep; see :meth:`~pointcontrast.recordings.sequence.PosedSequence.read`.

        Raises:
            FrameError: Its file is damaged, or its pose is not a rigid transform.
        """
        index = range(len(self))[index]
        pose = self.pose(index)
        name = self.frame_ids[index]
        cloud = read_sweep_file(self._sweeps[name], self._form, self._options.floats_per_point)
        return Sweep(frame_id=name, cloud=cloud, world_from_sensor=pose)

    def pose(self, index: int) -> NDArray[np.float64]:
        """Return the (4, 4) float64 pose of a sweep, world from sensor, with all that is stated.

        Raises:
            FrameError: It has no usable pose.
        """
        return stated_pose(self._recorded_pose(index), self._options)

    def check_conventions(self) -> None:
        """Check that neighbouring sweeps fit together; about twenty are read."""
        check_sweeps(self, self, self._options)

    def files(self) -> list[Path]:
        """Return the sweeps."""
        return list(self._sweeps.values())

    @abstractmethod
    def _list_sweeps(self) -> dict[str, Path]:
        """Return the files of the sweeps in order, by unique names."""

    @abstractmethod
    def _recorded_pose(self, index: int) -> NDArray[np.float64]:
        """Return the (4, 4) pose of a sweep: world from sensor if the user states nothing.

        Raises:
            FrameError: It has no usable pose.
        """


def refuse_senseless(folder: Path, options: RecordingOptions) -> None:
    """Refuse statements about cameras and units, which have no meaning for sweeps."""
    for option, value, reason in (
        ("intrinsics", options.intrinsics, "a pinhole camera has intrinsics"),
        ("depth-scale", options.depth_scale, "depth images have one"),
        ("unit", options.unit, "their points are in metres"),
        ("axes unity", options.axes == "unity" or None, "opencv and opengl are known for them"),
    ):
        if value is not None:
            raise InputError(
                f"{folder} holds LiDAR sweeps, for which --{option} has no meaning ({reason}); "
                "leave it out"
            )


def list_sweep_files(folder: Path) -> dict[str, Path]:
    """List the sweeps of a folder by name, ordered by the numbers in their names.

    Raises:
        InputError: The folder is absent or holds no sweep, one sweep is there in two formats, or
            the order is uncertain.
    """
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror})") from None
    found: dict[str, Path] = {}
    for path in names:
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        first = found.setdefault(sweep_name(path), path)
        if first is not path:
            raise InputError(
                f"{first} and {path.name} are the same sweep in two formats; remove one"
            )
    if not found:
        raise InputError(f"{folder} holds no sweep ({', '.join(SUFFIXES)})")
    return {name: found[name] for name in order_by_number(found, folder, "sweep")}
