"""Reader of a scan's ``.txt``: the rigid transform that aligns walls with the axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem

_KEY = "axisAlignment"


def read_info(path: Path) -> dict[str, str]:
    """Read the ``key = value`` lines of a scan's ``.txt``.

    Raises:
        InputError: The file is missing or not text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; download it") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file; download it again") from None
    lines = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in lines}


def read_axis_alignment(path: Path) -> NDArray[np.float64] | None:
    """Read ``axisAlignment`` of a scan's ``.txt``.

    Returns:
        Rigid transform ``aligned_from_scan`` (4, 4) float64, metres, with z up. None if the file
        has no such line, as in the test scans.

    Raises:
        InputError: The file is missing, or the value is not a rigid transform.
    """
    value = read_info(path).get(_KEY)
    if value is None:
        return None
    try:
        numbers = np.array([float(word) for word in value.split()])
    except ValueError:
        raise InputError(f"{path}: {_KEY} is not 16 numbers: {value[:80]!r}") from None
    if numbers.size != 16:
        raise InputError(f"{path}: {_KEY} has {numbers.size} numbers, not 16")
    matrix = numbers.reshape(4, 4)
    problem = rigid_problem(matrix)
    if problem:
        raise InputError(f"{path}: {_KEY} {problem}; download the file again")
    return matrix
