"""The slow way to read an OBJ: a line and a word at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_obj(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(V, 3) vertices and (T, 3) triangles: polygons as fans about their first corner."""
    vertices: list[list[float]] = []
    triangles: list[list[int]] = []
    for line in path.read_text().splitlines():
        words = line.split()
        if words and words[0] == "v":
            vertices.append([float(word) for word in words[1:4]])
        elif words and words[0] == "f":
            rows = []
            for word in words[1:]:
                number = int(word.split("/")[0])
                rows.append(number - 1 if number > 0 else len(vertices) + number)
            triangles += [[rows[0], rows[i], rows[i + 1]] for i in range(1, len(rows) - 1)]
    return np.array(vertices, dtype=np.float64), np.array(triangles, dtype=np.int64).reshape(-1, 3)
