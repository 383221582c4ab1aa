"""Text tables whose first column is a time: lists of image files, and trajectories.

The form is that of TUM's RGB-D benchmark (https://cvg.cit.tum.de/data/datasets/rgbd-dataset/
file_formats), which ORB-SLAM, evo and many recorders share: ``timestamp filename`` and
``timestamp tx ty tz qx qy qz qw``, a row each, comments after ``#``. Commas, a header of words, a
byte order mark and Windows' line ends are accepted. Times are seconds; a table in milli-, micro- or
nanoseconds since 1970 (ORB-SLAM3's EuRoC output) is converted, which its size tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.quaternions import is_unit_quaternion, rotation_from_quaternion
from pointcontrast.recordings.text_files import read_text

_NUM_COLUMNS = 8
_EARLIEST_YEAR_2001 = 1e9  # seconds; times since 1970 in finer units start at a power of ten of it


@dataclass(frozen=True, eq=False)
class FileList:
    """A list of files with times.

    Attributes:
        times: (N,) float64 seconds.
        paths: N paths, as the list writes them: relative to the folder of the list.
        left_out: Reasons why other rows cannot be used.
    """

    times: NDArray[np.float64]
    paths: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses with times.

    Attributes:
        times: (K,) float64 seconds, K >= 1, in the order of the file.
        poses: (K, 4, 4) float64 rigid transforms, as recorded.
        left_out: Reasons why other rows cannot be used.
    """

    times: NDArray[np.float64]
    poses: NDArray[np.float64]
    left_out: tuple[str, ...]


def read_file_lists(path: Path, num_lists: int = 1) -> tuple[FileList, ...]:
    """Read a table of ``timestamp filename``, or of several such pairs of columns side by side.

    A file that is listed twice is taken once. Columns after the last pair are ignored. A row that
    cannot be used is left out with its reason.

    Args:
        path: The table.
        num_lists: Number of pairs of columns.

    Raises:
        InputError: Unreadable, or no row can be used.
    """
    rows: dict[tuple[str, ...], list[float]] = {}
    left_out: list[str] = []
    for line, words in _rows(path):
        times = [_number(word) for word in words[: 2 * num_lists : 2]]
        files = tuple(word.replace("\\", "/") for word in words[1 : 2 * num_lists : 2])
        if len(files) < num_lists or not np.isfinite(times).all():
            form = " ".join(["timestamp filename"] * num_lists)
            left_out.append(f"{path}: line {line} is not {form}: {' '.join(words)[:60]}")
        else:
            rows.setdefault(files, times)
    if not rows:
        raise InputError(left_out[0] if left_out else f"{path} lists no file")
    times = _seconds(np.array(list(rows.values())))
    names = list(zip(*rows, strict=True))
    return tuple(FileList(times[:, k], names[k], tuple(left_out)) for k in range(num_lists))


def read_trajectory(path: Path) -> Trajectory:
    """Read a table of ``timestamp tx ty tz qx qy qz qw``: metres, and quaternions, scalar last.

    A row that cannot be used is left out with its reason: without a pose, frames near its time are
    left out as well, not the whole recording.

    Raises:
        InputError: Unreadable, or no row can be used.
    """
    rows: list[int] = []
    numbers: list[list[float]] = []
    left_out: list[str] = []
    for line, words in _rows(path):
        row = [_number(word) for word in words]
        if len(row) != _NUM_COLUMNS or not all(map(math.isfinite, row)):
            kind = f"{len(words)} columns" if len(words) != _NUM_COLUMNS else "words, NaN or inf"
            left_out.append(
                f"{path}: line {line} has {kind}, not the {_NUM_COLUMNS} numbers of a time, a "
                "translation and a quaternion (t x y z qx qy qz qw)"
            )
        else:
            rows.append(line)
            numbers.append(row)
    table = np.array(numbers, dtype=np.float64).reshape(-1, _NUM_COLUMNS)
    unit = is_unit_quaternion(table[:, 4:])
    for index in np.flatnonzero(~unit):
        try:
            rotation_from_quaternion(table[index, 4:], f"{path}: line {rows[index]}")
        except InputError as error:
            left_out.append(str(error))
    if not unit.any():
        raise InputError(left_out[0] if left_out else f"{path} holds no pose")
    table = table[unit]
    poses = np.tile(np.eye(4), (len(table), 1, 1))
    poses[:, :3, :3] = rotation_from_quaternion(table[:, 4:], str(path))
    poses[:, :3, 3] = table[:, 1:4]
    return Trajectory(_seconds(table[:, 0]), poses, tuple(left_out))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the words of each line that is not empty, a comment or a header."""
    first = True
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.replace(",", " ").replace(";", " ").split()
        if not words or words[0].startswith("#"):
            continue
        if first and not any(np.isfinite(_number(word)) for word in words):
            first = False
            continue
        first = False
        yield number, words


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return np.nan


def _seconds(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return times in seconds; those since 1970 in finer units are as much larger."""
    typical = float(np.median(times))
    for power in (9, 6, 3):
        if typical >= _EARLIEST_YEAR_2001 * 10**power:
            return times / 10**power
    return times
