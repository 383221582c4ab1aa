"""Coloured points as binary PLY, with further columns, edges and faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement

from pointcontrast.files import atomic_file
from pointcontrast.origins import FARTHEST

CHANNELS = ("red", "green", "blue")


def write_point_ply(
    path: Path,
    points: NDArray[np.floating],
    colors: NDArray[np.uint8],
    *,
    columns: Mapping[str, NDArray[Any]] | None = None,
    edges: NDArray[np.int64] | None = None,
    edge_colors: NDArray[np.uint8] | None = None,
    faces: NDArray[np.integer] | None = None,
    comments: Sequence[str] = (),
) -> None:
    """Write coloured points in the form that viewers expect.

    Args:
        path: File to write, atomically; its folder is created.
        points: Coordinates (N, 3) in metres, written as float32, or as float64 beyond
            ``FARTHEST`` from zero.
        colors: Colours (N, 3), RGB.
        columns: Further columns by name, (N,) each, of a PLY type.
        edges: Rows of ``points`` that lines connect (E, 2), or None.
        edge_colors: Colours of the lines (E, 3), RGB; given together with ``edges``.
        faces: Rows of ``points`` in each triangle (F, 3), or None.
        comments: Lines for the header.
    """
    kind = "<f4" if not len(points) or np.abs(points).max() <= FARTHEST else "<f8"
    more = {
        name: column.astype(np.int32) if column.dtype == np.int64 else column  # PLY has no int64
        for name, column in (columns or {}).items()
    }
    vertices = {name: points[:, axis].astype(kind) for axis, name in enumerate("xyz")}
    elements = [_element("vertex", {**vertices, **_channels(colors), **more})]
    if edges is not None and edge_colors is not None:
        first, second = edges.astype("<i4").T
        columns = {"vertex1": first, "vertex2": second, **_channels(edge_colors)}
        elements.append(_element("edge", columns))
    if faces is not None:
        triangles = np.empty(len(faces), dtype=[("vertex_indices", "<i4", (3,))])
        triangles["vertex_indices"] = faces
        elements.append(PlyElement.describe(triangles, "face"))
    with atomic_file(path) as partial:
        PlyData(elements, byte_order="<", comments=[one_line(c) for c in comments]).write(
            str(partial)
        )


def _channels(colors: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    return {name: colors[:, channel] for channel, name in enumerate(CHANNELS)}


def _element(name: str, columns: Mapping[str, NDArray[Any]]) -> PlyElement:
    fields = [(key, column.dtype.str) for key, column in columns.items()]
    table = np.empty(len(next(iter(columns.values()))), dtype=fields)
    for key, column in columns.items():
        table[key] = column
    return PlyElement.describe(table, name)


def one_line(text: str) -> str:
    """Convert text for a PLY header: ASCII, without line breaks."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode("ascii")
