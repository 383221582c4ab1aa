"""Text files of poses, one row per frame; ``pose_rows`` has the forms of a row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.frame_order import order_by_number
from pointcontrast.recordings.frame_times import times_of_names
from pointcontrast.recordings.pose_rows import (
    NUMBERED,
    TIMED,
    checked_pose,
    read_row,
    read_rows,
)
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.recordings.text_files import split_words
from pointcontrast.recordings.time_association import poses_at

MAX_GAP = 0.06
"""Largest time between a frame and a pose, seconds: half a turn at 10 Hz and more."""
INTERPOLATE_WITHIN = 0.5
"""Longest time between two poses across which a frame between them is interpolated, seconds."""


class PoseFile:
    """The poses of a sequence.

    Rows without a name belong to the frames in order, if there are as many, or by number: row 0 is
    frame ``000000``, where there are more rows than frames and every frame's name is the number of
    a row. Rows that begin with a number belong to the frame of that number. Rows that begin with a
    time belong to the frames whose names are times, interpolated, and else to the frames in order.
    Empty lines and lines that start with ``#`` are ignored.

    Attributes:
        path: The file.
        notes: Readings that the file does not state itself, one line each.
    """

    def __init__(self, path: Path, frame_ids: Sequence[str], unit: str, place: Path) -> None:
        """Read the rows; their numbers are parsed on use.

        Args:
            path: The file.
            frame_ids: Names of the frames, ordered by number.
            unit: "frame" or "sweep", for messages.
            place: Folder of the frames, for messages.

        Raises:
            InputError: Unreadable, no way to tell which row belongs to which frame, or frames that
                are not in the order of their numbers.
        """
        self.path = path
        self.notes: tuple[str, ...] = ()
        self._frame_ids = tuple(frame_ids)
        self._unit = unit
        self._place = place
        self._rows = read_rows(path)
        self._timed: dict[int, NDArray[np.float64] | FrameError] = {}
        if order_by_number(self._frame_ids, place, unit) != list(self._frame_ids):
            raise InputError(
                f"{place}: its {unit}s are not in the order of their numbers, so that the order of "
                f"the rows of {path.name} is uncertain; pad the numbers with zeros"
            )
        self._row_of = self._assign()

    def pose(self, index: int) -> NDArray[np.float64]:
        """Return the (4, 4) matrix of frame ``index``.

        Raises:
            FrameError: There is no row of this frame, or it is no rigid transform.
        """
        recorded = self.recorded(index)
        if isinstance(recorded, FrameError):
            raise recorded
        return checked_pose(recorded, self.place(index))

    def recorded(self, index: int) -> NDArray[np.float64] | FrameError:
        """Return the numbers of frame ``index``, (4, 4), or the reason why they are none."""
        if index in self._timed:
            return self._timed[index]
        row = self._row_of.get(index)
        if row is None:
            return FrameError(f"{self.path} has no row of {self._unit} {self._frame_ids[index]}")
        try:
            return read_row(self._rows[row], self.place(index))
        except FrameError as error:
            return error

    def place(self, index: int) -> str:
        """File and row of frame ``index``, for messages."""
        name = f"{self._unit} {self._frame_ids[index]}"
        row = self._row_of.get(index)
        return f"{self.path}: {name}" if row is None else f"{self.path}: row {row + 1} ({name})"

    def _assign(self) -> dict[int, int]:
        """Return the row of each frame that has one."""
        frames, rows = len(self._frame_ids), len(self._rows)
        widths = {len(split_words(row)) for row in self._rows}
        if widths and widths <= set(NUMBERED):
            return self._by_own_number()
        if widths == {TIMED}:
            times = times_of_names(self._frame_ids)
            if times is not None:
                self._interpolate(times)
                return {}
        if rows == frames:
            return {index: index for index in range(frames)}
        numbers = [int(name) if name.isdecimal() else rows for name in self._frame_ids]
        if rows > frames > 0 and max(numbers) < rows:
            self.notes += (
                f"{self.path} has {rows} rows for {frames} {self._unit}s: each {self._unit} takes "
                "the row of its number, 0 the first",
            )
            return dict(enumerate(numbers))
        raise InputError(
            f"{self.path} has {rows} rows for {frames} {self._unit}s in {self._place}; give one "
            f"row per {self._unit}, or begin each row with the number of its {self._unit}"
        )

    def _by_own_number(self) -> dict[int, int]:
        row_of_number: dict[int, int] = {}
        for row, text in enumerate(self._rows):
            try:
                number = float(split_words(text)[0])
            except ValueError:
                number = np.nan
            where = f"{self.path}: row {row + 1}"
            if number != int(number if np.isfinite(number) else -1):
                raise InputError(f"{where} does not begin with the number of a {self._unit}")
            if row_of_number.setdefault(int(number), row) != row:
                raise InputError(f"{where}: there are two rows of {self._unit} {int(number)}")
        named = {i: name for i, name in enumerate(self._frame_ids) if name.isdecimal()}
        found = {i: row_of_number[int(n)] for i, n in named.items() if int(n) in row_of_number}
        if not found:
            raise InputError(
                f"{self.path} begins its rows with numbers, but no {self._unit} in {self._place} "
                "has the number of a row"
            )
        if len(found) < len(self._frame_ids):
            self.notes += (
                f"{self.path} has poses of {len(found)} of {len(self._frame_ids)} {self._unit}s; "
                "the others are left out",
            )
        return found

    def _interpolate(self, times: NDArray[np.float64]) -> None:
        """Set the poses of the frames from rows with times."""
        table: list[NDArray[np.float64]] = []
        stamps: list[float] = []
        for row, text in enumerate(self._rows):
            where = f"{self.path}: row {row + 1}"
            table.append(read_row(text, where))
            stamps.append(float(split_words(text)[0]))
        known = times_of_names([split_words(text)[0] for text in self._rows])
        known = np.array(stamps) if known is None else known
        poses = np.stack(table)
        at = poses_at(times, known, poses, MAX_GAP, interpolate_within=INTERPOLATE_WITHIN)
        if not at.found.any():
            raise InputError(
                f"{self.path}: none of its times is within {MAX_GAP} s of a {self._unit} in "
                f"{self._place} (the nearest differs by {at.gaps.min():.3g} s); do the names and "
                "the rows count from the same time?"
            )
        self._timed = {
            index: at.poses[index]
            if at.found[index]
            else FrameError(
                f"{self.path} has no pose within {MAX_GAP} s of {self._unit} "
                f"{self._frame_ids[index]} (the nearest differs by {at.gaps[index]:.3g} s)"
            )
            for index in range(len(times))
        }
        self.notes += (
            f"{self.path} holds times: the poses of {int(at.found.sum())} of {len(times)} "
            f"{self._unit}s are taken at the times in their names, {int(at.interpolated.sum())} "
            f"interpolated, the others at most {at.worst_gap:.3g} s away",
        )
