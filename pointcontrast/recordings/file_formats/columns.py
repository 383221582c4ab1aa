"""The columns of a point file, and what their names mean.

Names that programs write: ``red green blue`` and ``diffuse_red`` (PLY; isl-org/Open3D issue 3100),
``r g b``, ``R G B`` after ``//X Y Z`` (CloudCompare's ASCII header), ``Red Green Blue``,
``colorRed`` (E57), one packed ``rgb`` or ``rgba`` (PCL, doc/tutorials/content/pcd_file_format.rst),
``f_dc_0`` (Gaussian splats), ``nx`` and ``normal_x``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLACES = (("x", "y", "z"), ("easting", "northing", "elevation"), ("easting", "northing", "height"))
_NORMALS = (("nx", "ny", "nz"), ("normalx", "normaly", "normalz"))
_COLORS = (("red", "green", "blue"), ("r", "g", "b"))
_ALPHA = ("alpha", "a")
_PACKED = ("rgb", "rgba")
_SPLATS = ("f_dc_0", "f_dc_1", "f_dc_2")
_SPLAT_BAND_0 = 0.28209479177387814  # the constant spherical harmonic, 1 / (2 sqrt(pi))
_COLOR_PREFIX = re.compile(r"^(diffuse|colou?r|vertex|scalar)_?(?=r|g|b|a)")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Content of a file before any conversion: numbers of any dtype.

    Attributes:
        points: (N, 3), N >= 0; of a mesh, its vertices.
        colors: (N, 3) or None.
        normals: (N, 3) or None.
        faces: (F, 3) rows of ``points``, F >= 1; None for a point cloud.
        fields: Name in the file -> (N,) numbers or words, all other columns.
        unit: Metres per unit of the coordinates, if the file or its format states it.
        notes: What was guessed or left out, each a part of a sentence.
    """

    points: NDArray[Any]
    colors: NDArray[Any] | None = None
    normals: NDArray[Any] | None = None
    faces: NDArray[Any] | None = None
    fields: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    unit: float | None = None
    notes: tuple[str, ...] = ()


def named_columns(table: Mapping[str, NDArray[Any]]) -> Columns | None:
    """Sort the columns of a file by their names.

    Args:
        table: Name in the file -> (N,) values.

    Returns:
        The columns, with a note on those that are left out; None where no three columns are
        coordinates.
    """
    plain = {name: _plain(name) for name in table}
    places = _find(plain, _PLACES)
    if places is None:
        return None
    normals = _find(plain, _NORMALS)
    names = _find({name: _COLOR_PREFIX.sub("", p) for name, p in plain.items()}, _COLORS)
    packed = next((name for name, p in plain.items() if p in _PACKED), None)
    splats = tuple(f"{start}{n}" for start in ("", "scalar_") for n in _SPLATS)
    notes: list[str] = []
    colors = None
    if names is not None:
        colors = _stack(table, names)
    elif packed is not None:
        colors, note = _unpacked(packed, table[packed])
        names = [packed] if colors is not None else []
        notes += [note] if note else []
    elif (names := [name for name in table if name in splats]) and len(names) == 3:
        colors = np.clip(0.5 + _SPLAT_BAND_0 * _stack(table, names).astype(np.float64), 0, 1)
        notes.append("colours are those of Gaussian splats (f_dc_0 to f_dc_2)")
    taken = {*places, *(names or ()), *(normals or ())}
    fields = {name: column for name, column in table.items() if name not in taken}
    left = [name for name in fields if not _is_plain_alpha(_COLOR_PREFIX.sub("", plain[name]))]
    if left:
        shown = ", ".join(left[:8]) + (f" and {len(left) - 8} more" if len(left) > 8 else "")
        notes.append(f"{'' if colors is not None else 'no colours; '}columns left out: {shown}")
    return Columns(
        points=_stack(table, places),
        colors=colors,
        normals=None if normals is None else _stack(table, normals),
        fields=fields,
        notes=tuple(notes),
    )


def _plain(name: str) -> str:
    """The name without case, quotes, comment signs and separators before x, y, z."""
    low = name.strip().strip("\"'/#%").strip().lower()
    return re.sub(r"^(normal|n)[_. ](?=[xyz]$)", r"\1", low)


def _find(plain: Mapping[str, str], families: Sequence[Sequence[str]]) -> list[str] | None:
    """The names in the file of the first family that is complete."""
    first: dict[str, str] = {}
    for name, each in plain.items():
        first.setdefault(each, name)
    return next(
        ([first[each] for each in family] for family in families if set(family) <= first.keys()),
        None,
    )


def _is_plain_alpha(name: str) -> bool:
    return name in _ALPHA


def _stack(table: Mapping[str, NDArray[Any]], names: Sequence[str]) -> NDArray[Any]:
    return np.stack([table[name] for name in names], axis=1)


def _unpacked(name: str, column: NDArray[Any]) -> tuple[NDArray[np.uint8] | None, str]:
    """Take red, green and blue from the bits 0x00RRGGBB of one number, as PCL packs them.

    A float holds the bits themselves, which are below 1e-37 when read as a number. Some programs
    write the whole number instead (strawlab/python-pcl issue 15).
    """
    note = ""
    if column.dtype.kind in "iu":
        bits = column.astype(np.int64).astype(np.uint32)
    else:
        known = np.isfinite(column)
        if column.dtype.itemsize > 4 and not known.any():
            return None, f"column {name} is no packed colour, it is NaN everywhere: left out"
        wide = np.where(known, column, 0).astype(np.float64)
        high = float(wide.max(initial=0))
        if 1 <= high < 2**32 and wide.min() >= 0 and (np.rint(wide) == wide).all():
            bits = wide.astype(np.uint32)
            note = f"column {name} holds whole numbers: taken for 0xRRGGBB"
        elif column.dtype.itemsize > 4:
            bits = wide.astype(np.float32).view(np.uint32)
        else:  # opaque colours are NaN as numbers
            bits = np.ascontiguousarray(column, np.float32).view(np.uint32)
    return np.stack([(bits >> shift) & 255 for shift in (16, 8, 0)], axis=1).astype(np.uint8), note
