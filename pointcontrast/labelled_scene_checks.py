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

_LARGEST = int(np.iinfo(np.int32).max)
_FARTHEST_ORIGIN = 1e12
_NO_LABEL = (255, 254, 65535, 99, -100)  # as other programs mark points without a label
_LARGEST_YAW = 2 * np.pi + 0.01
_LEAST_REACH = 10.0  # metres; a few points on one object say little about the scene's size
FARTHEST_EXTENT = 50_000.0
"""Metres, of the longest side of a scene; a whole city has less."""
LARGEST_HEIGHT = 1000.0
"""Metres, of the shortest side of a scene; a tile of a mountain has less."""
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
        bad = int((~np.isfinite(array)).any(axis=1).sum())
        return f"holds NaN or infinite values in {bad:,} of {len(array):,} rows"
    if name == "normal":
        length = np.linalg.norm(array, axis=1)
        if not ((np.abs(length - 1) < 1e-3) | (length == 0)).all():
            return "holds vectors that are not of unit length"
    if name in ("semantic", "instance"):
        return _label_fault(array, num_classes - 1 if name == "semantic" else _LARGEST)
    if name == "boxes" and len(array):
        return _box_fault(array, num_classes)
    return None


def _label_fault(labels: NDArray[np.int32], last: int) -> str | None:
    wrong = (labels < -1) | (labels > last)
    if not wrong.any():
        return None
    text = f"holds {labels.min()}..{labels.max()}, not -1..{last}, in {wrong.sum():,} of "
    text += f"{len(labels):,} points"
    if last != _LARGEST and labels.min() >= 1 and labels.max() == last + 1:
        return f"{text}: rows of class_names count from 0"
    odd = int(labels[wrong][0])
    if odd in _NO_LABEL and (labels[wrong] == odd).all():
        return f"{text}: is {odd} for unlabelled? That is -1"
    return text


def _box_fault(boxes: NDArray[np.float32], num_classes: int) -> str | None:
    sizes, yaws, classes = boxes[:, 3:6], boxes[:, 6], boxes[:, 7]
    if (sizes < 0).any():
        return f"holds a negative size in row {int((sizes < 0).any(axis=1).argmax())}"
    if (sizes == 0).all():
        return "holds boxes whose sizes are all 0; columns 4 to 6 are full sizes in metres"
    if (np.abs(yaws) > _LARGEST_YAW).any():
        row = int(np.abs(yaws).argmax())
        return f"holds the yaw {yaws[row]:g} in row {row}; give radians, not degrees"
    if (classes % 1 != 0).any() or classes.min() < -1 or classes.max() >= num_classes:
        return f"holds a class that is not one of -1..{num_classes - 1}"
    return None


def check_boxes_near(boxes: NDArray[np.float32], coord: NDArray[np.float32], where: str) -> None:
    """Check that boxes are in the frame and unit of the points.

    Args:
        boxes: (K, 8), columns ``BOX_COLUMNS``.
        coord: (N, 3), metres.
        where: Name of the boxes, the first words of the message.

    Raises:
        InputError: Most centres are farther from the points' bounding box than that is long.
    """
    if not len(boxes):
        return
    low, high = coord.min(axis=0), coord.max(axis=0)
    beyond = np.maximum(np.maximum(low - boxes[:, :3], boxes[:, :3] - high), 0)
    distances = np.linalg.norm(beyond, axis=1)
    reach = max(float(np.linalg.norm(high - low)), _LEAST_REACH)
    if (distances > reach).mean() > 0.5:
        row = int(distances.argmax())
        center = ", ".join(f"{value:.6g}" for value in boxes[row, :3])
        raise InputError(
            f"{where}: the box in row {row} is about ({center}), {distances[row]:.4g} m from the "
            f"points, which span {reach:.4g} m; give boxes in the frame and unit of the points"
        )


def check_extent(coord: NDArray[np.float32], where: str) -> None:
    """Check that a scene has a size that a scene in metres can have.

    Args:
        coord: (N, 3), metres.
        where: Name of the points, the first words of the message.

    Raises:
        InputError: It is larger than ``FARTHEST_EXTENT`` along an axis, or larger than
            ``LARGEST_HEIGHT`` along all, as a room in millimetres is.
    """
    extent = np.ptp(coord, axis=0)
    if extent.max() > FARTHEST_EXTENT or extent.min() > LARGEST_HEIGHT:
        size = " x ".join(f"{length:.4g}" for length in extent)
        raise InputError(
            f"{where} spans {size} m, if its unit is the metre; convert it to metres (millimetres: "
            "divide by 1000), or remove outliers"
        )


def check_origin(origin: Any, where: str) -> NDArray[np.float64]:
    """Convert an origin that was stored: three finite numbers, metres.

    Args:
        origin: Value from a file.
        where: Name of the value, the first words of the message.

    Returns:
        (3,) float64.

    Raises:
        InputError: The value is something else.
    """
    try:
        value = np.array(origin, dtype=np.float64)
    except (TypeError, ValueError):
        value = np.empty(0)
    if value.shape != (3,) or not (np.abs(value) < _FARTHEST_ORIGIN).all():
        raise InputError(f"{where} must be three numbers of metres, got {origin!r}")
    return value
