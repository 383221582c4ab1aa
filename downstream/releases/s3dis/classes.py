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
_COPY = re.compile(r" ?\(\d+\)")


@dataclass(frozen=True)
class AnnotationName:
    """Parsed name of an annotation file.

    Attributes:
        row: Row of ``CLASS_NAMES``; -1 if ignored.
        proper: Correct name of the file, such as ``chair_3.txt``.
        is_copy: Whether the name is the correct one with a number in parentheses, as file managers
            name copies.
    """

    row: int
    proper: str
    is_copy: bool


def read_annotation_name(path: Path) -> AnnotationName:
    """Parse the name of an annotation file, such as ``chair_3.txt``.

    Upper case, known misspellings and text after the number are accepted.

    Raises:
        InputError: The name is not ``<class>_<number>.txt`` with a known class.
    """
    match = _FILE_NAME.fullmatch(path.stem)
    name = match.group(1).lower() if match else ""
    name = MISSPELT.get(name, name)
    if match is None or name not in CLASS_NAMES + IGNORED:
        raise InputError(
            f"{path}: the name has no known class; it must be <class>_<number>.txt with one of "
            f"{', '.join((*CLASS_NAMES, *IGNORED))}"
        )
    return AnnotationName(
        row=-1 if name in IGNORED else CLASS_NAMES.index(name),
        proper=f"{name}_{match.group(2)}.txt",
        is_copy=_COPY.fullmatch(match.group(3)) is not None,
    )
