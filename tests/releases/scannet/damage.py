"""Named damages to ScanNet scans: defects of downloads, disks and the release itself."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from downstream.releases.scannet.release import (
    AGGREGATION,
    INFO,
    LABELS,
    MESH,
    SEGMENTS,
    SENS,
    scan_file,
)
from tests.releases.damage import damage

_POSE_BYTES = 64
_FRAME_HEADER = struct.Struct("<64sQQQQ")  # pose, two times, bytes of colour and of depth


def damage_scan(scan: Path, how: str) -> None:
    """Damage a scan in place.

    Args:
        scan: Folder of the scan.
        how: Key of ``DAMAGES``.

    Raises:
        InputError: The damage is unknown, or the scan lacks the file.
    """
    damage(scan, how, DAMAGES)


def frame_offsets(content: bytes) -> list[tuple[int, int, int]]:
    """Locate the frames in a ``.sens`` file of version 4.

    Returns:
        For each frame the offset of its header and the sizes of its colour and depth data, bytes,
        which follow the header in this order.
    """
    (name_length,) = struct.unpack_from("<Q", content, 4)
    # version and name; 4 matrices; 2 compressions; 4 sizes; depth shift; number of frames
    start = 4 + 8 + name_length + 4 * _POSE_BYTES + 2 * 4 + 4 * 4 + 4
    (num_frames,) = struct.unpack_from("<Q", content, start)
    found, offset = [], start + 8
    for _ in range(num_frames):
        _, _, _, color, depth = _FRAME_HEADER.unpack_from(content, offset)
        found.append((offset, color, depth))
        offset += _FRAME_HEADER.size + color + depth
    return found


def _truncated_sens(scan: Path) -> None:
    path = scan_file(scan, SENS)
    content = path.read_bytes()
    path.write_bytes(content[: frame_offsets(content)[-2][0] + 100])


def _sens_version(scan: Path) -> None:
    path = scan_file(scan, SENS)
    path.write_bytes(struct.pack("<I", 3) + path.read_bytes()[4:])


def _corrupt_zlib(scan: Path) -> None:
    _overwrite_second_frame(scan, lambda color, depth: color)


def _corrupt_jpeg(scan: Path) -> None:
    _overwrite_second_frame(scan, lambda color, depth: 0)


def _overwrite_second_frame(scan: Path, place: Callable[[int, int], int]) -> None:
    """Overwrite the first bytes of the second frame's colour or depth."""
    path = scan_file(scan, SENS)
    content = bytearray(path.read_bytes())
    offset, color, depth = frame_offsets(bytes(content))[1]
    start = offset + _FRAME_HEADER.size + place(color, depth)
    content[start : start + 16] = bytes(16)
    path.write_bytes(bytes(content))


def _infinite_poses(scan: Path) -> None:
    """Set every third pose to -inf, as the release marks frames that lost tracking."""
    path = scan_file(scan, SENS)
    content = bytearray(path.read_bytes())
    for offset, _, _ in frame_offsets(bytes(content))[::3]:
        content[offset : offset + _POSE_BYTES] = np.full(16, -np.inf, dtype="<f4").tobytes()
    path.write_bytes(bytes(content))


def _no_txt(scan: Path) -> None:
    scan_file(scan, INFO).unlink()


def _truncated_ply(scan: Path) -> None:
    path = scan_file(scan, MESH)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _unlabelled_labels(scan: Path) -> None:
    """Replace the labels by the scan's mesh, a PLY file without labels."""
    scan_file(scan, LABELS).write_bytes(scan_file(scan, MESH).read_bytes())


def _strange_label(scan: Path) -> None:
    """Give every floor vertex (label 2) the label 50, which does not exist."""
    path = scan_file(scan, LABELS)
    header, end, body = path.read_bytes().partition(b"end_header\n")
    count = int(header.split(b"element vertex ")[1].split()[0])
    dtype = np.dtype([("rest", "V16"), ("label", "<u2")])
    rows = np.frombuffer(body, dtype=dtype, count=count).copy()
    rows["label"][rows["label"] == 2] = 50
    path.write_bytes(header + end + rows.tobytes() + body[rows.nbytes :])


def _missing_vertex(scan: Path) -> None:
    """Remove one vertex of the mesh from ``segs.json``."""
    path = scan_file(scan, SEGMENTS)
    content = json.loads(path.read_text())
    content["segIndices"].pop()
    path.write_text(json.dumps(content))


def _absent_segments(scan: Path) -> None:
    path = scan_file(scan, AGGREGATION)
    content = json.loads(path.read_text())
    content["segGroups"][0]["segments"].append(10**7)
    path.write_text(json.dumps(content))


def _malformed_json(scan: Path) -> None:
    path = scan_file(scan, SEGMENTS)
    path.write_text(path.read_text()[:-40])


DAMAGES: dict[str, Callable[[Path], None]] = {
    "truncated_sens": _truncated_sens,
    "sens_version": _sens_version,
    "corrupt_zlib": _corrupt_zlib,
    "corrupt_jpeg": _corrupt_jpeg,
    "infinite_poses": _infinite_poses,
    "no_txt": _no_txt,
    "truncated_ply": _truncated_ply,
    "unlabelled_labels": _unlabelled_labels,
    "strange_label": _strange_label,
    "missing_vertex": _missing_vertex,
    "absent_segments": _absent_segments,
    "malformed_json": _malformed_json,
}
"""Name -> function that damages the scan in a folder."""
