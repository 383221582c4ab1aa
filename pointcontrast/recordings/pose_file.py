"""Text files of poses, one row per frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem
from pointcontrast.recordings.frame_names import numeric_order
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.recordings.text_files import read_text, split_numbers


class PoseFile:
    """The poses of a sequence: 12 numbers per row (the upper 3 x 4 of the matrix) or 16.

    Empty lines and lines that start with ``#`` are ignored.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, frame_ids: Sequence[str], unit: str, place: Path) -> None:
        """Read the rows; their numbers are parsed on use.

        Args:
            path: The file.
            frame_ids: Names of the frames in the order of the rows.
            unit: "frame" or "sweep", for messages.
            place: Folder of the frames, for messages.

        Raises:
            InputError: Unreadable, another number of rows than of frames, or frame numbers that
                sort differently as names and as numbers: rows carry no names, so their order must
                be certain.
        """
        self.path = path
        self._frame_ids = tuple(frame_ids)
        self._unit = unit
        self._rows = read_rows(path)
        if len(self._rows) != len(self._frame_ids):
            raise InputError(
                f"{path} has {len(self._rows)} rows for {len(self._frame_ids)} {unit}s in {place}; "
                f"give one row per {unit}"
            )
        if list(self._frame_ids) != sorted(self._frame_ids, key=numeric_order):
            raise InputError(
                f"{place}: its {unit} numbers sort differently as names and as numbers, so that "
                f"the order of the rows of {path.name} is uncertain; pad the numbers with zeros"
            )

    def pose(self, index: int) -> NDArray[np.float64]:
        """Return the (4, 4) matrix of frame ``index``.

        Raises:
            FrameError: The row is no rigid transform.
        """
        return rigid_row(self._rows[index], self.place(index))

    def recorded(self, index: int) -> NDArray[np.float64] | FrameError:
        """Return the numbers of frame ``index``, (4, 4), or the reason why they are none."""
        try:
            return read_row(self._rows[index], self.place(index))
        except FrameError as error:
            return error

    def place(self, index: int) -> str:
        """File and row of frame ``index``, for messages."""
        return f"{self.path}: row {index + 1} ({self._unit} {self._frame_ids[index]})"


def read_rows(path: Path) -> list[str]:
    """Read the lines of a text file that are neither empty nor comments.

    Raises:
        InputError: The file cannot be read.
    """
    lines = read_text(path).splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def rigid_row(row: str, where: str) -> NDArray[np.float64]:
    """Parse a row of 12 or 16 numbers as a (4, 4) rigid transform.

    Args:
        row: Text of the row.
        where: File and row, the first words of an error message.

    Raises:
        FrameError: Not 12 or 16 numbers, or not a rigid transform.
    """
    return checked_pose(read_row(row, where), where)


def read_row(row: str, where: str) -> NDArray[np.float64]:
    """Parse a row of 12 or 16 numbers as a (4, 4) matrix, rigid or not.

    Raises:
        FrameError: Not 12 or 16 numbers.
    """
    try:
        numbers = np.array(split_numbers(row), dtype=np.float64)
    except ValueError:
        raise FrameError(f"{where} is not numbers") from None
    if numbers.size not in (12, 16):
        raise FrameError(
            f"{where} holds {numbers.size} numbers, not the 12 of a 3 x 4 or 16 of a 4 x 4 matrix"
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
