"""Writing of ``.sens`` files, for recordings in one file per scene and for tests."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.recordings.rgbd.sens.file_format import (
    COUNT,
    SensFrameHeader,
    SensHeader,
    check_header,
    pack_frame_header,
    pack_header,
)

ColorCompression = Literal["jpeg", "png", "raw"]
DepthCompression = Literal["zlib", "raw"]


@dataclass(frozen=True)
class SensFrame:
    """One frame to write.

    Attributes:
        color: (H, W, 3) uint8 RGB of the colour camera.
        depth: (H, W) uint16 depth units (millimetres at a depth shift of 1000), 0 where there is
            no measurement.
        world_from_camera: (4, 4) pose, metres; all -inf if tracking was lost.
    """

    color: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    world_from_camera: NDArray[np.float64]


def write_sens(
    path: Path,
    frames: Iterable[SensFrame],
    *,
    depth_intrinsics: NDArray[np.float64],
    color_intrinsics: NDArray[np.float64],
    color_extrinsics: NDArray[np.float64] | None = None,
    depth_extrinsics: NDArray[np.float64] | None = None,
    color_compression: ColorCompression = "jpeg",
    depth_compression: DepthCompression = "zlib",
    depth_shift: float = 1000.0,
    sensor_name: str = "StructureSensor",
    quality: int = 90,
) -> None:
    """Write a file atomically; the same frames give the same bytes.

    Frames are consumed one at a time, so a recording need not fit into memory. Time stamps are
    those of a 30 Hz camera that starts at 0.

    Args:
        path: File to write, with the suffix ``.sens``.
        frames: Frames, at least one, with colour images of one size and depth images of one size.
        depth_intrinsics: (3, 3) or (4, 4) pinhole matrix of the depth camera, pixels.
        color_intrinsics: (3, 3) or (4, 4) pinhole matrix of the colour camera, pixels.
        color_extrinsics: (4, 4) base from colour camera, metres; None is the identity.
        depth_extrinsics: (4, 4) base from depth camera, metres; None is the identity.
        color_compression: Compression of the colour images.
        depth_compression: Compression of the depth images.
        depth_shift: Depth units per metre.
        sensor_name: Free text.
        quality: JPEG quality, 1..95.

    Raises:
        InputError: No frame, images of another type or size, or an invalid camera matrix.
    """
    with atomic_file(path) as partial, open(partial, "wb") as file:
        header: SensHeader | None = None
        num_frames = 0
        for frame in frames:
            _check_frame(frame, header, f"{path}: frame {num_frames}")
            if header is None:
                header = SensHeader(
                    sensor_name=sensor_name,
                    color_intrinsics=_four_by_four(color_intrinsics),
                    color_extrinsics=_four_by_four(color_extrinsics),
                    depth_intrinsics=_four_by_four(depth_intrinsics),
                    depth_extrinsics=_four_by_four(depth_extrinsics),
                    color_compression=color_compression,
                    depth_compression=depth_compression,
                    color_size=_size(frame.color),
                    depth_size=_size(frame.depth),
                    depth_shift=depth_shift,
                    num_frames=0,
                )
                check_header(header, path)
                file.write(pack_header(header))
            file.write(_pack_frame(frame, num_frames, header, quality))
            num_frames += 1
        if header is None:
            raise InputError(f"{path}: there is no frame to write; give at least one")
        file.write(COUNT.pack(0))  # no IMU records
        file.seek(0)
        file.write(pack_header(replace(header, num_frames=num_frames)))


def _check_frame(frame: SensFrame, header: SensHeader | None, where: str) -> None:
    for kind, image, dtype, shape in (
        ("colour", frame.color, np.uint8, (*frame.color.shape[:2], 3)),
        ("depth", frame.depth, np.uint16, frame.depth.shape[:2]),
    ):
        if image.dtype != dtype or image.shape != shape:
            raise InputError(
                f"{where}: its {kind} is an array {image.shape} of {image.dtype}; give (H, W, 3) "
                "uint8 for colour and (H, W) uint16 for depth"
            )
    if frame.world_from_camera.shape != (4, 4):
        raise InputError(f"{where}: its pose is {frame.world_from_camera.shape}, not (4, 4)")
    if header is None:
        return
    sizes = (_size(frame.color), _size(frame.depth))
    if sizes != (header.color_size, header.depth_size):
        raise InputError(
            f"{where}: its images are {sizes[0]} and {sizes[1]} pixels, those before "
            f"{header.color_size} and {header.depth_size}; all must be of one size"
        )


def _pack_frame(frame: SensFrame, number: int, header: SensHeader, quality: int) -> bytes:
    color = _encode_color(frame.color, header.color_compression, quality)
    depth = frame.depth.astype("<u2").tobytes()
    if header.depth_compression == "zlib":
        depth = zlib.compress(depth)
    time = round(number * 1e6 / 30)
    pose = frame.world_from_camera.astype(np.float64)
    return (
        pack_frame_header(SensFrameHeader(pose, time, time, len(color), len(depth))) + color + depth
    )


def _encode_color(color: NDArray[np.uint8], compression: str, quality: int) -> bytes:
    if compression == "raw":
        return color.tobytes()
    encoded = io.BytesIO()
    options = {"quality": quality} if compression == "jpeg" else {}
    Image.fromarray(color).save(encoded, format=compression, **options)
    return encoded.getvalue()


def _four_by_four(matrix: NDArray[np.float64] | None) -> NDArray[np.float64]:
    result = np.eye(4)
    if matrix is not None:
        rows, columns = matrix.shape
        result[:rows, :columns] = matrix
    return result


def _size(image: NDArray) -> tuple[int, int]:
    return image.shape[1], image.shape[0]
