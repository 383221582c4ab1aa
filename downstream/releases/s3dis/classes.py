"""The classes of S3DIS, and what an annotation file is of."""

from __future__ import annotations

import re
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

_FILE_NAME = re.compile(r"([A-Za-z]+)_(\d+)")


def class_row(path: Path) -> int:
    """The class of an annotation file, by its name: ``chair_3.txt``.

    Returns:
        A row of ``CLASS_NAMES``; -1 for what is ignored.

    Raises:
        InputError: the name is not ``<class>_<number>.txt`` with a known class.
    """
    match = _FILE_NAME.fullmatch(path.stem)
    name = match.group(1).lower() if match else ""
    if name in IGNORED:
        return -1
    if name not in CLASS_NAMES:
        raise InputError(
            f"{path}: the name says no known class; it must be <class>_<number>.txt with one of "
            f"{', '.join((*CLASS_NAMES, *IGNORED))}"
        )
    return CLASS_NAMES.index(name)
