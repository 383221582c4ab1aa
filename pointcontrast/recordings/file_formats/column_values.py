"""What untitled columns mean, told by their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.recordings.file_formats.columns import Columns

_UNIT = 1e-2  # how far the length of a printed normal may be from 1
_16_BITS = 4096  # largest value from which whole numbers are taken for 0..65535


def valued_columns(columns: Sequence[NDArray[Any]], *, intensity_first: bool = False) -> Columns:
    """Sort untitled columns: coordinates first, then what the values are.

    Three neighbouring columns are normals if every row has length 1 (or 0), and colours if they are
    whole numbers of 0..255 or 0..65535, or numbers of 0..1. All other columns become fields, named
    "column 4" and so on, from 1.

    Args:
        columns: At least three columns of N values, in the order of the file.
        intensity_first: Whether a column that precedes three colours is not a colour itself, as in
            ``.pts`` (x y z intensity red green blue).
    """
    width = len(columns)
    numbers = [column.dtype.kind in "iufb" for column in columns]
    colors = normals = None
    said: list[str] = []
    fields: dict[str, NDArray[Any]] = {}
    at = 3
    while at < width:
        triple = None
        if at + 3 <= width and all(numbers[at : at + 3]):
            triple = np.stack(columns[at : at + 3], axis=1)
        # columns 5 to 7 of a .pts are colours even where the intensity looks like one
        skips = intensity_first and at == 3 and width in (4, 7, 10)
        if triple is not None and not skips and normals is None and _are_normals(triple):
            normals, words = triple, "normals"
        elif triple is not None and not skips and colors is None and are_colors(triple, width == 6):
            colors, words = _as_16_bits(triple), "colours"
        else:
            fields[f"column {at + 1}"] = columns[at]
            at += 1
            continue
        said.append(f"columns {at + 1} to {at + 3} are taken for {words}")
        at += 3
    if fields:
        left = ", ".join(name.removeprefix("column ") for name in fields)
        said.append(f"column{'s' if len(fields) > 1 else ''} {left} left out")
    points = np.stack(columns[:3], axis=1)
    notes = ("; ".join(said),) if said else ()
    return Columns(points=points, colors=colors, normals=normals, fields=fields, notes=notes)


def _are_normals(triple: NDArray[Any]) -> bool:
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(triple.astype(np.float64), axis=1)
    known = lengths[np.isfinite(lengths) & (lengths > 0)]  # 0 and NaN: no direction
    return bool(len(known) * 2 > len(lengths) and (np.abs(known - 1) < _UNIT).all())


def are_colors(triple: NDArray[Any], floats: bool = False) -> bool:
    """Whether (N, 3) numbers look like colours; ``floats`` allows fractions of 0..255."""
    with np.errstate(invalid="ignore"):
        finite = triple[np.isfinite(triple).all(axis=1)]
    if not len(finite) or finite.min() < 0 or not finite.any():
        return False
    high = float(finite.max())
    if high <= 1:
        return True
    whole = bool((np.rint(finite) == finite).all())
    return (2 <= high <= 255 and (whole or floats)) or (whole and _16_BITS <= high <= 65535)


def _as_16_bits(triple: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers of 16 bits as uint16, the dtype by which colours of 0..65535 are told."""
    with np.errstate(invalid="ignore"):
        high = np.nanmax(triple)
    return np.nan_to_num(triple, posinf=0).astype(np.uint16) if high > 255 else triple
