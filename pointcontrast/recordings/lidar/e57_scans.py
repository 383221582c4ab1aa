"""E57 files of several scans: each scan position of a terrestrial laser scanner is a view."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from pointcontrast.colors import as_uint8_colors
from pointcontrast.errors import InputError
from pointcontrast.origins import take_origin_off
from pointcontrast.recordings.file_formats.e57 import E57File, num_scans
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.sequence import FrameError, Layout
from pointcontrast.types import PointCloud, Sweep

MAX_POINTS = 5_000_000
"""Largest number of points of a scan; of more, every second, third and so on is read."""


class E57Sequence(Layout):
    """The scans of one E57 file, in metres; registered views without any simulated camera.

    A scan without a pose is in the frame of the file, as exporters write merged or segmented
    clouds. Up is z, the direction of gravity in the frame of a levelled scanner, unless an
    ``up.txt`` in the folder of the file states it. A file with one scan is a reconstruction
    (:class:`~pointcontrast.recordings.reconstruction.scan_views.ScanFileSequence`).
    """

    layout = "e57"
    description = "an .e57 file of two or more scans"
    is_file = True

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check the suffix and the number of scans; what cannot be opened is left to others."""
        return folder.suffix.lower() == ".e57" and num_scans(folder) > 1

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a file; no scan is read.

        Args:
            folder: The file.
            options: Statements of the user; all must be None: the format states metres and poses.

        Raises:
            InputError: An option is given, or the file is damaged.
        """
        for name in ("intrinsics", "depth_scale", "poses", "axes", "unit"):
            if options is not None and getattr(options, name) is not None:
                raise InputError(
                    f"{folder} is an E57, which states its poses and is in metres: "
                    f"--{name.replace('_', '-')} does not apply to it; leave it out"
                )
        self.folder = folder
        self.name = folder.stem
        self.up = np.array([0.0, 0.0, 1.0])
        file = self._file
        self.frame_ids = tuple(f"scan-{index:04d}" for index in range(len(file)))
        lacking = len(file) - file.num_poses
        if lacking:
            self.notes = (
                f"{folder}: {lacking} of its {len(file)} scans have no pose: taken for scans in "
                "the frame of the file",
            )

    @cached_property
    def _file(self) -> E57File:
        return E57File(self.folder)

    def read(self, index: int) -> Sweep:
        """Return the points of scan ``index`` in the scanner's frame, with its pose.

        Raises:
            FrameError: The scan is damaged, its pose is no rigid transform, or it has no points.
        """
        frame_id = self.frame_ids[index]
        try:
            scan = self._file.read(range(len(self))[index], MAX_POINTS)
            columns = scan.columns
            finite = np.flatnonzero(np.isfinite(columns.points).all(axis=1))
            if not len(finite):
                raise InputError(f"{self.folder}: {frame_id} holds no point with a return")
            colors = columns.colors
            if colors is not None:
                colors = as_uint8_colors(colors[finite], f"{self.folder}: {frame_id}")
        except InputError as error:
            raise FrameError(str(error)) from None
        # scans in the frame of the file may be georeferenced
        points, origin = take_origin_off(columns.points[finite])
        pose = np.eye(4) if scan.pose is None else scan.pose.copy()
        pose[:3, 3] += pose[:3, :3] @ origin
        return Sweep(frame_id, PointCloud(points, colors), pose)

    def files(self) -> list[Path]:
        """Return the one file."""
        return [self.folder]
