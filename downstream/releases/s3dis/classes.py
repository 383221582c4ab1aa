"""The classes of S3DIS, and what an annotation file is of."""

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
"""The 13 classes. Their order moves no figure. SpatioTemporalSegmentation
(``lib/datasets/stanford.py``) has ``stairs`` among them, at 10, and ignores it."""

IGNORED = ("stairs",)
"""Annotated, but of no class: its points become -1. Other work calls them clutter."""

MISSPELT = {"staris": "stairs"}
"""Misspelt class -> class. One reader of the release speaks of ``staris`` (reference:
charlesq34/pointnet, ``sem_seg/indoor3d_util.py``), another of ``stairs`` (HuguesTHOMAS/KPConv,
``datasets/S3DIS.py``)."""

_FILE_NAME = re.compile(r"([A-Za-z]+)_(\d+)(.*)")
_COPY = re.compile(r" ?\(\d+\)")


@dataclass(frozen=True)
class AnnotationName:
    """What the name of an annotation file says.

    Attributes:
        row: a row of ``CLASS_NAMES``; -1 for what is ignored.
        proper: how the file should be called, such as ``chair_3.txt``.
        is_copy: the name is the proper one with a number in parentheses, as a copy gets it.
    """

    row: int
    proper: str
    is_copy: bool


def read_annotation_name(path: Path) -> AnnotationName:
    """What an annotation file is of, by its name: ``chair_3.txt``.

    Another case, a known misspelling and text after the number are taken; a class that is not
    known is not, and neither is a name without a number.

    Raises:
        InputError: the name is not ``<class>_<number>.txt`` with a known class.
    """
    match = _FILE_NAME.fullmatch(path.stem)
    name = match.group(1).lower() if match else ""
    name = MISSPELT.get(name, name)
    if match is None or name not in CLASS_NAMES + IGNORED:
        raise InputError(
            f"{path}: the name says no known class; it must be <class>_<number>.txt with one of "
            f"{', '.join((*CLASS_NAMES, *IGNORED))}"
        )
    return AnnotationName(
        row=-1 if name in IGNORED else CLASS_NAMES.index(name),
        proper=f"{name}_{match.group(2)}.txt",
        is_copy=_COPY.fullmatch(match.group(3)) is not None,
    )
