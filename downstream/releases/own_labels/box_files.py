"""Boxes that stand as JSON beside a scan.

The documented form, which ``tools/predict.py`` also writes::

    {"yaw_unit": "radian",
     "boxes": [{"class": "chair", "center": [x, y, z], "size": [l, w, h], "yaw": 0.3}]}

Lengths are in the unit and frame of the scan; ``size`` is full, along the box's own x, y and z;
``yaw`` is counter-clockwise about the up direction. A list alone is accepted. So is the form
``centroid`` of labelCloud: ``objects`` with ``name``, ``centroid``, ``dimensions`` and
``rotations``, whose angles are degrees in ``centroid_abs`` and radians in ``centroid_rel``, which
the file does not state (ch-sa/labelCloud ``docs/documentation.md``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import read_json

_UNITS = {"radian": 1.0, "radians": 1.0, "degree": math.pi / 180, "degrees": math.pi / 180}
_LARGEST = 2 * math.pi + 0.01


@dataclass(frozen=True)
class OwnBoxes:
    """Boxes of a file.

    Attributes:
        boxes: (K, 7) float64: centre and full size in the unit of the scan, yaw in radians.
        classes: Names of their classes.
        notes: What was guessed.
    """

    boxes: NDArray[np.float64]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_boxes(path: Path) -> OwnBoxes:
    """Read the boxes of a scan.

    Raises:
        InputError: The file is of another form, or a box has a size that is not positive, a yaw
            that is not in radians, or a value that is not a finite number.
    """
    content = read_json(path)
    unit, found = None, content
    is_label_cloud = False
    if isinstance(content, dict):
        unit = content.get("yaw_unit")
        is_label_cloud = "boxes" not in content and "objects" in content
        found = content.get("boxes", content.get("objects"))
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InputError(
            f'{path} holds no boxes; the form is {{"boxes": [{{"class": "chair", "center": [x, y, '
            'z], "size": [l, w, h], "yaw": 0.3}]}'
        )
    if unit is not None and unit not in _UNITS:
        raise InputError(f"{path}: yaw_unit {unit!r} must be radian or degree")
    read = _label_cloud_box if is_label_cloud else _box
    rows, classes = [], []
    for number, each in enumerate(found):
        name, row = read(each, f"{path}: box {number}")
        rows.append(row)
        classes.append(name)
    boxes = np.array(rows, dtype=np.float64).reshape(-1, 7)
    notes: tuple[str, ...] = ()
    if is_label_cloud and unit is None and len(boxes):
        unit, notes = _label_cloud_unit(path, boxes[:, 6])
    boxes[:, 6] *= _UNITS[unit or "radian"]
    _check(path, boxes)
    return OwnBoxes(boxes, tuple(classes), notes)


def _box(each: Mapping[str, Any], what: str) -> tuple[str, list[float]]:
    name = each.get("class", each.get("label", each.get("name")))
    if not isinstance(name, str):
        raise InputError(f'{what} has no "class"; give the name of its class')
    center = _numbers(each.get("center"), 3, f'{what}: "center"')
    size = _numbers(each.get("size"), 3, f'{what}: "size"')
    yaw = _numbers([each.get("yaw", 0.0)], 1, f'{what}: "yaw"')
    return name, [*center, *size, *yaw]


def _label_cloud_box(each: Mapping[str, Any], what: str) -> tuple[str, list[float]]:
    name = each.get("name")
    if not isinstance(name, str):
        raise InputError(f'{what} has no "name"')

    def values(key: str, names: tuple[str, str, str]) -> list[float]:
        part = each.get(key)
        found = [part.get(n) for n in names] if isinstance(part, dict) else part
        return _numbers(found, 3, f'{what}: "{key}"')

    turns = values("rotations", ("x", "y", "z"))
    if any(abs(turn) > 0.01 for turn in turns[:2]):
        raise InputError(f"{what} is turned about x or y ({turns[0]:g}, {turns[1]:g}), not only z")
    center = values("centroid", ("x", "y", "z"))
    return name, [*center, *values("dimensions", ("length", "width", "height")), turns[2]]


def _label_cloud_unit(path: Path, yaws: NDArray[np.float64]) -> tuple[str, tuple[str, ...]]:
    if not yaws.any():
        return "radian", ()
    if np.abs(yaws).max() > _LARGEST:
        return "degree", (f"{path.name}: rotations up to {np.abs(yaws).max():g} are degrees",)
    raise InputError(
        f"{path}: its rotations may be degrees (centroid_abs) or radians (centroid_rel); state "
        'which by "yaw_unit": "degree" or "radian" at the top of the file'
    )


def _numbers(values: Any, count: int, what: str) -> list[float]:
    good = isinstance(values, list) and len(values) == count
    if not good or not all(
        isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values
    ):
        wanted = "a finite number" if count == 1 else f"{count} finite numbers"
        raise InputError(f"{what} must be {wanted}, got {values[0] if count == 1 else values!r}")
    return [float(value) for value in values]


def _check(path: Path, boxes: NDArray[np.float64]) -> None:
    flat = (boxes[:, 3:6] <= 0).any(axis=1)
    if flat.any():
        row = int(flat.argmax())
        size = " x ".join(f"{length:g}" for length in boxes[row, 3:6])
        raise InputError(f"{path}: box {row} has the size {size}; sizes are full and positive")
    turned = np.abs(boxes[:, 6]) > _LARGEST
    if turned.any():
        row = int(turned.argmax())
        raise InputError(
            f"{path}: box {row} has the yaw {boxes[row, 6]:g}; give radians, or state "
            '"yaw_unit": "degree" at the top of the file'
        )
