"""The binary format of ``.sens`` files, version 4.

All numbers are little endian, all matrices row by row::

    uint32        version, 4
    uint64, text  length and bytes of the sensor name
    4 x 16 float32  colour intrinsics, colour extrinsics, depth intrinsics, depth extrinsics
    int32, int32  colour compression (-1 unknown, 0 raw, 1 PNG, 2 JPEG),
                  depth compression (-1 unknown, 0 raw, 1 zlib, 2 occi), of 16-bit pixels
    4 x uint32    colour width and height, depth width and height
    float32       depth shift: depth units per metre
    uint64        number of frames; then for each frame
        16 float32  camera to world, metres; all -inf where the camera was lost
        4 x uint64  time stamps (microseconds) and sizes in bytes: colour, depth; colour, depth
        bytes       colour, depth
    uint64        number of IMU records, and 128 bytes for each; omitted by some writers

Source: ``sensorData.h`` and ``SensorData.py`` of ScanNet's SensReader. An extrinsic matrix maps the
points of a camera to the base frame, "typically depth to colour"; in ScanNet both are the identity.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem
from pointcontrast.recordings.rgbd.images.intrinsics import check_intrinsics

VERSION = 4
COLOR_COMPRESSIONS = {-1: "unknown", 0: "raw", 1: "png", 2: "jpeg"}
DEPTH_COMPRESSIONS = {-1: "unknown", 0: "raw", 1: "zlib", 2: "occi"}
COUNT = struct.Struct("<Q")
IMU_RECORD_BYTES = 128
FRAME_HEADER_BYTES = 96
_PREFIX = struct.Struct("<IQ")
_FIXED = struct.Struct("<64f2i4If")
_FRAME_HEADER = struct.Struct("<16f4Q")
_MAX_NAME_BYTES = 4096
_MAX_SIDE = 16384  # pixels; no sensor has more, so a larger side is damage
_MAX_PIXELS = 1 << 26


@dataclass(frozen=True)
class SensHeader:
    """Header of a ``.sens`` file, common to all frames.

    Attributes:
        sensor_name: Free text.
        color_intrinsics: (4, 4) float64, pixels; the pinhole matrix is its upper left (3, 3).
        color_extrinsics: (4, 4) float64, base from colour camera, metres.
        depth_intrinsics: (4, 4) float64, pixels.
        depth_extrinsics: (4, 4) float64, base from depth camera, metres.
        color_compression: "raw", "png", "jpeg", or the name of an unsupported compression.
        depth_compression: "raw", "zlib", or the name of an unsupported compression.
        color_size: (width, height) pixels; 0, 0 if no colour was recorded.
        depth_size: (width, height) pixels.
        depth_shift: Depth units per metre.
        num_frames: Number of frames that the file claims.
    """

    sensor_name: str
    color_intrinsics: NDArray[np.float64]
    color_extrinsics: NDArray[np.float64]
    depth_intrinsics: NDArray[np.float64]
    depth_extrinsics: NDArray[np.float64]
    color_compression: str
    depth_compression: str
    color_size: tuple[int, int]
    depth_size: tuple[int, int]
    depth_shift: float
    num_frames: int

    @property
    def has_color(self) -> bool:
        """Whether colour was recorded."""
        return self.color_size != (0, 0)


@dataclass(frozen=True)
class SensFrameHeader:
    """Header of one frame of a ``.sens`` file.

    Attributes:
        world_from_camera: (4, 4) float64, metres, unchecked.
        color_time: Time stamp of the colour image, microseconds.
        depth_time: Time stamp of the depth image, microseconds.
        color_bytes: Size of the colour data, which follow the header.
        depth_bytes: Size of the depth data, which follow the colour data.
    """

    world_from_camera: NDArray[np.float64]
    color_time: int
    depth_time: int
    color_bytes: int
    depth_bytes: int


def parse_header(data: bytes | mmap, path: Path) -> tuple[SensHeader, int]:
    """Read the header at the start of a file.

    Args:
        data: Content of the file, or at least its header.
        path: Path of the file, for messages.

    Returns:
        The header, and the position of the first frame in bytes.

    Raises:
        InputError: Cut short, of another version, or with values that :func:`check_header`
            refuses.
    """
    if len(data) < _PREFIX.size:
        raise InputError(f"{path} is cut short in its header; download it again")
    version, name_bytes = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise InputError(
            f"{path} is not a .sens file of version {VERSION}: it begins with version {version}; "
            "give the release's own file, or convert it with ScanNet's SensReader"
        )
    if name_bytes > _MAX_NAME_BYTES:
        raise InputError(
            f"{path}: its header is damaged (a sensor name of {name_bytes} bytes); "
            "download it again"
        )
    end = _PREFIX.size + name_bytes
    if len(data) < end + _FIXED.size + COUNT.size:
        raise InputError(f"{path} is cut short in its header; download it again")
    numbers = _FIXED.unpack_from(data, end)
    matrices = np.array(numbers[:64]).reshape(4, 4, 4)
    color_code, depth_code, *sizes, depth_shift = numbers[64:]
    header = SensHeader(
        sensor_name=bytes(data[_PREFIX.size : end]).decode("utf-8", errors="replace"),
        color_intrinsics=matrices[0],
        color_extrinsics=matrices[1],
        depth_intrinsics=matrices[2],
        depth_extrinsics=matrices[3],
        color_compression=COLOR_COMPRESSIONS.get(color_code, f"number {color_code}"),
        depth_compression=DEPTH_COMPRESSIONS.get(depth_code, f"number {depth_code}"),
        color_size=(sizes[0], sizes[1]),
        depth_size=(sizes[2], sizes[3]),
        depth_shift=depth_shift,
        num_frames=COUNT.unpack_from(data, end + _FIXED.size)[0],
    )
    check_header(header, path)
    return header, end + _FIXED.size + COUNT.size


def pack_header(header: SensHeader) -> bytes:
    """Encode a header; the last eight bytes are the number of frames."""
    name = header.sensor_name.encode("utf-8")
    matrices = (
        *(header.color_intrinsics, header.color_extrinsics),
        *(header.depth_intrinsics, header.depth_extrinsics),
    )
    fixed = _FIXED.pack(
        *np.concatenate([matrix.ravel() for matrix in matrices]).tolist(),
        _code_of(COLOR_COMPRESSIONS, header.color_compression),
        _code_of(DEPTH_COMPRESSIONS, header.depth_compression),
        *header.color_size,
        *header.depth_size,
        header.depth_shift,
    )
    return _PREFIX.pack(VERSION, len(name)) + name + fixed + COUNT.pack(header.num_frames)


def parse_frame_header(data: bytes | mmap, position: int) -> SensFrameHeader:
    """Read the header of the frame at ``position``, which must be complete."""
    numbers = _FRAME_HEADER.unpack_from(data, position)
    return SensFrameHeader(np.array(numbers[:16]).reshape(4, 4), *numbers[16:])


def pack_frame_header(header: SensFrameHeader) -> bytes:
    """Encode the header of a frame; the pose is rounded to float32."""
    return _FRAME_HEADER.pack(
        *header.world_from_camera.ravel().tolist(),
        *(header.color_time, header.depth_time, header.color_bytes, header.depth_bytes),
    )


def check_header(header: SensHeader, path: Path) -> None:
    """Refuse a header that can be neither read nor written.

    Raises:
        InputError: An unsupported compression, images without pixels or of an absurd size, or an
            invalid depth shift or camera matrix.
    """
    _check_size(f"{path}: its depth images", header.depth_size)
    _check_matrix(f"{path}: its depth intrinsics", header.depth_intrinsics)
    if header.depth_compression not in ("raw", "zlib"):
        raise InputError(
            f"{path}: its depth is compressed as {header.depth_compression!r}, which is not "
            "supported (raw and zlib are); convert it with ScanNet's SensReader"
        )
    if not 1 <= header.depth_shift <= 1e6:  # false for NaN
        raise InputError(
            f"{path}: its depth shift (depth units per metre) is {header.depth_shift}, not "
            "within 1..1e6; its header is damaged"
        )
    if not header.has_color:
        return
    _check_size(f"{path}: its colour images", header.color_size)
    _check_matrix(f"{path}: its colour intrinsics", header.color_intrinsics)
    if header.color_compression not in ("raw", "png", "jpeg"):
        raise InputError(
            f"{path}: its colour is compressed as {header.color_compression!r}, which is not "
            "supported (raw, png and jpeg are); convert it with ScanNet's SensReader"
        )
    if not np.array_equal(header.color_extrinsics, header.depth_extrinsics):
        for kind, matrix in (
            ("colour", header.color_extrinsics),
            ("depth", header.depth_extrinsics),
        ):
            problem = rigid_problem(matrix)
            if problem:
                raise InputError(
                    f"{path}: its {kind} extrinsics are not a rigid transform: the matrix "
                    f"{problem}; its header is damaged"
                )


def _check_size(what: str, size: tuple[int, int]) -> None:
    width, height = size
    if min(size) < 1 or max(size) > _MAX_SIDE or width * height > _MAX_PIXELS:
        raise InputError(
            f"{what} are {width} x {height} pixels, which no sensor has; its header is damaged"
        )


def _check_matrix(what: str, matrix: NDArray[np.float64]) -> None:
    check_intrinsics(matrix[:3, :3], what)
    if np.any(matrix[:3, 3]):
        raise InputError(
            f"{what} shift the camera by {matrix[:3, 3].tolist()}, which is not supported; "
            "put the shift into the extrinsics"
        )


def _code_of(names: dict[int, str], name: str) -> int:
    return next(code for code, each in names.items() if each == name)
