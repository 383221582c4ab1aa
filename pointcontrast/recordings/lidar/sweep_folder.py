"""Folders of ``sweeps/`` with a file of poses.

The sweeps are the files of one folder, ordered by the numbers in their names, in the formats of
``pointcontrast.recordings.lidar.sweep_files``. ``poses.txt`` holds the pose of each, world from
sensor (``pointcontrast.recordings.pose_file``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.recordings.lidar.posed_sweeps import PosedSweeps, list_sweep_files
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.pose_file import PoseFile


class SweepFolderSequence(PosedSweeps):
    """One folder of ``sweeps/`` (or ``velodyne/``) with ``poses.txt``, world from sensor."""

    layout = "sweep_folder"
    description = "sweeps/*.{bin,npy,ply,pcd} with poses.txt, world from sensor"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` is in this layout."""
        has_sweeps = any((folder / name).is_dir() for name in ("sweeps", "velodyne"))
        return has_sweeps and (folder / "poses.txt").exists()

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a folder.

        Raises:
            InputError: As :class:`PosedSweeps`; rows of poses that fit no sweep.
        """
        super().__init__(folder, options)
        path = folder / "poses.txt"
        self._poses = PoseFile(path, self.frame_ids, "sweep", self._place())
        self.notes += self._poses.notes

    def files(self) -> list[Path]:
        """Return the sweeps and the poses."""
        return [*super().files(), self._poses.path]

    def _place(self) -> Path:
        own = self.folder / "sweeps"
        return own if own.is_dir() else self.folder / "velodyne"

    def _list_sweeps(self) -> dict[str, Path]:
        return list_sweep_files(self._place())

    def _recorded_pose(self, index: int) -> NDArray[np.float64]:
        return self._poses.pose(index)
