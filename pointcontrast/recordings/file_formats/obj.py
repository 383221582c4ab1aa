"""Wavefront OBJ: vertices with or without colours, faces of any number of corners.

Colours follow the coordinates (``v x y z r g b``), in 0..1 or 0..255. Faces name vertices by their
place from 1, or from the end when negative; textures and normals after a slash do not matter here.
Objects, groups and materials share one list of vertices.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats.columns import Columns
from pointcontrast.recordings.file_formats.polygons import fan_triangles
from pointcontrast.recordings.file_formats.text_numbers import columns_of_rows
from pointcontrast.recordings.file_formats.text_table import decoded

_AFTER_SLASH = re.compile(r"/\S*")


def read_obj(path: Path) -> Columns:
    """Read the vertices and the faces of an OBJ; polygons become triangles."""
    text = decoded(path.read_bytes()).replace("\\\r\n", " ").replace("\\\n", " ")
    vertices: list[str] = []
    normals: list[str] = []
    faces: list[str] = []
    known: list[int] = []  # vertices before each face
    keywords: set[str] = set()
    for line in text.splitlines():
        keyword, _, rest = line.strip().partition(" ") if "\t" not in line else _by_tab(line)
        if keyword == "v":
            vertices.append(rest.strip())
        elif keyword in ("f", "fo"):
            faces.append(rest.strip())
            known.append(len(vertices))
        elif keyword == "vn":
            normals.append(rest.strip())
        elif keyword and not keyword.startswith("#"):
            keywords.add(keyword)
    if not faces and vertices and (keywords & {"vt", "usemtl", "mtllib", "s"} or text[-1] != "\n"):
        raise InputError(
            f"{path} holds no faces and seems cut short: it names materials, or its last line does "
            "not end; export it again"
        )
    table, uneven = _numbers(path, vertices)
    triangles = _triangles(path, faces, known, len(table)) if faces else None
    colors = table[:, 3:6] if table.shape[1] in (6, 7) else None
    notes = ["some vertices have colours and some none: left out"] if uneven else []
    if colors is None and triangles is not None and keywords & {"usemtl", "mtllib"}:
        notes.append("its materials and textures are not read: the mesh has no colours")
    directions = None
    if triangles is None and len(normals) == len(vertices) > 0:
        directions = _numbers(path, normals)[0][:, :3]
    return Columns(
        points=table[:, :3], colors=colors, normals=directions, faces=triangles, notes=tuple(notes)
    )


def _by_tab(line: str) -> tuple[str, str, str]:
    keyword, *rest = line.split(None, 1) or [""]
    return keyword, " ", rest[0] if rest else ""


def _numbers(path: Path, rows: list[str]) -> tuple[NDArray[np.float64], bool]:
    """The numbers of some rows, as many as the shortest has; whether others have more."""
    if not rows:
        return np.empty((0, 3)), False
    fast = columns_of_rows("\n".join(rows).encode(), len(rows[0].split()))
    if fast is not None and len(fast) >= 3:
        return np.stack(fast, axis=1), False
    words = [row.partition("#")[0].split() for row in rows]
    widths = {len(each) for each in words}
    width = min(widths)
    if width < 3:
        wrong = next(row for row, each in zip(rows, words, strict=True) if len(each) < 3)
        raise InputError(
            f"{path} is damaged or cut short (a vertex has the coordinates {wrong.strip()!r}); "
            "export it again"
        )
    width = width if len(widths) == 1 else 3
    try:
        table = np.array([each[:width] for each in words], dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); export it again") from None
    return table, len(widths) > 1


def _corners(path: Path, faces: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places that the faces name, one after the other, and their number in each face."""
    rows = _AFTER_SLASH.sub("", "\n".join(faces))
    width = len(rows.partition("\n")[0].split())
    fast = columns_of_rows(rows.encode(), width, whole=True)
    if fast is not None and width >= 3:
        return np.stack(fast, axis=1).ravel(), np.full(len(faces), width)
    corners = [row.partition("#")[0].split() for row in rows.split("\n")]
    counts = np.array([len(each) for each in corners])
    if counts.min() < 3:
        wrong = faces[int(counts.argmin())].strip()
        raise InputError(
            f"{path} is damaged or cut short (a face has the corners {wrong!r}); export it again"
        )
    try:
        return np.array([int(word) for each in corners for word in each], np.int64), counts
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); export it again") from None


def _triangles(
    path: Path, faces: list[str], known: list[int], num_vertices: int
) -> NDArray[np.int64] | None:
    places, counts = _corners(path, faces)
    negative = places < 0
    rows: NDArray[Any] = np.where(negative, places + np.repeat(known, counts), places - 1)
    wrong = (places == 0) | (rows < 0) | (rows >= num_vertices)
    if wrong.any():
        raise InputError(
            f"{path} is damaged: a face names vertex {places[wrong][0]} of {num_vertices}; "
            "export it again"
        )
    return fan_triangles(rows, counts)
