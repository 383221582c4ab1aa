"""Sequences of KITTI-360: ``data_3d_raw/<sequence>/velodyne_points/data/%010d.bin``.

``data_poses/<sequence>/poses.txt`` holds the number of a frame and the 3 x 4 pose of the GPS/IMU in
the world (UTM-like metres), for some of the frames. ``calibration/calib_cam_to_velo.txt`` is
velodyne from camera 0, and the row ``image_00`` of ``calib_cam_to_pose.txt`` is GPS/IMU from camera
0 (autonomousvision/kitti360Scripts, ``kitti360scripts/devkits/commons/loadCalibration.py`` and
issue 114). Sweeps are not corrected for the motion within a turn.
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


class Kitti360Sequence(PosedSweeps):
    """One sequence of KITTI-360. Its world has z up; sweeps without a pose are left out."""

    layout = "kitti360"
    description = (
        "data_3d_raw/<sequence>/velodyne_points/data/*.bin with data_poses and calibration of "
        "KITTI-360"
    )

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout; missing poses are an error on opening."""
        return (folder / "velodyne_points" / "data").is_dir() and (
            folder.parent.name == "data_3d_raw"
        )

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a sequence.

        Raises:
            InputError: As :class:`PosedSweeps`; no poses or calibration; axes are stated.
        """
        if options is not None and options.axes is not None:
            raise InputError(f"{folder}: KITTI-360's calibration states the axes; leave --axes out")
        super().__init__(folder, options)
        root = folder.parent.parent
        poses = root / "data_poses" / folder.name / "poses.txt"
        self._calibration = (
            root / "calibration" / "calib_cam_to_velo.txt",
            root / "calibration" / "calib_cam_to_pose.txt",
        )
        for path in (poses, *self._calibration):
            if not path.exists():
                raise InputError(
                    f"{path} does not exist; unpack KITTI-360's "
                    f"{'data_poses.zip' if path == poses else 'calibration.zip'} into {root}"
                )
        self._poses = PoseFile(poses, self.frame_ids, "sweep", folder / "velodyne_points" / "data")
        self.notes += self._poses.notes
        velo_from_camera = _only_row(self._calibration[0])
        imu_from_camera = _row_named(self._calibration[1], "image_00")
        self._imu_from_velo = imu_from_camera @ np.linalg.inv(velo_from_camera)
        self.up = np.array([0.0, 0.0, 1.0])

    def files(self) -> list[Path]:
        """Return the sweeps, the poses and the calibration."""
        return [*super().files(), self._poses.path, *self._calibration]

    def check_conventions(self) -> None:
        """Check that neighbouring sweeps fit together; about twenty are read."""
        own_axes = "check data_poses and calibration"
        check_sweeps(self, self, self._options, own_axes=own_axes)

    def _list_sweeps(self) -> dict[str, Path]:
        return list_sweep_files(self.folder / "velodyne_points" / "data")

    def _recorded_pose(self, index: int) -> NDArray[np.float64]:
        return self._poses.pose(index) @ self._imu_from_velo


def _only_row(path: Path) -> NDArray[np.float64]:
    rows = read_rows(path)
    if len(rows) != 1:
        raise InputError(f"{path} has {len(rows)} rows, not the one of 12 numbers")
    return _rigid(rows[0], str(path))


def _row_named(path: Path, wanted: str) -> NDArray[np.float64]:
    for row in read_rows(path):
        name, _, numbers = row.partition(":")
        if name.strip() == wanted:
            return _rigid(numbers, f"{path}: {wanted}")
    raise InputError(f"{path} has no row {wanted}:; unpack KITTI-360's calibration.zip again")


def _rigid(numbers: str, where: str) -> NDArray[np.float64]:
    try:
        return rigid_row(numbers, where)
    except FrameError as error:
        raise InputError(str(error)) from None
