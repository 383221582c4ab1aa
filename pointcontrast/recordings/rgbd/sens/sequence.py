"""ScanNet's ``.sens`` files: a whole RGB-D recording with its poses in one file.

The file is memory-mapped. Opening it reads its header, counting its frames reads their headers, and
reading a frame touches only the bytes of that frame. Every 25th frame of a 1 GB scan on a network
disk therefore transfers a 25th of it. ``pointcontrast.recordings.rgbd.sens.file_format`` describes
the bytes.

Deviations from the authors' preparation (``SensorData.py``, ``point_cloud_extractor.py``): nothing
is exported to single images, and colour, which the authors leave out, is registered to the depth
image. As in the authors' code, the pose of a frame is taken as that of its depth camera.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.images.color_registration import ColorLookup
from pointcontrast.recordings.rgbd.images.intrinsics import check_center
from pointcontrast.recordings.rgbd.pose_conventions import camera_to_world
from pointcontrast.recordings.rgbd.self_check import check_views
from pointcontrast.recordings.rgbd.sens.file_format import (
    FRAME_HEADER_BYTES,
    SensHeader,
    parse_frame_header,
    parse_header,
)
from pointcontrast.recordings.rgbd.sens.frame_index import SensIndex, index_frames
from pointcontrast.recordings.rgbd.sens.images import decode_color, decode_depth
from pointcontrast.recordings.sequence import FrameError, Layout
from pointcontrast.types import Frame

_SCANNET_NAME = re.compile(r"scene\d{4}_\d{2}")


class SensSequence(Layout):
    """A folder that holds one ``.sens`` file.

    A sequence can be pickled; the copy maps the file again.

    Attributes:
        up: z for a file with a name of ScanNet's (``sceneNNNN_NN.sens``), else None. ScanNet
            states that its reconstructions and camera poses are aligned with z as the up vector
            and the floor as the xy plane, and its ``axisAlignment`` rotates about z only. The
            world of other recordings in this format is the frame of their first camera.
    """

    layout = "scannet_sens"
    description = "a folder with one .sens file"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` directly holds a ``.sens`` file; two are refused on opening."""
        return bool(_sens_files(folder))

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a folder's file; only its header is read.

        Args:
            folder: Folder of the scene.
            options: Statements of the user, in place of what the file says.

        Raises:
            InputError: Several files, or one that is empty, unreadable, of another version, cut
                in its header, or in a compression that is not supported.
        """
        files = _sens_files(folder)
        if len(files) != 1:
            raise InputError(
                f"{folder} holds {len(files)} .sens files ({files[0].name}, {files[1].name}, ...), "
                "and each is a scene; put each in a folder of its own"
            )
        self._options = options = options or RecordingOptions()
        self.name = folder.name
        self.folder = folder
        self._path = files[0]
        self._map = _map_file(self._path)
        self._header, self._first_frame = parse_header(self._map, self._path)
        if options.depth_scale is not None:
            self._header = replace(self._header, depth_shift=options.depth_scale)
        self.up = np.array([0.0, 0.0, 1.0]) if _SCANNET_NAME.fullmatch(files[0].stem) else None
        own = self._header.depth_intrinsics[:3, :3]
        self._intrinsics = own if options.intrinsics is None else options.intrinsics
        check_center(f"{self._path}: its depth", self._header.depth_size, self._intrinsics)
        self._lookup = _color_lookup(self._path, self._header, self._intrinsics)

    @cached_property
    def _index(self) -> SensIndex:
        # Not on opening: it touches a page per frame, and a finished scene needs no frame.
        index = index_frames(self._map, self._header, self._first_frame)
        if not index.num_frames:
            raise InputError(f"{self._path} holds no frame; download it again")
        return index

    @cached_property
    def frame_ids(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Numbers of the frames in the file, from 0, with six digits.

        Raises:
            InputError: The file has no frame.
        """
        return tuple(f"{number:06d}" for number in range(self._index.num_frames))

    @property
    def problem(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Damage of the file as a whole, such as a missing end; see the base class."""
        return f"{self._path}: {self._index.problem}" if self._index.problem else None

    def read(self, index: int) -> Frame:
        """Read one frame; see :meth:`~pointcontrast.recordings.sequence.PosedSequence.read`.

        Colour is registered to the depth image
        (``pointcontrast.recordings.rgbd.images.color_registration``); it is None if the colour
        images of the file are 0 x 0 pixels.
        """
        return self._read(index, with_color=self._lookup is not None)

    def read_geometry(self, index: int) -> Frame:
        """Read one frame without its colours."""
        return self._read(index, with_color=False)

    def _read(self, index: int, *, with_color: bool) -> Frame:
        index = range(len(self))[index]
        frame_id = self.frame_ids[index]
        where = f"{self._path}: frame {frame_id}"
        if index >= len(self._index.positions):
            raise FrameError(f"{where} is not there: {self._index.problem}")
        position = self._index.positions[index]
        header = parse_frame_header(self._map, position)
        problem = rigid_problem(header.world_from_camera)
        if problem:
            raise FrameError(f"{where}: its pose is not a rigid transform: it {problem}")
        data = self._bytes(position + FRAME_HEADER_BYTES, header.color_bytes + header.depth_bytes)
        depth = decode_depth(data[header.color_bytes :], self._header, where)
        color = None
        if with_color:
            assert self._lookup is not None
            encoded = data[: header.color_bytes]
            color = self._lookup.register(
                decode_color(encoded, self._header, self._lookup.reduction, where), depth
            )
        pose = camera_to_world(
            header.world_from_camera,
            self._options.poses or "camera_to_world",
            self._options.axes or "opencv",
        )
        return Frame(frame_id, depth, color, self._intrinsics, pose)

    def check_conventions(self) -> None:
        """Check that the views fit together as they are read; see the base class."""
        check_views(
            self,
            units_per_metre=self._header.depth_shift,
            poses=self._options.poses or "camera_to_world",
            axes=self._options.axes or "opencv",
        )

    def files(self) -> list[Path]:
        """Return the ``.sens`` file."""
        return [self._path]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_map": len(self._map)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._map = _map_file(self._path)
        if len(self._map) != state["_map"]:
            raise InputError(f"{self._path} was changed while it was read; run the command again")

    def _bytes(self, start: int, size: int) -> bytes:
        if hasattr(mmap, "MADV_WILLNEED"):
            # One request per frame: page by page, a network disk would answer a hundred times.
            page = start - start % mmap.PAGESIZE
            self._map.madvise(mmap.MADV_WILLNEED, page, start + size - page)
        return self._map[start : start + size]


def _sens_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix == ".sens" and not path.name.startswith(".") and path.is_file()
    )


def _map_file(path: Path) -> mmap.mmap:
    try:
        with open(path, "rb") as file:
            if not file.seek(0, 2):
                raise InputError(f"{path} is empty; download it again")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    if hasattr(mmap, "MADV_RANDOM"):
        mapped.madvise(mmap.MADV_RANDOM)  # else each header loads the megabytes around it
    return mapped


def _color_lookup(
    path: Path, header: SensHeader, intrinsics: NDArray[np.float64]
) -> ColorLookup | None:
    if not header.has_color:
        return None
    color_intrinsics = header.color_intrinsics[:3, :3]
    check_center(f"{path}: its colour", header.color_size, color_intrinsics)
    color_from_depth = np.eye(4)  # exact if both extrinsics are equal
    if not np.array_equal(header.color_extrinsics, header.depth_extrinsics):
        color_from_depth = np.linalg.inv(header.color_extrinsics) @ header.depth_extrinsics
    return ColorLookup(
        color_size=header.color_size,
        depth_size=header.depth_size,
        color_intrinsics=color_intrinsics,
        depth_intrinsics=intrinsics,
        color_from_depth=color_from_depth,
    )
