"""Checks of shapes and of the ``meta.json`` of a shape set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import read_json, sha256
from pointcontrast.labelled_scene import UP_AXES

FORMAT_VERSION = 1
META = "meta.json"
OFFSETS = "offsets.npy"
REDO = "make the shape set again"

DTYPES: dict[str, type[np.generic]] = {"coord": np.float32, "normal": np.float32, "part": np.int32}
"""Arrays of points that a shape set may have, in the order of its files."""

ROW_SHAPES: dict[str, tuple[int, ...]] = {"coord": (3,), "normal": (3,), "part": ()}

_BLOCK = 1 << 16  # rows checked at a time
_TYPES: dict[str, type] = {
    "category": str,
    "category_index": int,
    "category_names": list,
    "part_names": list,
    "up_axis": str,
    "ids": list,
    "source": dict,
    "settings": dict,
    "left_out": dict,
    "files": dict,
}


def check_points(where: str, arrays: Mapping[str, NDArray[Any]], num_parts: int) -> None:
    """Check the arrays of a shape, or of many concatenated shapes.

    Args:
        where: Name of the shapes in messages.
        arrays: Arrays by the names of ``DTYPES``, with ``coord``.
        num_parts: Number of part names.

    Raises:
        InputError: An array has another shape or dtype, there are no points, a value is not finite,
            a normal is neither of unit length nor 0 0 0, or a part has no name.
    """
    num_points = len(arrays["coord"])
    for name, array in arrays.items():
        shape = (num_points, *ROW_SHAPES[name])
        if array.shape != shape or array.dtype != DTYPES[name]:
            raise InputError(
                f"{where}: {name} is {array.dtype} {array.shape}, not {np.dtype(DTYPES[name])} "
                f"{shape}; {REDO}"
            )
    if not num_points:
        raise InputError(f"{where} has no points; {REDO}")
    for name, array in arrays.items():
        for start in range(0, num_points, _BLOCK):
            fault = _fault(name, np.asarray(array[start : start + _BLOCK]), num_parts)
            if fault:
                raise InputError(f"{where}: {name} {fault}; {REDO}")


def check_id(where: str, shape_id: str) -> None:
    """Check the id of a shape, the part after the ``/`` in splits.

    Raises:
        InputError: It is empty or has a ``/``.
    """
    if not shape_id or "/" in shape_id:
        raise InputError(f"{where}: {shape_id!r} is not the id of a shape; {REDO}")


def read_meta(folder: Path) -> dict[str, Any]:
    """Read ``meta.json`` and check its types and ranges.

    Raises:
        InputError: The file is missing, of another version, or damaged.
    """
    file = folder / META
    if not file.exists():
        raise InputError(f"{folder} is not a shape set: it has no {META}; {REDO}")
    meta = read_json(file)
    version = meta.get("format_version") if isinstance(meta, dict) else None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{file} is of format version {version}, this program reads {FORMAT_VERSION}; {REDO}"
        )
    for key, kind in _TYPES.items():
        if type(meta.get(key)) is not kind:
            raise InputError(
                f"{file} is damaged: it has no {key!r} of type {kind.__name__}; {REDO}"
            )
    check_info(
        str(file),
        meta["category_index"],
        meta["category_names"],
        meta["part_names"],
        meta["up_axis"],
    )
    if meta["category_names"][meta["category_index"]] != meta["category"]:
        raise InputError(f"{file}: category_index is not that of {meta['category']!r}; {REDO}")
    for shape_id in meta["ids"]:
        check_id(str(file), shape_id if isinstance(shape_id, str) else "")
    if len(set(meta["ids"])) < len(meta["ids"]):
        raise InputError(f"{file}: two shapes have the same id; {REDO}")
    known = {f"{name}.npy" for name in DTYPES} | {OFFSETS}
    for name, facts in meta["files"].items():
        # a name from a file must never lead out of the folder
        if name not in known or not isinstance(facts, dict) or "bytes" not in facts:
            raise InputError(f"{file} is damaged: it lists a file {name!r}; {REDO}")
    for name in ("coord.npy", OFFSETS):
        if name not in meta["files"]:
            raise InputError(f"{file} is damaged: it lists no {name}; {REDO}")
    return meta


def check_info(
    where: str, category: int, category_names: Any, part_names: Any, up_axis: str
) -> None:
    """Check the description of a shape set.

    Raises:
        InputError: The category has no name, a name is not a string, or the up axis is unknown.
    """
    if not all(isinstance(name, str) for name in [*category_names, *part_names]):
        raise InputError(f"{where}: category_names and part_names must be strings; {REDO}")
    if not 0 <= category < len(category_names):
        raise InputError(
            f"{where}: category {category} is not a row of the {len(category_names)} "
            f"category_names; {REDO}"
        )
    if up_axis not in UP_AXES:
        raise InputError(f"{where}: up_axis must be one of {list(UP_AXES)}, got {up_axis!r}")


def file_facts(path: Path) -> dict[str, Any]:
    """Return the size and checksum of a file, for ``meta.json``."""
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def _fault(name: str, array: NDArray[Any], num_parts: int) -> str | None:
    """Describe the first problem of the values of some rows of an array; None if there is none."""
    if name == "part":
        if array.min() < 0 or array.max() >= num_parts:
            return f"holds {array.min()}..{array.max()}, not 0..{num_parts - 1}"
        return None
    if not np.isfinite(array).all():
        return "holds NaN or infinite values"
    if name == "normal":
        length = np.linalg.norm(array, axis=1)
        if not ((np.abs(length - 1) < 1e-3) | (length == 0)).all():
            return "holds vectors that are not of unit length"
    return None
