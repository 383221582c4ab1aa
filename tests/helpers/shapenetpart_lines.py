"""Slow reader of the shapes of ShapeNetPart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def slow_shape(path: Path) -> dict[str, NDArray[Any]]:
    """Read seven numbers per line with Python's ``float``."""
    rows = [[float(word) for word in line.split()] for line in path.read_text().splitlines()]
    return {
        "coord": np.array([row[:3] for row in rows], dtype=np.float64).astype(np.float32),
        "normal": np.array([row[3:6] for row in rows], dtype=np.float64).astype(np.float32),
        "part": np.array([int(row[6]) for row in rows], dtype=np.int32),
    }
