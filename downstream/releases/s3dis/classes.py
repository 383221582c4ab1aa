"""Classes of S3DIS, and names of annotation files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pointcontrast.errors import InputError

CLASS_NAMES: tuple[str, ...] = (
    "ceiling",
    "floor",
    "wall",
    "beam",
    "column",
    "window",
    "door",
    "table",
    "chair",
    "sofa",
    "bookcase",
    "board",
    "clutter",
)
"""The 13 classes. Metrics do not depend on their order. SpatioTemporalSegmentation
(``lib/datasets/stanford.py``) also lists ``stairs``, at 10, and ignores it."""

IGNORED = ("stairs",)
"""Annotated but ignored: points become -1. Other work labels them clutter."""

MISSPELT = {"staris": "stairs"}
"""Misspelt class -> class. One reader of the release has ``staris`` (reference:
charlesq34/pointnet, ``sem_seg/indoor3d_util.py``), another ``stairs`` (HuguesTHOMAS/KPConv,
``datasets/S3DIS.py``)."""

_FILE_NAME = re.compile(r"([A-Za-z]+)_(\d+)(.*)")
_WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True)
class AnnotationName:
    """Parsed name of an annotation file.

    Attributes:
        row: Row of ``CLASS_NAMES``; -1 if ignored.
        proper: Correct name of the file, such as ``chair_3.txt``.
        more: Text after the number, such as `` (1)``; empty in a correct name.
    """

    row: int
    proper: str
    more: str = ""


def read_annotation_name(path: Path) -> AnnotationName | None:
    """Parse the name of an annotation file, such as ``chair_3.txt``.

    Upper case, known misspellings and text after the number are accepted.

    Returns:
        The parsed name; None for a file that is no annotation by its name, such as ``notes.txt`` or
        ``chair_3.txt~``.

    Raises:
        InputError: The name is ``<word>_<number>.txt`` of an unknown class, or that of a class
            without a number: an object may be meant.
    """
    if path.suffix.lower() != ".txt" or path.name.startswith("."):
        return None
    match = _FILE_NAME.fullmatch(path.stem)
    word = _WORD.match(path.stem)
    name = word.group().lower() if word else ""
    name = MISSPELT.get(name, name)
    if match is not None and name in CLASS_NAMES + IGNORED:
        row = -1 if name in IGNORED else CLASS_NAMES.index(name)
        return AnnotationName(row, f"{name}_{match.group(2)}.txt", match.group(3))
    if name in CLASS_NAMES + IGNORED or (match is not None and not match.group(3)):
        raise InputError(
            f"{path}: the name has no known class with a number; it must be <class>_<number>.txt "
            f"with one of {', '.join((*CLASS_NAMES, *IGNORED))}: rename or remove the file"
        )
    return None
