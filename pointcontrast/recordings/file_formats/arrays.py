"""Points as arrays: ``.bin`` of KITTI and others, ``.npy`` and ``.npz`` of NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.binary_records import read_records, record_colors, record_form
from pointcontrast.recordings.file_formats.column_values import valued_columns
from pointcontrast.recordings.file_formats.columns import Columns, named_columns

_POINTS = ("points", "xyz", "coord", "coords", "coordinates", "positions", "pos", "vertices", "pc",
           "point_cloud", "pointcloud", "cloud", "data", "arr_0")  # fmt: skip
_COLORS = ("colors", "colours", "color", "colour", "rgb")
_NORMALS = ("normals", "normal")
_FACES = ("faces", "triangles", "face")


def read_bin(path: Path) -> Columns:
    """Read equal records, x y z first; their size is told from their numbers."""
    records = read_records(path)
    points, width = records[:, :3], records.shape[1]
    colors = record_colors(records)
    first = 4 if colors is None else 7
    fields = {f"column {number}": records[:, number - 1] for number in range(first, width + 1)}
    if "column 4" in fields:
        fields = {"reflectance": fields.pop("column 4"), **fields}
    notes = [] if width == 4 else [f"{record_form(path)} per point, as the numbers tell"]
    if colors is not None:
        notes.append("columns 4 to 6 are taken for colours")
    return Columns(points=points, colors=colors, fields=fields, notes=tuple(notes))


def read_npy(path: Path) -> Columns:
    """Read (N, 3 or more) numbers, or a structured array with named columns."""
    # Mapped, so that a header which promises more than the file holds allocates nothing.
    return _from_array(path, np.lib.format.open_memmap(path, mode="r"))


def read_npz(path: Path) -> Columns:
    """Read arrays named points, colors, normals and faces; others of N values become fields."""
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    low = {name.lower(): name for name in reversed(arrays)}

    def take(names: tuple[str, ...]) -> NDArray[Any] | None:
        name = next((low[n] for n in names if n in low), None)
        return None if name is None else arrays.pop(name)

    points = take(_POINTS)
    if points is None:
        named = _named_vectors(arrays)
        if named is None:
            raise InputError(
                f"{path} holds {', '.join(arrays) or 'no array'}, but no points; name them "
                "points, (N, 3), and their colours colors"
            )
        return named
    colors, normals, faces = take(_COLORS), take(_NORMALS), take(_FACES)
    first = _from_array(path, points)
    for name, array in (("colors", colors), ("normals", normals)):
        if array is not None and array.shape != (len(points), 3):
            raise InputError(
                f"{path}: {name} is {array.shape} for {len(points)} points; it must be (N, 3)"
            )
    columns = {n: a for n, a in arrays.items() if a.ndim == 1 and len(a) == len(points)}
    left = [name for name in arrays if name not in columns]
    notes = (*first.notes, f"arrays left out: {', '.join([*columns, *left])}") if arrays else ()
    return Columns(
        points=first.points,
        colors=first.colors if colors is None else colors,
        normals=first.normals if normals is None else normals,
        faces=faces,
        fields={**first.fields, **columns},
        notes=notes or first.notes,
    )


def _from_array(path: Path, array: NDArray[Any]) -> Columns:
    if array.dtype.names is not None and array.ndim == 1:
        names = array.dtype.names
        named = named_columns({name: array[name] for name in names if array[name].ndim == 1})
        if named is None:
            raise InputError(f"{path}: its columns are {', '.join(names)}, but not x y z")
        return named
    if array.ndim != 2 or array.shape[1] < 3 or array.dtype.kind not in "fiu":
        raise InputError(
            f"{path} holds an array {array.shape} of {array.dtype}, not (N, 3 or more) numbers"
        )
    if array.shape[1] == 3 or not len(array):
        return Columns(points=array[:, :3])
    return valued_columns([array[:, column] for column in range(array.shape[1])])


def _named_vectors(arrays: dict[str, NDArray[Any]]) -> Columns | None:
    """Columns of arrays x, y, z and so on, of N values each."""
    vectors = {name: array for name, array in arrays.items() if array.ndim == 1}
    if len({len(array) for array in vectors.values()}) != 1:
        return None
    return named_columns(vectors)
