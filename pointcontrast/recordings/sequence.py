"""The interface of every reader of registered recordings: posed frames and posed sweeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.fingerprint import fingerprint, relative_names
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.types import Frame, Sweep


class FrameError(InputError):
    """One frame cannot be used; the other frames of its sequence may be usable.

    The caller skips the frame and lists it with this reason.
    """


class PosedSequence(ABC):
    """Posed frames or sweeps of one scene in one world frame, read one at a time.

    Attributes:
        layout: Name of the layout on disk.
        name: Name of the sequence, for messages.
        folder: Folder of the sequence; a file if one file is the whole scene.
        frame_ids: Names of all frames, unique, in order, including frames that are unusable.
        up: (3,) float64 unit vector, the world's up direction if the source states it, or None.
        problem: Damage of the recording as a whole, though frames can be read, in one line that
            names the file; or None.
        notes: Readings that the files do not state themselves, one line each with the option that
            states otherwise; the commands print them.
    """

    layout: str
    name: str
    folder: Path
    frame_ids: tuple[str, ...]
    up: NDArray[np.float64] | None = None
    problem: str | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of frames, usable or not."""
        return len(self.frame_ids)

    @abstractmethod
    def read(self, index: int) -> Frame | Sweep:
        """Read one frame or sweep.

        Raises:
            FrameError: This frame cannot be used; the message names the file and the reason.
        """

    def read_geometry(self, index: int) -> Frame | Sweep:
        """Read one frame without its colours, where that is faster than :meth:`read`.

        Raises:
            FrameError: As :meth:`read`.
        """
        return self.read(index)

    def check_conventions(self) -> None:  # noqa: B027 - sources without a convention check none
        """Check that the views fit together as they are read; a few frames are read.

        Raises:
            InputError: They fit together under another convention of poses, axes, units or
                intrinsics, which is named with the option that states it, or under none.
        """

    @abstractmethod
    def files(self) -> list[Path]:
        """Return every file that the frames are read from, in a fixed order."""

    def fingerprint(self) -> str:
        """Return a digest of the files' names and contents, to detect a changed source.

        See :func:`pointcontrast.recordings.fingerprint.fingerprint`.
        """
        return fingerprint(relative_names(self.files(), self.folder))


class Layout(PosedSequence):
    """A :class:`PosedSequence` in one layout on disk, listed in :mod:`.layouts`.

    Attributes:
        description: Description of the layout, for messages.
        is_file: Whether a scene is one file instead of a folder.
    """

    description: ClassVar[str]
    is_file: ClassVar[bool] = False

    @staticmethod
    @abstractmethod
    def recognises(folder: Path) -> bool:
        """Check quickly whether ``folder`` (a file if ``is_file``) is in this layout."""

    @abstractmethod
    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a scene; no frame is read.

        Args:
            folder: Folder or file of the scene.
            options: Statements of the user about the recording; None makes none.

        Raises:
            InputError: The scene as a whole cannot be used.
        """


class MergedSequence(PosedSequence):
    """Several sequences in one world frame, joined.

    The name of a frame is the folder of its sequence, relative to ``folder``, and its own name.
    """

    def __init__(self, folder: Path, sequences: Sequence[PosedSequence]) -> None:
        """Join ``sequences``, all below ``folder``.

        Raises:
            InputError: The sequences state different up directions.
        """
        self.name = folder.name
        self.layout = " + ".join(sorted({sequence.layout for sequence in sequences}))
        self.folder = folder
        self._sequences = tuple(sequences)
        self._rows = [(s, i) for s, each in enumerate(sequences) for i in range(len(each))]
        self.frame_ids = tuple(
            f"{each.folder.relative_to(folder).as_posix()}/{frame_id}"
            for each in sequences
            for frame_id in each.frame_ids
        )
        stated = [each.up for each in sequences if each.up is not None]
        if any(float(up @ stated[0]) < 0.999 for up in stated):
            raise InputError(
                f"{folder}: its sequences state different up directions, so they do not share a "
                "world frame; prepare them without --merge, or pass --up x y z"
            )
        self.up = stated[0] if stated else None
        self.notes = tuple(dict.fromkeys(note for each in sequences for note in each.notes))
        self.problem = "; ".join(each.problem for each in sequences if each.problem) or None

    def read(self, index: int) -> Frame | Sweep:
        """Read frame ``index`` of the joined sequence; see :meth:`PosedSequence.read`."""
        sequence, row = self._rows[index]
        return replace(self._sequences[sequence].read(row), frame_id=self.frame_ids[index])

    def read_geometry(self, index: int) -> Frame | Sweep:
        """Read frame ``index`` without its colours."""
        sequence, row = self._rows[index]
        return replace(self._sequences[sequence].read_geometry(row), frame_id=self.frame_ids[index])

    def check_conventions(self) -> None:
        """Check each sequence."""
        for sequence in self._sequences:
            sequence.check_conventions()

    def files(self) -> list[Path]:
        """Return the files of all sequences."""
        return [path for sequence in self._sequences for path in sequence.files()]
