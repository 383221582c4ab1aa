"""A mesh or point-cloud file as a sequence of views of simulated cameras."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats import format_of
from pointcontrast.recordings.file_formats.e57 import num_scans
from pointcontrast.recordings.file_formats.gltf import buffer_files
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.reconstruction.scan import Scan
from pointcontrast.recordings.reconstruction.scan_files import (
    SUFFIXES,
    ScanPoints,
    read_scan_file,
)
from pointcontrast.recordings.reconstruction.simulated_camera import DepthCamera, visible_rows
from pointcontrast.recordings.reconstruction.simulated_walk import walk
from pointcontrast.recordings.sequence import FrameError, Layout
from pointcontrast.types import OVERLAP_THRESHOLD, PointCloud, Sweep

VIEWS_PER_SQUARE_METRE = 5.0  # of free floor
FEWEST_VIEWS, MOST_VIEWS = 24, 200

_UP: dict[str, tuple[float, float, float]] = {
    # glTF 2.0 fixes the y axis as up (section 3.4); scans in other formats mostly have z up.
    ".glb": (0.0, 1.0, 0.0),
    ".gltf": (0.0, 1.0, 0.0),
}
_Z_UP = (0.0, 0.0, 1.0)
_NAMED = tuple(suffix for suffix in SUFFIXES if not suffix.endswith(".gz"))


class ScanFileSequence(Layout):
    """One file, seen by simulated cameras that walk through it.

    There are five views per square metre of free floor, between 24 and 200, at eye height, 60 by 47
    degrees wide and 4 m deep (``simulated_walk.py``). The same file always gives the same views. Up
    is z, and y for glTF, unless an ``up.txt`` in the folder of the file states it. The file is read
    when a view or the number of views is first used, which completes ``notes``.

    Cameras and points are worked with relative to an origin in whole metres, so that a scan far
    from zero gives the views of the same scan near zero; poses are in the frame of the file.
    """

    layout = "reconstruction"
    description = (
        f"a mesh or point cloud in metres, one file per scene: {', '.join(_NAMED)}, also .gz; z "
        "up, y up for glTF, or up.txt"
    )
    is_file = True

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check the suffix; labels and files next to a ``.sens`` recording are excluded.

        So are E57 files of several scans, which have views of their own.
        """
        name = folder.name.lower()
        return (
            name.endswith(SUFFIXES)
            and not name.endswith(".labels.ply")
            and not (name.endswith(".e57") and num_scans(folder) > 1)
            and not any(folder.parent.glob("*.sens"))
        )

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Keep the path.

        Args:
            folder: File of the scan.
            options: Statements of the user: ``unit``; the others must be None, because simulated
                cameras have poses and intrinsics of their own.

        Raises:
            InputError: Another option is given.
        """
        for name in ("intrinsics", "depth_scale", "poses", "axes"):
            if options is not None and getattr(options, name) is not None:
                raise InputError(
                    f"{folder} is a reconstruction, which has no depth images and no poses: "
                    f"--{name.replace('_', '-')} does not apply to it; leave it out"
                )
        self.folder = folder
        self.name = folder.name.removesuffix(".gz").rpartition(".")[0]
        self.up = np.array(_UP.get(format_of(folder) or "", _Z_UP))
        self._unit = None if options is None else options.unit
        self._camera = DepthCamera()

    @cached_property
    def _points(self) -> ScanPoints:
        points = read_scan_file(self.folder, self._unit)
        self.notes = points.notes
        return points

    @cached_property
    def _scan(self) -> Scan:
        assert self.up is not None
        scan = Scan.of(self._points.cloud, self.up)
        if not len(scan.places):
            raise InputError(
                f"{self.folder} has no free floor to stand a camera on, with "
                f"{self.up.tolist()} upwards; if another direction is up, write it to "
                f"{self.folder.parent / 'up.txt'}"
            )
        return scan

    @cached_property
    def _poses(self) -> list[NDArray[np.float64]]:
        rng = np.random.default_rng(0)
        looks = walk(self._scan, self._camera, len(self), OVERLAP_THRESHOLD, rng)
        return [look.world_from_camera for look in looks]

    @cached_property
    def frame_ids(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """``view-0000`` and so on; their number depends on the free floor of the scan."""
        wanted = round(VIEWS_PER_SQUARE_METRE * self._scan.free_area)
        return tuple(f"view-{i:04d}" for i in range(np.clip(wanted, FEWEST_VIEWS, MOST_VIEWS)))

    def read(self, index: int) -> Sweep:
        """Return the points that camera ``index`` sees, in its frame: x right, y down, z forward.

        Raises:
            FrameError: It sees nothing.
            InputError: The file cannot be used, as
                :func:`pointcontrast.recordings.reconstruction.scan_files.read_scan_file` says.
        """
        scan, pose = self._scan, self._poses[index]
        rows = visible_rows(scan.cloud.points, pose, scan.spacing, self._camera)
        if not len(rows):
            raise FrameError(f"{self.folder}: {self.frame_ids[index]} sees nothing of the scan")
        cloud = _in_camera(scan.cloud[rows], pose)
        pose = pose.copy()
        pose[:3, 3] += self._points.origin
        return Sweep(self.frame_ids[index], cloud, pose, is_camera=True)

    def files(self) -> list[Path]:
        """Return the one file, and those that a glTF keeps its arrays in."""
        more = buffer_files(self.folder) if self.folder.suffix.lower() == ".gltf" else []
        return [self.folder, *more]


def _in_camera(cloud: PointCloud, world_from_camera: NDArray[np.float64]) -> PointCloud:
    """Move a cloud to the camera's frame and turn its normals towards the camera."""
    rotation = world_from_camera[:3, :3]
    points = ((cloud.points - world_from_camera[:3, 3]) @ rotation).astype(np.float32)
    normals = cloud.normals
    if normals is not None:
        normals = (normals @ rotation).astype(np.float32)
        away = np.einsum("nc,nc->n", normals, points) > 0
        normals[away] *= -1
    return PointCloud(points, cloud.colors, normals)
