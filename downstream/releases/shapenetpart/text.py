"""Reader of the release's shapes: lines ``x y z nx ny nz part``, the part as a float."""

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
    """Read a shape.

    Coordinates and normals are those of the file, in float32. Normals whose length differs from 1
    by more than their four digits explain are normalized; they become 0 0 0 if they have no
    direction (0 or NaN).

    Args:
        path: The file; its stem is the id of the shape.
        parts: Parts of its category.

    Raises:
        InputError: The file is missing or empty, or a line is not seven numbers, has coordinates
            that are not finite, or a part of another category.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    values = _read_quickly(data)
    if values is None or not _is_valid(values, parts):
        values = _read_line_by_line(path, data, parts)
    return Shape(
        id=path.stem,
        coord=values[:, :3].astype(np.float32),
        normal=_unit(values[:, 3:6]).astype(np.float32),
        part=values[:, 6].astype(np.int32),
    )


def _read_quickly(data: bytes) -> NDArray[np.float64] | None:
    """Read columns (N, 7); None if a line is not seven numbers separated by single spaces."""
    columns = number_columns(data, _TYPES)
    return None if columns is None else np.stack(columns, axis=1)


def _is_valid(values: NDArray[np.float64], parts: range) -> bool:
    part = values[:, 6]
    return bool(
        len(values)
        and np.isfinite(values[:, :3]).all()
        and ((part >= parts.start) & (part < parts.stop) & (part % 1 == 0)).all()
    )


def _read_line_by_line(path: Path, data: bytes, parts: range) -> NDArray[np.float64]:
    """Read columns (N, 7) with any white space between the numbers; slow, names wrong lines."""
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
                f"{where}: part {row[6]:g} is not one of {parts.start}..{parts.stop - 1}, the "
                "parts of its category; copy the file from the release again"
            )
        rows.append(row)
    if not rows:
        raise InputError(f"{path} is empty; copy it from the release again")
    return np.array(rows)


def _unit(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalize the normals (N, 3) that are not unit vectors, and keep the others."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    off = ~(np.abs(length - 1) < 5e-4)
    if not off.any():
        return normals
    known = np.isfinite(length) & (length > 1e-6)
    scaled = np.where(known, normals / np.where(known, length, 1), 0)
    return np.where(off, scaled, normals)
