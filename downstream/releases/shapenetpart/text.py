"""Reader of the release's shapes.

With normals, a shape is one file of lines ``x y z nx ny nz part``, the part as a float. Without,
it is lines ``x y z part``, or a ``.pts`` file of lines ``x y z`` and a ``.seg`` file with the
number of the part within its category, from 1, in each line (the form of
``shapenetcore_partanno_segmentation_benchmark_v0``; fxia22/pointnet.pytorch ``dataset.py`` reads
it).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from downstream.releases.number_columns import number_columns
from downstream.shapes.shape_set import Shape
from pointcontrast.errors import InputError

FORMS: dict[int, str] = {7: "x y z nx ny nz part", 4: "x y z part"}
"""Number of columns -> their meaning, of files that hold points and parts."""

_POINTS, _PART = "x y z", "part"


@dataclass(frozen=True)
class PartNumbers:
    """Numbers of the parts of a category in its files.

    Attributes:
        numbers: The numbers, ascending; empty if no file of the category can be read.
        first: Row of the first among the parts of all categories; the others follow.
    """

    numbers: tuple[int, ...]
    first: int

    def __str__(self) -> str:
        """Return the numbers, shortened where they follow each other."""
        first, last = self.numbers[:1], self.numbers[-1:]
        if first and self.numbers == tuple(range(first[0], last[0] + 1)):
            return f"{first[0]}..{last[0]}"
        return ", ".join(map(str, self.numbers)) or "none"

    def rows(self, raw: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the row of each number (N,), -1 for one that is no part of the category."""
        if not self.numbers:
            return np.full(len(raw), -1)
        known = np.asarray(self.numbers, dtype=np.float64)
        places = np.minimum(np.searchsorted(known, raw), len(known) - 1)
        return np.where(known[places] == raw, self.first + places, -1)


def read_shape(paths: Sequence[Path], parts: PartNumbers, num_columns: int = 7) -> Shape:
    """Read a shape.

    Coordinates and normals are those of the file, in float32. Normals whose length differs from 1
    by more than their four digits explain are normalized; they become 0 0 0 if they have no
    direction (0 or NaN).

    Args:
        paths: The file, or those of points and of labels; the stem of the first is the id of the
            shape.
        parts: Parts of its category.
        num_columns: Number of columns of a file with both points and parts, a key of ``FORMS``.

    Raises:
        InputError: A file is missing or empty, or a line has another form, coordinates that are not
            finite, or a part of another category.
    """
    if len(paths) == 1:
        values = _read(paths[0], FORMS[num_columns])
        raw = values[:, -1]
    else:
        values, raw = _read(paths[0], _POINTS), _read(paths[1], _PART)[:, 0]
        if len(values) != len(raw):
            raise InputError(
                f"{paths[1]} has {len(raw)} labels, {paths[0].name} {len(values)} points; copy "
                "both from the release again"
            )
    rows = parts.rows(raw)
    if (rows < 0).any():
        line = int(np.argmax(rows < 0))
        raise InputError(
            f"{paths[-1]}, line {_line_number(paths[-1], line)}: part {raw[line]:g} is not one of "
            f"{parts}, the parts of its category; copy the file from the release again"
        )
    return Shape(
        id=paths[0].stem,
        coord=values[:, :3].astype(np.float32),
        normal=_unit(values[:, 3:6]).astype(np.float32) if values.shape[1] == 7 else None,
        part=rows.astype(np.int32),
    )


def read_part_numbers(paths: Sequence[Path]) -> NDArray[np.float64]:
    """Read the distinct numbers of parts (K,) in a shape's last column, ascending.

    Raises:
        InputError: As of :func:`read_shape`.
    """
    num_columns = count_columns(paths)
    columns = FORMS.get(num_columns, FORMS[7]) if len(paths) == 1 else _PART
    return np.unique(_read(paths[-1], columns)[:, -1])


def count_columns(paths: Sequence[Path]) -> int:
    """Count the columns of the first line of a shape's file; 0 if it has none."""
    try:
        with open(paths[0], "rb") as file:
            return len(file.readline(1000).split())
    except OSError:
        return 0


def _read(path: Path, form: str) -> NDArray[np.float64]:
    """Read columns (N, C) of lines with the words of ``form``; N >= 1, finite coordinates."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    names = form.split()
    columns = number_columns(data, {name: pa.float64() for name in names})
    values = None if columns is None else np.stack(columns, axis=1)
    places = 3 if "x" in names else 0
    if values is None or not len(values) or not np.isfinite(values[:, :places]).all():
        return _read_line_by_line(path, data, form, places)
    return values


def _read_line_by_line(path: Path, data: bytes, form: str, places: int) -> NDArray[np.float64]:
    """Read columns (N, C) with any white space between the numbers; slow, names wrong lines."""
    rows: list[list[float]] = []
    count = len(form.split())
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        if len(row) != count or not all(math.isfinite(value) for value in row[:places]):
            finite = " with finite coordinates" if places else ""
            raise InputError(
                f"{path}, line {number}: {line[:80]!r} is not `{form}`{finite}; copy the file from "
                "the release again"
            )
        rows.append(row)
    if not rows:
        raise InputError(f"{path} is empty; copy it from the release again")
    return np.array(rows)


def _line_number(path: Path, row: int) -> int:
    """Return the number of the line, from 1, of a row; blank lines are no rows."""
    lines = path.read_bytes().split(b"\n")
    return [number for number, line in enumerate(lines, start=1) if line.strip()][row]


def _unit(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalize the normals (N, 3) that are not unit vectors, and keep the others."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    off = ~(np.abs(length - 1) < 5e-4)
    if not off.any():
        return normals
    known = np.isfinite(length) & (length > 1e-6)
    scaled = np.where(known, normals / np.where(known, length, 1), 0)
    return np.where(off, scaled, normals)
