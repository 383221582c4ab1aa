"""STL: triangles without shared corners or colours, ASCII or binary."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats.columns import Columns
from pointcontrast.recordings.file_formats.text_table import decoded

_HEADER, _TRIANGLE = 84, 50  # bytes
_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def read_stl(path: Path) -> Columns:
    """Read an STL. Binary files that start with "solid" are told by their size."""
    content = path.read_bytes()
    count = int.from_bytes(content[80:84], "little") if len(content) >= _HEADER else 0
    if len(content) >= _HEADER and len(content) == _HEADER + _TRIANGLE * count:
        corners = np.frombuffer(content, _RECORD, count, _HEADER)["corners"].reshape(-1, 3)
    elif content[:512].lstrip().lower().startswith(b"solid") and b"\0" not in content[:512]:
        corners = _read_ascii(path, decoded(content))
    else:
        raise InputError(
            f"{path} is damaged or cut short (its header promises {count} triangles, "
            f"{max(0, len(content) - _HEADER) // _TRIANGLE} are there); export it again"
        )
    if not len(corners):
        raise InputError(f"{path} holds no triangles; is it damaged? Export it again")
    return Columns(points=corners, faces=np.arange(len(corners)).reshape(-1, 3))


def _read_ascii(path: Path, text: str) -> np.ndarray:
    words = text.split()
    if "endsolid" not in (word.lower() for word in words[-64:]):
        raise InputError(f"{path} is damaged or cut short (no endsolid); export it again")
    starts = [i for i, word in enumerate(words) if word.lower() == "vertex"]
    if len(starts) % 3 or (starts and starts[-1] + 3 >= len(words)):
        raise InputError(f"{path} is damaged (a facet without three corners); export it again")
    return np.array([words[i + 1 : i + 4] for i in starts], np.float64).reshape(-1, 3)
