"""Files and folders of Synthia4D, and the split of published results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from downstream.releases.file_names import in_any_case
from pointcontrast.errors import InputError
from pointcontrast.files import read_json

Split = Literal["train", "validation", "test"]
_KEYS = {"train": "train", "validation": "val", "test": "test"}
_RANGE = re.compile(r"(\d+)-(\d+)", re.ASCII)
_FRAME = re.compile(r"\d+(_label)?\.ply", re.ASCII | re.IGNORECASE)
_SEQUENCE = re.compile(r"[A-Za-z0-9-]+", re.ASCII)


def frame_files(release: Path, sequence: str, frame: str) -> tuple[Path, Path]:
    """Return the paths of a frame's points and labels."""
    folder = release / sequence / "point_clouds"
    return in_any_case(folder / f"{frame}.ply"), in_any_case(folder / f"{frame}_label.ply")


def is_frame_file(name: str) -> bool:
    """Return whether a name is that of a frame's points or labels."""
    return _FRAME.fullmatch(name) is not None


def read_split(path: Path, split: Split) -> dict[str, list[str]]:
    """Read the frames of a split.

    The file has split -> sequence -> ranges of frame numbers, ``0-100,102-200``, or lists of ids
    as in other programs.

    Returns:
        Sequence -> frames.

    Raises:
        InputError: The file is missing or has another form.
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
            raise InputError(f"{path}: {sequence!r} is not the name of a sequence")
        sequences[sequence] = list(_frames(path, sequence, frames))
    return sequences


def _frames(path: Path, sequence: str, frames: object) -> Iterator[str]:
    if isinstance(frames, str):
        for piece in frames.split(","):
            match = _RANGE.fullmatch(piece)
            if not match:
                raise InputError(f"{path}: {sequence} has {piece!r}, not a range such as 0-100")
            for number in range(int(match[1]), int(match[2]) + 1):
                yield f"{number:06d}"
    elif isinstance(frames, list) and all(isinstance(f, str) and f.isdigit() for f in frames):
        yield from frames
    else:
        raise InputError(f"{path}: {sequence} has neither ranges of frames nor a list of ids")
