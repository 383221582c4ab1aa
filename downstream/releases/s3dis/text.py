r"""Reader of the release's text files: lines ``x y z r g b``, metres and 0..255.

Four lines of version 1.2 contain a control byte, a character that lost its bit 0x20:

==========================================  ======================  ==========  ============
file, line                                  written                 should be   reported in
==========================================  ======================  ==========  ============
Area_5/hallway_6/.../ceiling_1, 180389      ``185\x00187 182``      a space     [1], [2]
Area_5/office_19/.../ceiling_1, 323474      ``103.0\x100000``       0           [3], [4]
Area_3/hallway_2/hallway_2, 926337          ``-9.1\x160``           6           [5]
Area_2/auditorium_1/auditorium_1, 741101    ``167.\x1000000``       0           [6]
==========================================  ======================  ==========  ============

Issues on GitHub: [1] charlesq34/pointnet 45, [2] HuguesTHOMAS/KPConv 82, [3] JonasSchult/Mask3D 87,
[4] zeliu98/CloserLook3D 15, [5] loicland/superpoint_graph 29, [6] VinAIResearch/ISBNet 60. The
neighbouring lines in [5] show that ``-9.160`` is meant.

A damaged line is repaired by restoring the lost bit. If this does not give six numbers, the byte
between two numbers is replaced by a space. The line must then be valid, and its point must lie near
the other points of the file. All other invalid lines are errors. The authors' code prints such
lines and leaves them out (reference: PointContrast,
``downstream/semseg/lib/datasets/preprocessing/stanford.py``).
"""

from __future__ import annotations

import io
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from downstream.releases.number_columns import number_columns
from pointcontrast.errors import InputError
from pointcontrast.origins import origin_between

MARGIN = 0.1
"""Largest distance, metres, of a repaired point from the bounding box of the file's other points.
A file has the points of one object, which are close together."""

_TYPES = dict.fromkeys("xyz", pa.float64()) | dict.fromkeys("rgb", pa.float32())
_NUMBER = rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_LINE = re.compile(rb"[ \t]*" + rb"[ \t]+".join([_NUMBER] * 6) + rb"[ \t]*")
_BETWEEN = re.compile(rb"(?<=[\d.])[\x00-\x08\x0b-\x1f](?=[-+.\d])")
_LOST_BIT = 0x20
_CONTROL = frozenset(range(0x20)) - {0x09, 0x0A}
_FARTHEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class TextPoints:
    """Points of a file.

    Attributes:
        coord: Positions (N, 3) float32, metres relative to ``origin``, finite; N >= 1.
        color: RGB colours (N, 3): uint8 0..255, or float32 of a form that only the whole room
            shows, where most lines have fractions.
        origin: (3,) float64 metres, as of ``pointcontrast.origins``.
        notes: Repaired lines, each with file, line number, text and repaired text.
    """

    coord: NDArray[np.float32]
    color: NDArray[Any]
    origin: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def read_points(
    path: Path, unit: float = 1.0, origin: NDArray[np.float64] | None = None
) -> TextPoints:
    """Read a file.

    Args:
        path: The file.
        unit: Metres per unit of its coordinates.
        origin: (3,) origin of the room, metres; None computes that of the file.

    Raises:
        InputError: The file is missing or empty, or a line is not six finite numbers with integer
            colours in 0..255 and cannot be repaired. Colours with fractions are read where most
            lines have them.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    if not data or data.isspace():
        raise InputError(f"{path} is empty; copy it from the release again")
    columns = _read_quickly(data)
    notes: tuple[str, ...] = ()
    kind: type[np.number] = np.uint8
    if columns is None or not _valid_rows(columns).all():
        if columns is not None and _has_fractional_colors(columns):
            kind = np.float32
        else:
            columns, notes = _read_line_by_line(path, data)
    coord = np.empty((len(columns[0]), 3), np.float32)
    color = np.empty((len(columns[0]), 3), kind)
    places = columns[:3] if unit == 1 else [column * unit for column in columns[:3]]
    if origin is None:
        ends = [[column.min(), column.max()] for column in places]
        origin = origin_between(*np.transpose(ends))
    for axis in range(3):
        coord[:, axis] = places[axis] - origin[axis] if origin.any() else places[axis]
        color[:, axis] = columns[3 + axis]
    return TextPoints(coord, color, origin, notes)


def _has_fractional_colors(columns: Sequence[NDArray[Any]]) -> bool:
    """Return whether the colours are no integers on purpose: in most rows, and all in 0..255."""
    fractional = np.zeros(len(columns[0]), dtype=bool)
    for column in columns[3:]:
        if not ((column >= 0) & (column <= 255)).all():
            return False
        fractional |= column != np.floor(column)
    places = all(bool((np.abs(column) <= _FARTHEST).all()) for column in columns[:3])
    return places and 2 * int(fractional.sum()) > len(fractional)


def _read_quickly(data: bytes) -> list[NDArray[Any]] | None:
    """Read six columns (N,); None if a line is not six numbers separated by single spaces."""
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return None  # the parser would split lines at a lone carriage return
    return number_columns(data, _TYPES)


def _valid_rows(columns: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Return a mask (N,) of rows finite in float32, with integer colours in 0..255."""
    valid = np.ones(len(columns[0]), dtype=bool)
    for column in columns[:3]:
        valid &= np.abs(column) <= _FARTHEST
    for column in columns[3:]:
        valid &= (column >= 0) & (column <= 255) & (column == np.floor(column))
    return valid


