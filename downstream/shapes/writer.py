"""Writer of a shape set, one shape at a time."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from downstream.shapes.checks import (
    DTYPES,
    FORMAT_VERSION,
    META,
    OFFSETS,
    REDO,
    ROW_SHAPES,
    check_id,
    check_info,
    check_points,
    file_facts,
)
from downstream.shapes.shape_set import Shape, ShapeSetInfo
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_folder, write_json
from pointcontrast.growing_array import GrowingArray


@dataclass(frozen=True)
class LeftOut:
    """Shape of the release that cannot be used.

    Attributes:
        id: Id of the shape.
        reason: Reason, one line.
    """

    id: str
    reason: str


def write_shape_set(folder: Path, shapes: Iterable[Shape | LeftOut], info: ShapeSetInfo) -> None:
    """Write a shape set, atomically.

    Args:
        folder: Folder of the set, replaced if it exists.
        shapes: Shapes, taken one by one, so that a generator needs memory for one only. All have
            the same arrays.
        info: Description of the set.

    Raises:
        InputError: A shape is not as :class:`Shape` describes or has other arrays than the first,
            an id occurs twice, or there is no shape. Nothing is written then.
    """
    where = f"the shape set for {folder}"
    check_info(where, info.category, info.category_names, info.part_names, info.up_axis)
    with atomic_folder(folder) as partial:
        ids, left_out, offsets = _write_arrays(partial, shapes, where, len(info.part_names))
        if not ids:
            first = next((f": {name}: {reason}" for name, reason in left_out.items()), "")
            raise InputError(f"{where} has no shape that can be used{first}")
        np.save(partial / OFFSETS, np.array(offsets, dtype=np.int64))
        meta = {
            "format_version": FORMAT_VERSION,
            "category": info.category_names[info.category],
            "category_index": info.category,
            "category_names": list(info.category_names),
            "part_names": list(info.part_names),
            "up_axis": info.up_axis,
            "source": dict(info.source),
            "settings": dict(info.settings),
            "left_out": left_out,
            "ids": ids,
            "files": {path.name: file_facts(path) for path in sorted(partial.glob("*.npy"))},
        }
        write_json(partial / META, meta)


def _write_arrays(
    folder: Path, shapes: Iterable[Shape | LeftOut], where: str, num_parts: int
) -> tuple[list[str], dict[str, str], list[int]]:
    """Write the arrays; return ids, shapes left out (id -> reason), and offsets."""
    ids: dict[str, None] = {}  # ordered, with fast look-up
    left_out: dict[str, str] = {}
    offsets = [0]
    growing: dict[str, GrowingArray] = {}
    with ExitStack() as stack:
        for shape in shapes:
            if isinstance(shape, LeftOut):
                left_out[shape.id] = shape.reason
                continue
            arrays = shape.arrays()
            check_id(where, shape.id)
            check_points(f"{where}: {shape.id}", arrays, num_parts)
            if shape.id in ids:
                raise InputError(f"{where}: two shapes have the id {shape.id}; {REDO}")
            if not ids:
                for name in arrays:
                    array = GrowingArray(folder / f"{name}.npy", DTYPES[name], ROW_SHAPES[name])
                    growing[name] = stack.enter_context(closing(array))
            if arrays.keys() != growing.keys():
                raise InputError(f"{where}: {shape.id} has other arrays than {next(iter(ids))}")
            for name, array in arrays.items():
                growing[name].append(array)
            ids[shape.id] = None
            offsets.append(offsets[-1] + len(shape))
    return list(ids), left_out, offsets
