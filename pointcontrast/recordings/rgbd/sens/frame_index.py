"""Positions of the frames of a ``.sens`` file; only headers are read."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from mmap import mmap

from pointcontrast.recordings.rgbd.sens.file_format import (
    COUNT,
    FRAME_HEADER_BYTES,
    IMU_RECORD_BYTES,
    SensHeader,
)

# 9 hours at 30 Hz. A larger count is damage, and names for its frames would fill the memory.
_MAX_FRAMES = 1_000_000
_SIZES = struct.Struct("<2Q")
_SIZES_OFFSET = FRAME_HEADER_BYTES - _SIZES.size


@dataclass(frozen=True)
class SensIndex:
    """The frames that a file contains.

    Attributes:
        positions: Positions of the headers of the frames, bytes from the start of the file.
        num_frames: Number of frames that the file should contain; those beyond ``positions`` are
            lost.
        problem: Damage of the file as a whole, and the fix; None if it is intact.
    """

    positions: tuple[int, ...]
    num_frames: int
    problem: str | None


def index_frames(data: bytes | mmap, header: SensHeader, start: int) -> SensIndex:
    """Find the frames.

    The frames in the file take precedence over the number in the header. If there are fewer (the
    file was cut short, or the number is wrong), the missing ones count as lost. If there are more
    (a recorder that crashed leaves 0), they are found as well.

    Args:
        data: Content of the file.
        header: Header of the file.
        start: Position of the first frame, bytes.
    """
    claimed = header.num_frames
    positions, end, stop = _walk(data, header, start, claimed)
    if len(positions) < claimed:
        problem = (
            f"its header counts {claimed} frames, but {stop} after {len(positions)}; "
            "download it again"
        )
        num_frames = claimed if claimed <= _MAX_FRAMES else len(positions) + 1
        return SensIndex(tuple(positions), num_frames, problem)
    if _is_end(data, end):
        return SensIndex(tuple(positions), claimed, None)
    surplus, end, _ = _walk(data, header, end, _MAX_FRAMES, surplus=True)
    problem = (
        f"its header counts {claimed} frames, but {len(surplus)} more follow, which are read as "
        "well; if its recorder did not crash, download it again"
        if surplus
        else f"{len(data) - end} bytes after its last frame are neither a frame nor IMU records; "
        "its frames can be read, but it may be damaged: download it again"
    )
    return SensIndex((*positions, *surplus), claimed + len(surplus), problem)


def _walk(
    data: bytes | mmap, header: SensHeader, start: int, most: int, surplus: bool = False
) -> tuple[list[int], int, str]:
    """Visit at most ``most`` frames, one after another.

    Returns:
        Positions of complete frames, the position after the last one, and the reason if there are
        fewer than ``most``.
    """
    most_color, most_depth = _most_bytes(header.color_size, 3), _most_bytes(header.depth_size, 2)
    positions: list[int] = []
    while len(positions) < most:
        if start + FRAME_HEADER_BYTES > len(data):
            return positions, start, "it is cut short"
        color_bytes, depth_bytes = _SIZES.unpack_from(data, start + _SIZES_OFFSET)
        if color_bytes > most_color or depth_bytes > most_depth:
            stop = (
                f"the next frame is damaged (it claims {color_bytes} bytes of colour and "
                f"{depth_bytes} of depth), so that none can be found"
            )
            return positions, start, stop
        end = start + FRAME_HEADER_BYTES + color_bytes + depth_bytes
        if end > len(data):
            return positions, start, "it is cut short"
        if surplus and depth_bytes == 0:  # zeros that pad the file are no frames
            return positions, start, "none follows"
        positions.append(start)
        start = end
    return positions, start, ""


def _most_bytes(size: tuple[int, int], pixel_bytes: int) -> int:
    """Return an upper limit of the size of a compressed image; anything larger is damage."""
    return 2 * size[0] * size[1] * pixel_bytes + 65536


def _is_end(data: bytes | mmap, position: int) -> bool:
    """Check that the file ends at ``position``, or after the IMU records that begin there."""
    rest = len(data) - position
    if rest < COUNT.size:
        return rest == 0
    num_records = COUNT.unpack_from(data, position)[0]
    return rest == COUNT.size + num_records * IMU_RECORD_BYTES
