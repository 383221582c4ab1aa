"""Rows of text files of poses.

Forms of a row, by its count of numbers; spaces, commas, semicolons and brackets separate them:

====== ============================================================================================
12     the upper 3 x 4 of the matrix, row by row (KITTI)
16     the 4 x 4 matrix
13, 17 the number of the frame, then one of these (KITTI-360); frames may be absent
8      time, translation, quaternion x y z w (TUM RGB-D; KISS-ICP's ``*_tum.txt``)
7      translation, quaternion x y z w
====== ============================================================================================
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem
from pointcontrast.recordings.quaternions import pose_from_quaternion
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.recordings.text_files import read_text, split_numbers

NUMBERED, TIMED = (13, 17), 8
"""Counts of numbers of rows that begin with the number of a frame, and with a time."""


def read_rows(path: Path) -> list[str]:
    """Read the lines of a text file that are neither empty nor comments.

    Raises:
        InputError: The file cannot be read.
    """
    lines = read_text(path).splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def rigid_row(row: str, where: str) -> NDArray[np.float64]:
    """Parse 12 or 16 numbers as a (4, 4) rigid transform.

    Args:
        row: Text of the numbers.
        where: File and row, the first words of an error message.

    Raises:
        FrameError: Another count of numbers, or not a rigid transform.
    """
    matrix = read_row(row, where)
    count = len(split_numbers(row))
    if count not in (12, 16):
        raise FrameError(
            f"{where} holds {count} numbers, not the 12 of a 3 x 4 or 16 of a 4 x 4 matrix"
        )
    return checked_pose(matrix, where)


def read_row(row: str, where: str) -> NDArray[np.float64]:
    """Parse a row of numbers as a (4, 4) matrix, rigid or not.

    Raises:
        FrameError: Another count of numbers, words, or a quaternion that is not of unit length.
    """
    try:
        numbers = np.array(split_numbers(row), dtype=np.float64)
    except ValueError:
        raise FrameError(f"{where} is not numbers") from None
    if numbers.size in (7, TIMED):
        try:
            return pose_from_quaternion(numbers[-7:-4], numbers[-4:], where)
        except InputError as error:
            raise FrameError(str(error)) from None
    if numbers.size in NUMBERED:
        numbers = numbers[1:]
    if numbers.size not in (12, 16):
        raise FrameError(
            f"{where} holds {numbers.size} numbers, not the 12 of a 3 x 4 or 16 of a 4 x 4 matrix, "
            "or 7 of a translation and a quaternion x y z w"
        )
    matrix = np.eye(4)
    matrix[: numbers.size // 4] = numbers.reshape(-1, 4)
    return matrix


def checked_pose(matrix: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """Return a recorded matrix if it is a rigid transform.

    Args:
        matrix: (4, 4) float64.
        where: File, and row or frame, the first words of an error message.

    Raises:
        FrameError: Not a rigid transform.
    """
    problem = rigid_problem(matrix)
    if problem is None:
        return matrix
    raise FrameError(f"{where} is not a rigid transform: it {problem}")
