"""Files of intrinsics: a matrix, four numbers, or the JSON of one of many programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import read_json
from pointcontrast.recordings.rgbd.images.intrinsics import check_intrinsics
from pointcontrast.recordings.text_files import read_number_rows, read_text

INTRINSICS_FILES = (
    *("K.txt", "intrinsics.txt", "intrinsic.txt", "camera-intrinsics.txt", "camera_intrinsics.txt"),
    *("camera.json", "intrinsics.json", "intrinsic.json", "camera_intrinsic.json"),
    *("camera_intrinsics.json", "cam_params.json"),
)
"""Usual names of a file of intrinsics."""

_FORMS = (
    "a 3 x 3 or 4 x 4 pinhole matrix, the four numbers fx fy cx cy, or JSON with these names or "
    "intrinsic_matrix"
)
# Names of nerfstudio (fl_x), RealSense (ppx), Open3D (intrinsic_matrix) and NICE-SLAM's Replica.
_FOUR_NAMES = (("fx", "fl_x"), ("fy", "fl_y"), ("cx", "ppx"), ("cy", "ppy"))
_MATRIX_NAMES = ("intrinsic_matrix", "K", "intrinsic", "intrinsics", "camera_matrix")
_SIZE_NAMES = (("width", "w"), ("height", "h"))
_INNER = ("depth", "camera", "intrinsics", "intrinsic", "depth_camera")
_SCALES = ("depth_scale", "png_depth_scale", "depthScale", "scale")
_LEAST_SCALE = 100.0  # "scale" alone may be the scale of a scene


@dataclass(frozen=True, kw_only=True, eq=False)
class Intrinsics:
    """What a file of intrinsics states.

    Attributes:
        matrix: (3, 3) float64 pinhole matrix, pixels; the centre of the top left pixel is (0, 0).
        size: (width, height) of the image that the matrix belongs to, pixels; None if not stated.
        units_per_metre: Units of the depth images per metre; None if not stated.
    """

    matrix: NDArray[np.float64]
    size: tuple[int, int] | None = None
    units_per_metre: float | None = None


def read_intrinsics(path: Path) -> Intrinsics:
    """Read a file of intrinsics.

    The forms are: a 3 x 3 matrix or a 4 x 4 matrix (ScanNet), by rows on any number of lines; the
    four numbers fx fy cx cy; and JSON with fx, fy, cx and cy (or fl_x, fl_y), or with a matrix
    under ``intrinsic_matrix`` (Open3D, by columns), ``K`` or ``intrinsic``; these may stand one
    level deeper, under ``camera`` or ``intrinsics``. A matrix by columns is known by its principal
    point, which stands in the last row.

    Raises:
        InputError: Absent, unreadable, in none of these forms, or not a pinhole matrix.
    """
    if path.suffix.lower() == ".json" or read_text(path).lstrip().startswith("{"):
        return _from_json(path)
    rows = read_number_rows(path, _FORMS)
    numbers = np.array([number for row in rows for number in row], dtype=np.float64)
    return Intrinsics(matrix=_matrix(numbers, str(path)))


def find_intrinsics(
    folder: Path, given: NDArray[np.float64] | None, names: Sequence[str]
) -> tuple[Path | None, Intrinsics | None]:
    """Read the first file of intrinsics in a folder or its parent.

    Args:
        folder: Folder of the scene.
        given: Intrinsics that the user states, which take the place of a file.
        names: Names of the file, paths relative to the folder, in order of preference.

    Returns:
        The file, None if there is none or ``given`` took its place, and the intrinsics, None if
        there are none.

    Raises:
        InputError: The file is wrong.
    """
    if given is not None:
        return None, Intrinsics(matrix=given)
    for place in (folder, folder.parent):
        for name in names:
            if (place / name).is_file():
                return place / name, read_intrinsics(place / name)
    return None, None


def _matrix(numbers: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """Make a pinhole matrix of 4, 9 or 16 numbers."""
    if numbers.size == 4:
        fx, fy, cx, cy = numbers
        return check_intrinsics(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), where)
    if numbers.size not in (9, 16):
        raise InputError(f"{where} holds {numbers.size} numbers, not {_FORMS}")
    side = 3 if numbers.size == 9 else 4
    matrix = numbers.reshape(side, side)
    if not matrix[:2, 2:].any():  # by columns
        matrix = matrix.T
    bare = np.eye(4)
    bare[:3, :3] = matrix[:3, :3]
    if side == 4 and not np.array_equal(matrix, bare):
        raise InputError(
            f"{where} is a 4 x 4 matrix, but not of intrinsics alone (its last row and column must "
            "be 0 0 0 1); give the intrinsics without the pose"
        )
    return check_intrinsics(np.ascontiguousarray(matrix[:3, :3]), where)


def _from_json(path: Path) -> Intrinsics:
    found = intrinsics_of(read_json(path), str(path))
    if found is None:
        raise InputError(f"{path} holds no intrinsics; they are {_FORMS}")
    return found


def intrinsics_of(content: object, where: str) -> Intrinsics | None:
    """Find the intrinsics in the content of a JSON file; None if there are none.

    Args:
        content: An object with names as in :func:`read_intrinsics`, or a matrix.
        where: The file, the first words of an error message.

    Raises:
        InputError: They are no pinhole matrix.
    """
    top: dict[str, Any] = content if isinstance(content, dict) else {"K": content}
    inner = (top.get(name) for name in _INNER)
    for level in (top, *(each for each in inner if isinstance(each, dict))):
        numbers = _numbers(level)
        if numbers is None:
            continue
        sides = [_first_number(level, names) or 0 for names in _SIZE_NAMES]
        stated = all(1 <= side < 1e6 for side in sides)
        return Intrinsics(
            matrix=_matrix(numbers, where),
            size=(int(sides[0]), int(sides[1])) if stated else None,
            units_per_metre=_stated_units(level) or _stated_units(top),
        )
    return None


def _stated_units(level: dict[str, Any]) -> float | None:
    """Return the stated units per metre; a value below 1 is metres per unit (RealSense)."""
    for name in _SCALES:
        value = _first_number(level, (name,))
        if value and 0 < value < np.inf and (name != "scale" or value >= _LEAST_SCALE):
            return value if value >= 1 else 1 / value
    return None


def _numbers(level: dict[str, Any]) -> NDArray[np.float64] | None:
    """Return the 4, 9 or 16 numbers of one level of a JSON file; None if it has none."""
    four = [_first_number(level, names) for names in _FOUR_NAMES]
    if None not in four:
        return np.array(four, dtype=np.float64)
    for name in _MATRIX_NAMES:
        try:
            numbers = np.array(level[name], dtype=np.float64).ravel()
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if numbers.size in (4, 9, 16):
            return numbers
    return None


def _first_number(level: dict[str, Any], names: tuple[str, ...]) -> float | None:
    found = (level[name] for name in names if name in level)
    # an integer of a thousand digits is no number of pixels, and no float
    numbers = (value for value in found if isinstance(value, int | float) and abs(value) < 1e12)
    return next((float(value) for value in numbers), None)
