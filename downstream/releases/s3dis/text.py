r"""Points from the release's text files: ``x y z r g b`` a line, metres and 0..255.

Some lines of the release hold control bytes, such as ``103.0\x100000``: a digit that lost one bit
(``0`` is 0x30, the byte is 0x10). They are put right by that rule where the line then makes sense,
and named; any other line that does not parse is an error with its number.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from pointcontrast.errors import InputError

_COLUMNS = ("x", "y", "z", "r", "g", "b")
_LOST_BIT = 0x20
_CONTROL = frozenset(range(0x20)) - {0x09, 0x0A, 0x0D}


@dataclass(frozen=True)
class TextPoints:
    """The points of one file.

    Attributes:
        coord: (N, 3) float32 metres, N >= 1, finite.
        color: (N, 3) uint8.
        notes: what was mended, each with file, line and values.
    """

    coord: NDArray[np.float32]
    color: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


def read_points(path: Path) -> TextPoints:
    """Read one file.

    Raises:
        InputError: it is missing or empty, or a line does not make sense and cannot be mended.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    if not data.strip():
        raise InputError(f"{path} is empty; copy it from the release again")
    notes: list[str] = []
    values = _read_quickly(data)
    if values is None or not _makes_sense(values).all():
        values = _read_line_by_line(path, data, notes)
    return TextPoints(
        coord=values[:, :3].astype(np.float32),
        color=values[:, 3:].round().astype(np.uint8),
        notes=tuple(notes),
    )


def _read_quickly(data: bytes) -> NDArray[np.float64] | None:
    """(N, 6), or None where a line is not six numbers with one space between."""
    try:
        table = csv.read_csv(
            io.BytesIO(data),
            read_options=csv.ReadOptions(column_names=_COLUMNS, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=" ", quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(_COLUMNS, pa.float64()),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return np.stack([column.to_numpy() for column in table.columns], axis=1)


def _makes_sense(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows are finite, with colours in 0..255."""
    colors = values[:, 3:]
    in_range = ((colors >= 0) & (colors <= 255)).all(axis=1)
    return np.asarray(np.isfinite(values).all(axis=1) & in_range)


def _read_line_by_line(path: Path, data: bytes, notes: list[str]) -> NDArray[np.float64]:
    rows: list[list[float]] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        row = _parse(line)
        if row is None:
            mended = _mend(line)
            row = None if mended is None else _parse(mended)
            if mended is None or row is None:
                raise InputError(
                    f"{path}, line {number}: {line[:80]!r} is not `x y z r g b` with finite "
                    "numbers and colours in 0..255; correct the line or copy the file again"
                )
            notes.append(f"{path.name}, line {number}: {line!r} read as {mended!r}")
        rows.append(row)
    return np.array(rows)


def _parse(line: bytes) -> list[float] | None:
    if any(byte in _CONTROL for byte in line):
        return None  # float() takes some of them for spaces
    try:
        row = [float(word) for word in line.split()]
    except ValueError:
        return None
    if len(row) != len(_COLUMNS) or not _makes_sense(np.array([row]))[0]:
        return None
    return row


def _mend(line: bytes) -> bytes | None:
    """The line with its control bytes as the digits, or else the spaces, that they were."""
    strange = {byte for byte in line if byte in _CONTROL}
    if not strange:
        return None
    digits = bytes(byte | _LOST_BIT if byte in strange else byte for byte in line)
    if _parse(digits) is not None:
        return digits
    spaces = bytes(0x20 if byte in strange else byte for byte in line)
    return spaces if _parse(spaces) is not None else None
