"""OFF (Geomview): vertices with or without colours and normals, faces of any number of corners."""

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


def read_off(path: Path) -> Columns:
    """Read ``OFF``, ``COFF``, ``NOFF`` and ``CNOFF``.

    The counts may follow the first word without a space, as in some files of ModelNet.
    """
    text = decoded(path.read_bytes())
    lines = [part for line in text.splitlines() if (part := line.partition("#")[0].strip())]
    first = re.match(r"(ST)?(C?)(N?)OFF(?![A-Z])\s*(.*)", lines[0]) if lines else None
    if first is None:
        raise InputError(f"{path} does not start with OFF; is it damaged, or another format?")
    lines[:1] = [first[4]] if first[4] else []
    if lines and lines[0].upper() == "BINARY":
        raise InputError(f"{path} is a binary OFF; export it as PLY")
    counts = lines[0].split() if lines else []
    if len(counts) < 2 or not all(word.isdecimal() for word in counts[:2]):
        raise InputError(f"{path} is damaged: no numbers of vertices and faces; export it again")
    num_vertices, num_faces = int(counts[0]), int(counts[1])
    vertices = lines[1 : 1 + num_vertices]
    faces = lines[1 + num_vertices : 1 + num_vertices + num_faces]
    if len(vertices) < num_vertices or len(faces) < num_faces:
        raise InputError(
            f"{path} is damaged or cut short (its header promises {num_vertices} vertices and "
            f"{num_faces} faces); export it again"
        )
    table = _numbers(path, vertices)
    after = 6 if first[3] else 3
    colors = table[:, after : after + 3] if table.shape[1] >= after + 3 else None
    return Columns(
        points=table[:, :3],
        colors=colors,
        normals=table[:, 3:6] if first[3] and table.shape[1] >= 6 and not faces else None,
        faces=_triangles(path, faces) if faces else None,
    )


def _numbers(path: Path, rows: list[str]) -> NDArray[np.float64]:
    if not rows:
        return np.empty((0, 3))
    fast = columns_of_rows("\n".join(rows).encode(), len(rows[0].split()))
    if fast is not None and len(fast) >= 3:
        return np.stack(fast, axis=1)
    words = [row.split() for row in rows]
    width = min(map(len, words))
    if width < 3:
        raise InputError(f"{path} is damaged (a vertex has {width} numbers); export it again")
    return np.array([each[:width] for each in words], dtype=np.float64)


def _triangles(path: Path, rows: list[str]) -> NDArray[Any] | None:
    width = len(rows[0].split())
    fast = columns_of_rows("\n".join(rows).encode(), width, whole=True)
    if fast is not None and width == 4 and (fast[0] == 3).all():
        return np.stack(fast[1:], axis=1)
    corners: list[int] = []
    counts: list[int] = []
    for row in rows:
        words = row.split()
        count = int(words[0])
        if len(words) <= count:
            raise InputError(f"{path} is damaged or cut short (a face is {row!r}); export it again")
        counts.append(count)
        corners += map(int, words[1 : 1 + count])
    triangles = fan_triangles(np.array(corners), np.array(counts))
    return triangles if len(triangles) else None
