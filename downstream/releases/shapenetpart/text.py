"""One shape of the release: ``x y z nx ny nz part`` a line, the part as a float."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from downstream.releases.number_columns import number_columns
from downstream.shapes.shape_set import Shape
from pointcontrast.errors import InputError

_TYPES: dict[str, pa.DataType] = {
    name: pa.float64() for name in ("x", "y", "z", "nx", "ny", "nz", "part")
}


def read_shape(path: Path, parts: range) -> Shape:
    """Read one shape.

    Coordinates are those of the file, in float32. So are normals, but for those that are off unit
    length by more than their four digits explain: they are scaled to it, and become 0 0 0 where
    they have no direction (0 or NaN).

    Args:
        path: the file; its stem is the shape's id.
        parts: those of its category.

    Raises:
        InputError: missing, empty, or with a line that is not seven numbers, has coordinates that
            are not finite, or a part of another category; the message names file and line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    values = _read_quickly(data)
    if values is None or not _makes_sense(values, parts):
        values = _read_line_by_line(path, data, parts)
    return Shape(
        id=path.stem,
        coord=values[:, :3].astype(np.float32),
        normal=_unit(values[:, 3:6]).astype(np.float32),
        part=values[:, 6].astype(np.int32),
    )


def _read_quickly(data: bytes) -> NDArray[np.float64] | None:
    """(N, 7), or None where a line is not seven numbers with one space between."""
    columns = number_columns(data, _TYPES)
    return None if columns is None else np.stack(columns, axis=1)


def _makes_sense(values: NDArray[np.float64], parts: range) -> bool:
    part = values[:, 6]
    return bool(
        len(values)
        and np.isfinite(values[:, :3]).all()
        and ((part >= parts.start) & (part < parts.stop) & (part % 1 == 0)).all()
    )


def _read_line_by_line(path: Path, data: bytes, parts: range) -> NDArray[np.float64]:
    """The same, slowly: any white space between the numbers, and the line that is wrong."""
    rows: list[list[float]] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        if len(row) != len(_TYPES) or not all(math.isfinite(value) for value in row[:3]):
            raise InputError(
                f"{where}: {line[:80]!r} is not `x y z nx ny nz part` with finite coordinates; "
                "copy the file from the release again"
            )
        if row[6] not in parts:
            raise InputError(
                f"{where}: part {row[6]:g} is not one of {parts.start}..{parts.stop - 1}, those "
                "of its category; copy the file from the release again"
            )
        rows.append(row)
    if not rows:
        raise InputError(f"{path} is empty; copy it from the release again")
    return np.array(rows)


def _unit(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) normals as they are, but for those that are no unit vectors."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    off = ~(np.abs(length - 1) < 5e-4)
    if not off.any():
        return normals
    known = np.isfinite(length) & (length > 1e-6)
    scaled = np.where(known, normals / np.where(known, length, 1), 0)
    return np.where(off, scaled, normals)
