"""Coloured points, with more columns and with faces, as binary PLY."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement

from pointcontrast.files import atomic_file

CHANNELS = ("red", "green", "blue")
_FARTHEST = 1000.0
"""Metres from the origin up to which float32 keeps a tenth of a millimetre."""


def write_point_ply(
    path: Path,
    points: NDArray[np.floating],
    colors: NDArray[np.uint8],
    *,
    columns: Mapping[str, NDArray[Any]] | None = None,
    faces: NDArray[np.int64] | None = None,
    comments: Sequence[str] = (),
) -> None:
    """Write points that any viewer shows in their colours.

    Args:
        path: File to write, atomically; its folder is made.
        points: (N, 3) metres; written as float32, or as float64 beyond 1 km from the origin.
        colors: (N, 3) RGB.
        columns: Further columns by name, (N,) each, of a PLY type.
        faces: (F, 3) rows of ``points``, or None.
        comments: Lines for the header.
    """
    kind = "<f4" if not len(points) or np.abs(points).max() <= _FARTHEST else "<f8"
    more = {
        name: column.astype(np.int32) if column.dtype == np.int64 else column  # PLY has no int64
        for name, column in (columns or {}).items()
    }
    fields = [(axis, kind) for axis in "xyz"] + [(channel, "u1") for channel in CHANNELS]
    fields += [(name, column.dtype.str) for name, column in more.items()]
    vertices = np.empty(len(points), dtype=fields)
    for axis, name in enumerate("xyz"):
        vertices[name] = points[:, axis]
    for channel, name in enumerate(CHANNELS):
        vertices[name] = colors[:, channel]
    for name, column in more.items():
        vertices[name] = column
    elements = [PlyElement.describe(vertices, "vertex")]
    if faces is not None:
        triangles = np.empty(len(faces), dtype=[("vertex_indices", "<i4", (3,))])
        triangles["vertex_indices"] = faces
        elements.append(PlyElement.describe(triangles, "face"))
    with atomic_file(path) as partial:
        PlyData(elements, byte_order="<", comments=[one_line(c) for c in comments]).write(
            str(partial)
        )


def one_line(text: str) -> str:
    """Text as a PLY header can hold it: ASCII, without line ends."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode("ascii")
