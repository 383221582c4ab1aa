"""Sequences of KITTI odometry and SemanticKITTI.

``poses.txt`` and ``calib.txt`` are those of the odometry benchmark: the poses are the left camera's
(x right, y down, z forward), and ``Tr`` of ``calib.txt`` maps the LiDAR to it. A LiDAR's pose is
``inv(Tr) @ pose @ Tr`` (``PRBonn/semantic-kitti-api`` issues 115 and 133). The grey and colour
archives have a ``calib.txt`` without ``Tr``; ``data_odometry_calib.zip`` has it
(``utiasSTARS/pykitti`` issue 5).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.lidar.posed_sweeps import PosedSweeps, list_sweep_files
from pointcontrast.recordings.lidar.sweep_check import check_sweeps
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.pose_file import PoseFile
from pointcontrast.recordings.pose_rows import read_rows, rigid_row
from pointcontrast.recordings.sequence import FrameError


class KittiSequence(PosedSweeps):
    """One sequence of KITTI odometry or SemanticKITTI: ``velodyne/`` with ``calib.txt``.

    The poses are in ``poses.txt`` (SemanticKITTI) or ``../../poses/<sequence>.txt`` (KITTI
    odometry), and map the left camera to its first position. ``inv(Tr) @ pose @ Tr`` maps a sweep
    to the first position of the LiDAR. That frame is the world here; its z axis points up as the
    car stood then.
    """

    layout = "kitti"
    description = "velodyne/*.bin with calib.txt and poses.txt or ../../poses/<sequence>.txt"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout; missing poses are an error on opening."""
        return (folder / "velodyne").is_dir() and (folder / "calib.txt").exists()

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a sequence.

        Raises:
            InputError: As :class:`PosedSweeps`; no poses; no ``Tr`` in ``calib.txt``; axes are
                stated.
        """
        if options is not None and options.axes is not None:
            raise InputError(
                f"{folder / 'calib.txt'} states the axes of the poses; leave --axes out"
            )
        super().__init__(folder, options)
        self._poses = PoseFile(self._find_poses(), self.frame_ids, "sweep", folder / "velodyne")
        self.notes += self._poses.notes
        self._camera_from_lidar = _read_calibration(folder / "calib.txt")
        self.up = np.array([0.0, 0.0, 1.0])

    def files(self) -> list[Path]:
        """Return the sweeps, the poses and the calibration."""
        return [*super().files(), self._poses.path, self.folder / "calib.txt"]

    def check_conventions(self) -> None:
        """Check that neighbouring sweeps fit together; about twenty are read."""
        calibration = self.folder / "calib.txt"
        own_axes = (
            f"if these are the LiDAR's own poses, write the row Tr of {calibration.name} as "
            "1 0 0 0 0 1 0 0 0 0 1 0"
        )
        check_sweeps(self, self, self._options, own_axes=own_axes)

    def _list_sweeps(self) -> dict[str, Path]:
        return list_sweep_files(self.folder / "velodyne")

    def _find_poses(self) -> Path:
        own = self.folder / "poses.txt"
        release = self.folder.parent.parent / "poses" / f"{self.folder.name}.txt"
        for path in (own, release):
            if path.exists():
                return path
        raise InputError(
            f"{self.folder} has no poses: neither {own} nor {release} exists (KITTI publishes "
            "none for the sequences 11 to 21; SemanticKITTI has estimates)"
        )

    def _recorded_pose(self, index: int) -> NDArray[np.float64]:
        pose = self._poses.pose(index)
        return np.linalg.inv(self._camera_from_lidar) @ pose @ self._camera_from_lidar


def _read_calibration(path: Path) -> NDArray[np.float64]:
    """Read ``Tr`` of KITTI's ``calib.txt``: (4, 4) camera from LiDAR."""
    for row in read_rows(path):
        name, _, numbers = row.partition(":")
        if name.strip() == "Tr":
            try:
                return rigid_row(numbers, f"{path}: Tr")
            except FrameError as error:
                raise InputError(str(error)) from None
    raise InputError(
        f"{path} has no row Tr: (camera from LiDAR); unpack KITTI's data_odometry_calib.zip over it"
    )
