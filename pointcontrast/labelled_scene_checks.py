"""Checks of the arrays of a labelled scene (``labelled_scene``): shapes, dtypes, ranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError

REDO = "make the scene again"

BOX_COLUMNS = ("x", "y", "z", "size_x", "size_y", "size_z", "yaw", "class")
"""Columns of ``boxes``: centre and full size in metres; the heading in radians, counter-clockwise
about +z from world +x to the x axis of the box (its front), along which ``size_x`` is measured; and
a row of ``class_names`` or -1."""

DTYPES: dict[str, type[np.generic]] = {
    "coord": np.float32,
    "color": np.uint8,
    "normal": np.float32,
    "semantic": np.int32,
    "instance": np.int32,
    "boxes": np.float32,
}
"""Arrays that a scene may have, in the order of its files."""

_COLUMNS = {"coord": 3, "color": 3, "normal": 3, "boxes": len(BOX_COLUMNS)}


def check_array(where: str, name: str, array: NDArray[Any], num_points: int) -> None:
    """Check the shape and the dtype of one array.

    Args:
        where: Name of the array in the message.
        name: Key of ``DTYPES``.
        array: The array.
        num_points: Number of points N of the scene.

    Raises:
        InputError: The shape or dtype is wrong, or the scene has no points.
    """
    rows = len(array) if name == "boxes" and array.ndim else num_points
    shape = (rows, _COLUMNS[name]) if name in _COLUMNS else (rows,)
    if array.shape != shape or array.dtype != DTYPES[name]:
        raise InputError(
            f"{where} holds {array.dtype} {array.shape}, not {np.dtype(DTYPES[name])} {shape}; "
            f"{REDO}"
        )
    if not num_points:
        raise InputError(f"{where} holds no points; {REDO}")


def check_ranges(
    arrays: Mapping[str, NDArray[Any]], num_classes: int, where: Callable[[str], str]
) -> None:
    """Check the range of every value of a scene's arrays.

    Args:
        arrays: Arrays by name, each of the right shape and dtype.
        num_classes: Number of classes C of the scene.
        where: Function from the name of an array to its name in the message.

    Raises:
        InputError: A value is out of range.
    """
    for name, array in arrays.items():
        fault = _fault(name, array, num_classes)
        if fault:
            raise InputError(f"{where(name)} {fault}; {REDO}")


def _fault(name: str, array: NDArray[Any], num_classes: int) -> str | None:
    """Describe the fault in the values of one array; None if there is none."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return "holds NaN or infinite values"
    if name == "normal":
        length = np.linalg.norm(array, axis=1)
        if not ((np.abs(length - 1) < 1e-3) | (length == 0)).all():
            return "holds vectors that are not of unit length"
    if name in ("semantic", "instance"):
        last = num_classes - 1 if name == "semantic" else np.iinfo(np.int32).max
        if array.min() < -1 or array.max() > last:
            return f"holds {array.min()}..{array.max()}, not -1..{last}"
    if name == "boxes" and len(array):
        sizes, classes = array[:, 3:6], array[:, 7]
        if (sizes < 0).any():
            return "holds a negative size"
        if (classes % 1 != 0).any() or classes.min() < -1 or classes.max() >= num_classes:
            return f"holds a class that is not one of -1..{num_classes - 1}"
    return None
