"""What every reader of registered recordings offers: posed RGB-D, posed sweeps."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.types import Frame, Sweep


class FrameError(InputError):
    """One frame cannot be used; the rest of its sequence may be fine.

    The caller leaves the frame out, and counts and lists it with this reason.
    """


class PosedSequence(ABC):
    """Posed frames or sweeps of one scene, in one world frame; they are read one at a time.

    Attributes:
        layout: name of the layout on disk.
        name: name of the sequence, for messages.
        folder: where it lies; a file, where one file is the whole scene.
        frame_ids: names of all frames, unique, in order, also of those that turn out unusable.
        up: (3,) float64 unit vector, the world's up direction where the source states it, or
            None.
        problem: what is wrong with the recording as a whole though frames of it can be read, in
            words, naming the file; or None.
    """

    layout: str
    name: str
    folder: Path
    frame_ids: tuple[str, ...]
    up: NDArray[np.float64] | None = None
    problem: str | None = None

    def __len__(self) -> int:
        """The number of frames, usable or not."""
        return len(self.frame_ids)

    @abstractmethod
    def read(self, index: int) -> Frame | Sweep:
        """Read one frame or sweep.

        Raises:
            FrameError: this frame cannot be used; the message names the file and the reason.
        """

    @abstractmethod
    def files(self) -> list[Path]:
        """Every file that the frames are read from, in a fixed order."""

    def fingerprint(self) -> str:
        """SHA-256 over the names and sizes of the files: differs if the source was changed.

        The contents are not read: that would take as long as the work it may save.
        """
        digest = hashlib.sha256()
        base = f"{self.folder.parent}{os.sep}"
        for path in self.files():
            name = str(path)
            # quicker than relpath(), which is for those that lie beside the folder
            name = name[len(base) :] if name.startswith(base) else os.path.relpath(name, base)
            digest.update(f"{name} {os.stat(path).st_size}\n".encode())
        return digest.hexdigest()


class Layout(PosedSequence):
    """A :class:`PosedSequence` in one layout on disk, listed in :mod:`.layouts`.

    Attributes:
        description: of the layout in words, for messages.
        is_file: whether a scene is one file, not a folder.
    """

    description: ClassVar[str]
    is_file: ClassVar[bool] = False

    @staticmethod
    @abstractmethod
    def recognises(folder: Path) -> bool:
        """Whether ``folder`` (a file, where ``is_file``) is in this layout; a quick look."""

    @abstractmethod
    def __init__(self, folder: Path, intrinsics: NDArray[np.float64] | None = None) -> None:
        """Open a scene; no frame is read.

        Args:
            folder: the folder or file.
            intrinsics: (3, 3) pinhole matrix of the depth images, in place of the scene's own.

        Raises:
            InputError: the scene cannot be used as a whole.
        """


class MergedSequence(PosedSequence):
    """Several sequences that share one world frame, as one.

    A frame is named by its sequence's folder (relative to ``folder``) and its own name.
    """

    def __init__(self, folder: Path, sequences: Sequence[PosedSequence]) -> None:
        """Join ``sequences``, all below ``folder``.

        Raises:
            InputError: the sequences state different up directions.
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
        self.problem = "; ".join(each.problem for each in sequences if each.problem) or None

    def read(self, index: int) -> Frame | Sweep:
        """Read frame ``index`` of all; see :meth:`PosedSequence.read`."""
        sequence, row = self._rows[index]
        return replace(self._sequences[sequence].read(row), frame_id=self.frame_ids[index])

    def files(self) -> list[Path]:
        """The files of all sequences."""
        return [path for sequence in self._sequences for path in sequence.files()]
