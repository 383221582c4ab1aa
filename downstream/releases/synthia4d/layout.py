"""Where the frames of a Synthia4D release lie, and the split that papers use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pointcontrast.errors import InputError
from pointcontrast.files import read_json

Split = Literal["train", "validation", "test"]
_KEYS = {"train": "train", "validation": "val", "test": "test"}
_RUN = re.compile(r"(\d+)-(\d+)", re.ASCII)
_SEQUENCE = re.compile(r"[A-Za-z0-9-]+", re.ASCII)


def frame_files(release: Path, sequence: str, frame: str) -> tuple[Path, Path]:
    """The points of a frame, and its labels."""
    folder = release / sequence / "point_clouds"
    return folder / f"{frame}.ply", folder / f"{frame}_label.ply"


def read_split(path: Path, split: Split) -> dict[str, list[str]]:
    """The frames of a split by their sequences.

    The file holds split -> sequence -> runs of frame numbers, ``0-100,102-200``; the lists of
    ids that other programs keep load as well.

    Raises:
        InputError: the file is missing, or not of this form.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; the official split comes with the repository")
    value = read_json(path)
    found = value.get(_KEYS[split]) if isinstance(value, dict) else None
    if not isinstance(found, dict) or not found:
        raise InputError(f"{path} has no sequences under {_KEYS[split]!r}")
    sequences: dict[str, list[str]] = {}
    for sequence, frames in found.items():
        if not _SEQUENCE.fullmatch(sequence):  # a name from a file must never lead elsewhere
            raise InputError(f"{path}: {sequence!r} is no name of a sequence")
        sequences[sequence] = list(_frames(path, sequence, frames))
    return sequences


def _frames(path: Path, sequence: str, frames: object) -> Iterator[str]:
    if isinstance(frames, str):
        for run in frames.split(","):
            match = _RUN.fullmatch(run)
            if not match:
                raise InputError(f"{path}: {sequence} has {run!r}, not a run such as 0-100")
            for number in range(int(match[1]), int(match[2]) + 1):
                yield f"{number:06d}"
    elif isinstance(frames, list) and all(isinstance(f, str) and f.isdigit() for f in frames):
        yield from frames
    else:
        raise InputError(f"{path}: {sequence} has neither runs of frames nor a list of ids")
