"""Where the frames of a ``.sens`` file lie: its headers are read, its images hopped over."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from mmap import mmap

from pointcontrast.recordings.rgbd.sens_format import (
    COUNT,
    FRAME_HEADER_BYTES,
    IMU_RECORD_BYTES,
    SensHeader,
)

# 9 hours at 30 Hz. A count beyond it is damage, and a name for each frame it claims would fill
# the memory.
_MAX_FRAMES = 1_000_000
_SIZES = struct.Struct("<2Q")
_SIZES_OFFSET = FRAME_HEADER_BYTES - _SIZES.size


@dataclass(frozen=True)
class SensIndex:
    """The frames that a file really holds.

    Attributes:
        positions: of the frames' headers, bytes from the start of the file.
        num_frames: how many there should be; those beyond ``positions`` are lost.
        problem: what is wrong with the file as a whole, in words, and the fix; None if nothing.
    """

    positions: tuple[int, ...]
    num_frames: int
    problem: str | None


def index_frames(data: bytes | mmap, header: SensHeader, start: int) -> SensIndex:
    """Find the frames.

    The frames that are there count for more than the number in the header: where fewer are there
    (the file was cut short, or the number is wrong) the missing ones are counted as lost; where
    more follow (a recorder that crashed leaves 0) they are found as well.

    Args:
        data: the whole file.
        header: its header.
        start: position of the first frame.
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
    """Hop from frame to frame, ``most`` times at most.

    Returns:
        The positions of whole frames, the position after the last one, and why there are not
        ``most``.
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
        if surplus and depth_bytes == 0:  # zeros that fill the file up are no frames
            return positions, start, "none follows"
        positions.append(start)
        start = end
    return positions, start, ""


def _most_bytes(size: tuple[int, int], pixel_bytes: int) -> int:
    """More than any compression makes of an image: what is larger is damage, not an image."""
    return 2 * size[0] * size[1] * pixel_bytes + 65536


def _is_end(data: bytes | mmap, position: int) -> bool:
    """Whether the file ends at ``position``, or after the IMU records that begin there."""
    rest = len(data) - position
    if rest < COUNT.size:
        return rest == 0
    num_records = COUNT.unpack_from(data, position)[0]
    return rest == COUNT.size + num_records * IMU_RECORD_BYTES
