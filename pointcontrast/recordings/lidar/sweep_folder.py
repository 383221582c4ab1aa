"""Folders of posed LiDAR sweeps: KITTI odometry, SemanticKITTI, and other data in the same form.

The sweeps are the files of one folder, sorted by name, in the formats of
``pointcontrast.recordings.lidar.sweep_files``. A text file holds one pose per sweep
(``pointcontrast.recordings.pose_file``). With a ``calib.txt``, the poses are KITTI's: those of the
left camera, which looks forward and has y down.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.lidar.sweep_files import SUFFIXES, read_sweep_file
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.pose_file import PoseFile, read_rows, rigid_row
from pointcontrast.recordings.sequence import FrameError, Layout
from pointcontrast.types import Sweep


class _PosedSweeps(Layout):
    """A folder of sweeps with a file of poses."""

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a folder; only names and poses are read.

        Args:
            folder: Folder of the scene.
            options: Statements of the user; intrinsics must be None: sweeps have no pinhole camera.

        Raises:
            InputError: Intrinsics are given, no sweep, names whose order is uncertain, another
                number of poses than of sweeps, or a file that the layout needs is absent.
        """
        if options is not None and options.intrinsics is not None:
            raise InputError(
                f"{folder} holds LiDAR sweeps, for which --intrinsics has no meaning; leave it out"
            )
        self.name = folder.name
        self.folder = folder
        self._sweeps = _sweep_files(self._sweep_folder())
        self.frame_ids = tuple(path.stem for path in self._sweeps)
        place = self._sweep_folder()
        self._poses = PoseFile(self._find_poses(), self.frame_ids, "sweep", place)

    def read(self, index: int) -> Sweep:
        """Read one sweep; see :meth:`~pointcontrast.recordings.sequence.PosedSequence.read`.

        Raises:
            FrameError: Its file is damaged, or its pose is not a rigid transform.
        """
        pose = self._poses.pose(range(len(self))[index])
        return Sweep(
            frame_id=self.frame_ids[index],
            cloud=read_sweep_file(self._sweeps[index]),
            world_from_sensor=self._world_from_sensor(pose),
        )

    def files(self) -> list[Path]:
        """Return the sweeps and the poses."""
        return [*self._sweeps, self._poses.path]

    @abstractmethod
    def _sweep_folder(self) -> Path: ...

    @abstractmethod
    def _find_poses(self) -> Path: ...

    @abstractmethod
    def _world_from_sensor(self, pose: NDArray[np.float64]) -> NDArray[np.float64]: ...


class KittiSequence(_PosedSweeps):
    """One sequence of KITTI odometry or SemanticKITTI: ``velodyne/`` with ``calib.txt``.

    The poses are in ``poses.txt`` (SemanticKITTI) or ``../../poses/<sequence>.txt`` (KITTI
    odometry), and map the left camera to its first position. ``Tr`` of ``calib.txt`` maps the LiDAR
    to the camera, so ``inv(Tr) @ pose @ Tr`` maps a sweep to the first position of the LiDAR. That
    frame is the world here; its z axis points up as the car stood then.
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
            InputError: As :meth:`_PosedSweeps.__init__`; no poses; no ``Tr`` in ``calib.txt``.
        """
        super().__init__(folder, options)
        self._camera_from_lidar = _read_calibration(folder / "calib.txt")
        self.up = np.array([0.0, 0.0, 1.0])

    def files(self) -> list[Path]:
        """Return the sweeps, the poses and the calibration."""
        return [*super().files(), self.folder / "calib.txt"]

    def _sweep_folder(self) -> Path:
        return self.folder / "velodyne"

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

    def _world_from_sensor(self, pose: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.linalg.inv(self._camera_from_lidar) @ pose @ self._camera_from_lidar


class SweepFolderSequence(_PosedSweeps):
    """One folder of ``sweeps/`` (or ``velodyne/``) with ``poses.txt``, world from sensor."""

    layout = "sweep_folder"
    description = "sweeps/*.{bin,npy,ply,pcd} with poses.txt, world from sensor"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        has_sweeps = any((folder / name).is_dir() for name in ("sweeps", "velodyne"))
        return has_sweeps and (folder / "poses.txt").exists()

    def _sweep_folder(self) -> Path:
        own = self.folder / "sweeps"
        return own if own.is_dir() else self.folder / "velodyne"

    def _find_poses(self) -> Path:
        return self.folder / "poses.txt"

    def _world_from_sensor(self, pose: NDArray[np.float64]) -> NDArray[np.float64]:
        return pose


def _sweep_files(folder: Path) -> list[Path]:
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not files:
        raise InputError(f"{folder} holds no sweep ({', '.join(SUFFIXES)})")
    first: dict[str, Path] = {}
    for path in files:
        if first.setdefault(path.stem, path) is not path:
            raise InputError(
                f"{first[path.stem]} and {path.name} are the same sweep in two formats; remove one"
            )
    if files[0].name.endswith(".pcd.bin"):
        raise InputError(
            f"{files[0]}: sweeps of nuScenes (.pcd.bin) have five numbers per point, not four; "
            "save them as .npy"
        )
    return files


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
