"""Folders in the layout of 7-Scenes, 3DMatch and tsdf-fusion.

``frame-NNNNNN.color.png`` (or .jpg), ``frame-NNNNNN.depth.png`` (16 bits, millimetres),
``frame-NNNNNN.pose.txt`` (4 x 4 camera to world, metres), and ``camera-intrinsics.txt`` (3 x 3,
of the depth image) in the folder or its parent. All colour images may be absent.

Microsoft's 7-Scenes release has no intrinsics file. Its values are not assumed here, because other
cameras use the same layout: pass them.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.files import (
    depth_size,
    read_color,
    read_depth,
    read_intrinsics,
    read_matrix,
)
from pointcontrast.recordings.sequence import FrameError, Layout
from pointcontrast.types import Frame

_FILE = re.compile(r"(frame-\d+)\.(color\.(?:png|jpe?g)|depth\.png|pose\.txt)", re.IGNORECASE)
INTRINSICS_FILE = "camera-intrinsics.txt"


class SevenScenesSequence(Layout):
    """One folder of ``frame-NNNNNN.{color,depth,pose}`` files."""

    layout = "seven_scenes"
    description = "frame-NNNNNN.{color,depth,pose} files with camera-intrinsics.txt"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` directly holds frames in this layout."""
        return any(_FILE.fullmatch(path.name) for path in folder.iterdir())

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a folder; only names and a few image headers are read.

        Args:
            folder: Folder of the scene.
            options: Statements of the user; intrinsics take the place of the recording's own.

        Raises:
            InputError: No depth image or no intrinsics.
        """
        intrinsics = options.intrinsics if options is not None else None
        self.name = folder.name
        self.folder = folder
        self._paths: dict[str, dict[str, Path]] = {}
        for path in sorted(folder.iterdir()):
            match = _FILE.fullmatch(path.name)
            if match:
                kind = match[2].partition(".")[0].lower()
                self._paths.setdefault(match[1], {})[kind] = path
        self.frame_ids = tuple(self._paths)
        depths = [files["depth"] for files in self._paths.values() if "depth" in files]
        if not depths:
            raise InputError(f"{folder} holds frames but no frame-NNNNNN.depth.png")
        self._has_color = any("color" in files for files in self._paths.values())
        self._intrinsics_file, self._intrinsics = _find_intrinsics(folder, intrinsics)
        self._size = depth_size(depths, self._intrinsics)

    def read(self, index: int) -> Frame:
        """Read one frame; see :meth:`~pointcontrast.recordings.sequence.PosedSequence.read`."""
        frame_id = self.frame_ids[index]
        files = self._paths[frame_id]
        for kind in ("depth", "pose", *(("color",) if self._has_color else ())):
            if kind not in files:
                raise FrameError(f"{self.folder / frame_id}: its {kind} file is missing")
        try:
            pose = read_matrix(files["pose"], (4, 4))
        except InputError as error:
            raise FrameError(str(error)) from None
        problem = rigid_problem(pose)
        if problem:
            raise FrameError(f"{files['pose']} is not a rigid transform: it {problem}")
        return Frame(
            frame_id=frame_id,
            depth=read_depth(files["depth"], self._size),
            color=read_color(files["color"], self._size) if self._has_color else None,
            intrinsics=self._intrinsics,
            world_from_camera=pose,
        )

    def files(self) -> list[Path]:
        """Return the files of the frames and of the intrinsics."""
        frames = [path for files in self._paths.values() for path in files.values()]
        return frames + [path for path in (self._intrinsics_file,) if path]


def _find_intrinsics(
    folder: Path, given: NDArray[np.float64] | None
) -> tuple[Path | None, NDArray[np.float64]]:
    if given is not None:
        return None, given
    for path in (folder / INTRINSICS_FILE, folder.parent / INTRINSICS_FILE):
        if path.exists():
            return path, read_intrinsics(path)
    raise InputError(
        f"{folder} has no {INTRINSICS_FILE}, nor has its parent folder; write it, or pass "
        "--intrinsics fx fy cx cy (585 585 320 240 for Microsoft's 7-Scenes release)"
    )
