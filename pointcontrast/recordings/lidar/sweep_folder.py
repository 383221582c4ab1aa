"""Folders of posed LiDAR sweeps: KITTI odometry, SemanticKITTI, and own data in their manner.

The sweeps are the files of one folder in the order of their names, in the formats of
``pointcontrast.recordings.lidar.sweep_files``; a text file holds one pose a row for each, of 12
numbers (the upper 3 x 4 of the matrix) or 16. Where ``calib.txt`` is there, the poses are KITTI's:
of the left camera, which looks forward, with y down.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem
from pointcontrast.recordings.lidar.sweep_files import SUFFIXES, read_sweep_file
from pointcontrast.recordings.sequence import FrameError, Layout
from pointcontrast.types import Sweep


class _PosedSweeps(Layout):
    """A folder of sweeps and a file of as many poses."""

    def __init__(self, folder: Path, intrinsics: NDArray[np.float64] | None = None) -> None:
        """Open a folder; only names and poses are read.

        Args:
            folder: the scene's folder.
            intrinsics: must be None; sweeps have no pinhole camera.

        Raises:
            InputError: intrinsics are given, no sweep, names whose order is in doubt, another
                number of poses than of sweeps, or a file that the layout needs is absent.
        """
        if intrinsics is not None:
            raise InputError(
                f"{folder} holds LiDAR sweeps, for which --intrinsics has no meaning; leave it out"
            )
        self.name = folder.name
        self.folder = folder
        self._sweeps = _sweep_files(self._sweep_folder())
        self.frame_ids = tuple(path.stem for path in self._sweeps)
        self._pose_file = self._find_poses()
        self._rows = _rows(self._pose_file)
        self._check_order()

    def read(self, index: int) -> Sweep:
        """Read one sweep; see :meth:`~pointcontrast.recordings.sequence.PosedSequence.read`.

        Raises:
            FrameError: its file is damaged, or its pose is not a rigid transform.
        """
        pose = self._pose(range(len(self))[index])
        return Sweep(
            frame_id=self.frame_ids[index],
            cloud=read_sweep_file(self._sweeps[index]),
            world_from_sensor=self._world_from_sensor(pose),
        )

    def files(self) -> list[Path]:
        """The sweeps and the poses."""
        return [*self._sweeps, self._pose_file]

    @abstractmethod
    def _sweep_folder(self) -> Path: ...

    @abstractmethod
    def _find_poses(self) -> Path: ...

    @abstractmethod
    def _world_from_sensor(self, pose: NDArray[np.float64]) -> NDArray[np.float64]: ...

    def _pose(self, index: int) -> NDArray[np.float64]:
        """The (4, 4) matrix of a row of the pose file."""
        where = f"{self._pose_file}: row {index + 1} (sweep {self.frame_ids[index]})"
        matrix = _rigid_row(self._rows[index], where)
        problem = rigid_problem(matrix)
        if problem:
            raise FrameError(f"{where} is not a rigid transform: it {problem}")
        return matrix

    def _check_order(self) -> None:
        """Rows of poses carry no names, so their order must be beyond doubt."""
        if len(self._rows) != len(self._sweeps):
            raise InputError(
                f"{self._pose_file} has {len(self._rows)} rows for {len(self._sweeps)} sweeps in "
                f"{self._sweep_folder()}; give one row for each"
            )
        numbered = all(frame_id.isdecimal() for frame_id in self.frame_ids)
        if numbered and list(self.frame_ids) != sorted(self.frame_ids, key=int):
            raise InputError(
                f"{self._sweep_folder()}: its numbers sort differently as names and as numbers, "
                f"so rows of {self._pose_file.name} cannot be told apart; pad them with zeros"
            )


class KittiSequence(_PosedSweeps):
    """One sequence of KITTI odometry or SemanticKITTI: ``velodyne/`` with ``calib.txt``.

    The poses are in ``poses.txt`` (SemanticKITTI) or ``../../poses/<sequence>.txt`` (KITTI
    odometry), and map the left camera to where it stood first. ``Tr`` of ``calib.txt`` maps the
    LiDAR to the camera, so ``inv(Tr) @ pose @ Tr`` maps a sweep to where the LiDAR stood first:
    that is the world here, z up as the car stood then.
    """

    layout = "kitti"
    description = "velodyne/*.bin with calib.txt and poses.txt or ../../poses/<sequence>.txt"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Whether ``folder`` is in this layout (its poses may be missing: an error later)."""
        return (folder / "velodyne").is_dir() and (folder / "calib.txt").exists()

    def __init__(self, folder: Path, intrinsics: NDArray[np.float64] | None = None) -> None:
        """Open a sequence.

        Raises:
            InputError: as :meth:`_PosedSweeps.__init__`; no poses; no ``Tr`` in ``calib.txt``.
        """
        super().__init__(folder, intrinsics)
        self._camera_from_lidar = _read_calibration(folder / "calib.txt")
        self.up = np.array([0.0, 0.0, 1.0])

    def files(self) -> list[Path]:
        """The sweeps, the poses and the calibration."""
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
        """Whether ``folder`` is in this layout."""
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
                f"{first[path.stem]} and {path.name} are one sweep in two formats; remove one"
            )
    if files[0].name.endswith(".pcd.bin"):
        raise InputError(
            f"{files[0]}: sweeps of nuScenes (.pcd.bin) have five numbers a point, not four; save "
            "them as .npy"
        )
    return files


def _rows(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error})") from None
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _rigid_row(row: str, where: str) -> NDArray[np.float64]:
    """A (4, 4) matrix of a row of 12 or 16 numbers."""
    try:
        numbers = np.array([float(word) for word in row.split()])
    except ValueError:
        raise FrameError(f"{where} is not numbers") from None
    if numbers.size not in (12, 16):
        raise FrameError(
            f"{where} holds {numbers.size} numbers, not the 12 of a 3 x 4 or 16 of a 4 x 4 matrix"
        )
    matrix = np.eye(4)
    matrix[: numbers.size // 4] = numbers.reshape(-1, 4)
    return matrix


def _read_calibration(path: Path) -> NDArray[np.float64]:
    """``Tr`` of KITTI's ``calib.txt``: (4, 4) camera from LiDAR."""
    for row in _rows(path):
        name, _, numbers = row.partition(":")
        if name.strip() == "Tr":
            try:
                matrix = _rigid_row(numbers, f"{path}: Tr")
            except FrameError as error:
                raise InputError(str(error)) from None
            problem = rigid_problem(matrix)
            if problem:
                raise InputError(f"{path}: Tr is not a rigid transform: it {problem}")
            return matrix
    raise InputError(
        f"{path} has no row Tr: (camera from LiDAR); unpack KITTI's data_odometry_calib.zip over it"
    )
