"""Arrays of a labelled scene in the forms that people have them, brought to the stored form.

``labelled_scene.write_labelled_scene`` applies it: coordinates of any float dtype and any frame,
colours of any common form, labels of any integer dtype or as whole floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.colors import as_uint8_colors
from pointcontrast.errors import InputError
from pointcontrast.origins import FINEST_VOXEL, check_resolution, take_origin_off

_LABELS = ("semantic", "instance")


def stored_form(
    arrays: Mapping[str, Any], origin: NDArray[np.float64], where: str
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Convert the arrays of a scene to the dtypes of ``labelled_scene_checks.DTYPES``.

    Args:
        arrays: Arrays by name. ``coord`` (N, 3) metres: float64 of any size, or float32. ``boxes``
            (K, 8), in the same frame. ``color`` (N, 3): as
            :func:`pointcontrast.colors.as_uint8_colors` takes them. ``semantic`` and ``instance``
            (N,): integers of any dtype, or whole floats. ``normal`` (N, 3): floats.
        origin: (3,) float64 origin that is off ``coord`` and ``boxes`` already.
        where: Name of the scene, the first words of messages.

    Returns:
        The arrays in their stored dtypes, and the origin that ``coord`` and ``boxes`` are relative
        to. Shapes and ranges are not checked.

    Raises:
        InputError: An array holds no numbers, colours of an unknown form, labels that are not
            whole numbers, or coordinates that do not resolve a tenth of ``FINEST_VOXEL``.
    """
    given = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in given.items():
        if array.dtype.kind not in "fiu":
            raise InputError(f"{where}: {name} holds {array.dtype}; give an array of numbers")
    taken = np.zeros(3)
    for name, array in given.items():
        if name == "coord":
            given[name], taken = _places(array, f"{where}: coord")
        elif name == "color":
            given[name] = as_uint8_colors(array, f"{where}: color")
        elif name in _LABELS:
            given[name] = whole_numbers(array, f"{where}: {name}")
        elif name == "normal":
            given[name] = array.astype(np.float32, copy=False)
    if "boxes" in given:
        given["boxes"] = _moved(given["boxes"], taken, f"{where}: boxes")
    return given, origin + taken


def whole_numbers(values: NDArray[Any], what: str) -> NDArray[np.int32]:
    """Convert labels to int32.

    Args:
        values: Integers, or floats that are whole, as text files and scalar fields hold them.
        what: Name of the labels, the first words of the message.

    Returns:
        The array itself if it is int32.

    Raises:
        InputError: A value is no whole number, or beyond int32.
    """
    if values.dtype == np.int32:
        return values
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            broken = values != np.rint(values)  # NaN, too; infinity is beyond int32
        if broken.any():
            raise InputError(
                f"{what} holds {values[broken][0]:g} and so on in {broken.sum():,} of "
                f"{len(values):,} points; labels are whole numbers, -1 for none"
            )
    limits = np.iinfo(np.int32)
    if values.size and not (values.min() >= limits.min and values.max() <= limits.max):
        raise InputError(f"{what} holds {values.min()}..{values.max()}, beyond 32 bits")
    return values.astype(np.int32)


def _places(points: NDArray[Any], what: str) -> tuple[NDArray[Any], NDArray[np.float64]]:
    if points.dtype == np.float16:
        raise InputError(f"{what} is in half precision, which keeps no centimetre beyond 16 m")
    if points.ndim != 2 or points.shape[1] != 3:
        return points.astype(np.float32), np.zeros(3)  # the check of shapes names it
    if points.dtype.kind == "f":
        check_resolution(points, FINEST_VOXEL, what)
    return take_origin_off(points)


def _moved(boxes: NDArray[Any], origin: NDArray[np.float64], what: str) -> NDArray[np.float32]:
    if boxes.ndim != 2 or boxes.shape[1] < 3:
        return boxes.astype(np.float32)  # the check of shapes names it
    if boxes.dtype.kind == "f":
        check_resolution(boxes[:, :3], FINEST_VOXEL, what)
    if not origin.any():
        return boxes.astype(np.float32, copy=False)
    moved = boxes.astype(np.float64)
    moved[:, :3] -= origin
    return moved.astype(np.float32)