def _read_line_by_line(path: Path, data: bytes) -> tuple[list[NDArray[Any]], tuple[str, ...]]:
    """Read six columns, and notes on repaired lines, of a file that the fast reader refuses."""
    values, numbers = array("d"), array("q")
    repaired: dict[int, tuple[bytes, bytes]] = {}  # by row
    for number, ended in enumerate(io.BytesIO(data), start=1):
        line = ended.rstrip(b"\r\n")
        if not line.strip(b" \t"):
            continue
        text = line if _LINE.fullmatch(line) else _repair(line)
        if text is None:
            raise _wrong_line(path, number, line)
        if text is not line:
            repaired[len(numbers)] = (line, text)
        values.extend(map(float, text.split()))
        numbers.append(number)
    rows = np.frombuffer(values).reshape(-1, 6)
    columns: list[NDArray[Any]] = [rows[:, axis] for axis in range(6)]
    valid = _valid_rows(columns)
    if not valid.all():
        number = numbers[int(np.argmin(valid))]
        raise _wrong_line(path, number, data.split(b"\n")[number - 1].rstrip(b"\r"))
    others = np.delete(rows[:, :3], list(repaired), axis=0) if repaired else rows[:, :3]
    for row, (line, _) in repaired.items():
        if not _lies_near(rows[row, :3], others):
            raise _wrong_line(path, numbers[row], line)
    notes = tuple(
        f"{path.name}, line {numbers[row]}: {line!r} read as {text!r}"
        for row, (line, text) in repaired.items()
    )
    return columns, notes


def _repair(line: bytes) -> bytes | None:
    """Restore the lost bit of control bytes, or replace them by spaces.

    Only one of the two gives six numbers: a digit joins numbers, a space separates them.
    """
    whole = bytes(byte | _LOST_BIT if byte in _CONTROL else byte for byte in line)
    for text in (whole, _BETWEEN.sub(b" ", line)):
        if _LINE.fullmatch(text):
            return text
    return None


def _lies_near(point: NDArray[np.float64], others: NDArray[np.float64]) -> bool:
    """Return whether a point (3,) is within ``MARGIN`` of the bounding box of others (N, 3)."""
    if not len(others):
        return False
    low, high = others.min(axis=0) - MARGIN, others.max(axis=0) + MARGIN
    return bool(((point >= low) & (point <= high)).all())


def _wrong_line(path: Path, number: int, line: bytes) -> InputError:
    return InputError(
        f"{path}, line {number}: {line[:80]!r} is not `x y z r g b` with finite numbers and "
        "integer colours in 0..255, and cannot be repaired; correct the line or copy the file again"
    )
