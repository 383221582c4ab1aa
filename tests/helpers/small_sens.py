"""Small ``.sens`` files, and a plain reader of them that shares no code with the package's."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from pointcontrast.recordings.rgbd.sens.writer import SensFrame, write_sens
from tests.helpers.small_scenes import INTRINSICS, walk


def small_frames(count: int = 3) -> list[SensFrame]:
    """The frames of a camera in the small room, colour as large as depth."""
    return [
        SensFrame(
            color=frame.color,
            depth=np.rint(frame.depth * 1000).astype(np.uint16),
            world_from_camera=frame.world_from_camera,
        )
        for frame in walk(count)
    ]


def write_small(folder: Path, frames: list[SensFrame] | None = None, **settings) -> Path:
    """Write ``folder/scan.sens`` and return its path."""
    settings = {
        "depth_intrinsics": INTRINSICS,
        "color_intrinsics": INTRINSICS,
        "color_compression": "png",
        **settings,
    }
    path = folder / "scan.sens"
    write_sens(path, small_frames() if frames is None else frames, **settings)
    return path


def plain_read(path: Path) -> dict:
    """Read a file field by field, in one pass; sizes and positions of everything are kept."""
    data = path.read_bytes()
    at = 0

    def take(kind: str):
        nonlocal at
        values = struct.unpack_from("<" + kind, data, at)
        at += struct.calcsize("<" + kind)
        return values if len(values) > 1 else values[0]

    result: dict = {"version": take("I")}
    result["name"] = data[12 : 12 + take("Q")].decode()
    at += len(result["name"])
    for key in ("color_intrinsic", "color_extrinsic", "depth_intrinsic", "depth_extrinsic"):
        result[key] = np.array(take("16f")).reshape(4, 4)
    result["color_compression"], result["depth_compression"] = take("i"), take("i")
    result["color_width"], result["color_height"] = take("I"), take("I")
    result["depth_width"], result["depth_height"] = take("I"), take("I")
    result["depth_shift"] = take("f")
    result["count_at"] = at
    frames = []
    for _ in range(take("Q")):
        frame: dict = {"at": at, "pose": np.array(take("16f")).reshape(4, 4)}
        frame["times"] = take("2Q")
        color_bytes, depth_bytes = take("2Q")
        frame["color_at"], frame["depth_at"] = at, at + color_bytes
        frame["color"] = data[at : at + color_bytes]
        at += color_bytes
        frame["depth"] = data[at : at + depth_bytes]
        at += depth_bytes
        frames.append(frame)
    result["frames"] = frames
    result["imu_at"] = at
    result["num_imu"] = take("Q") if at < len(data) else None
    result["end"] = at
    return result


def plain_depth(scan: dict, index: int) -> np.ndarray:
    """The depth units of a frame."""
    data = scan["frames"][index]["depth"]
    data = zlib.decompress(data) if scan["depth_compression"] == 1 else data
    return np.frombuffer(data, "<u2").reshape(scan["depth_height"], scan["depth_width"])


def patch(path: Path, position: int, data: bytes) -> None:
    """Overwrite bytes of a file."""
    whole = bytearray(path.read_bytes())
    whole[position : position + len(data)] = data
    path.write_bytes(bytes(whole))
