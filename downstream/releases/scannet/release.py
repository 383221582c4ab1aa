"""What lies where in a ScanNet v2 release, and the official splits."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pointcontrast.errors import InputError

SCANS = "scans"
TEST_SCANS = "scans_test"
LABEL_MAP = "scannetv2-labels.combined.tsv"

SENS = ".sens"
INFO = ".txt"
MESH = "_vh_clean_2.ply"
LABELS = "_vh_clean_2.labels.ply"
SEGMENTS = "_vh_clean_2.0.010000.segs.json"
AGGREGATION = ".aggregation.json"
FINE_AGGREGATION = "_vh_clean.aggregation.json"
"""Its segments are those of the fine mesh (``_vh_clean.segs.json``), which we do not read."""

Split = Literal["train", "val", "test", "trainval"]
SPLITS: tuple[Split, ...] = ("train", "val", "test", "trainval")

_SCAN_ID = re.compile(r"scene\d{4}_\d{2}", re.ASCII)


def check_scan_id(name: str, where: str) -> str:
    """Return ``name`` if it is a scan's id: names from files must never lead anywhere else.

    Raises:
        InputError: it is not ``scene`` + 4 digits + ``_`` + 2 digits.
    """
    if not _SCAN_ID.fullmatch(name):
        raise InputError(f"{where}: {name!r} is not a scan's id, such as scene0000_00")
    return name


def is_test_scan(scan: Path) -> bool:
    """Whether a scan's folder is one of the hidden test set's, which has no labels."""
    return scan.parent.name == TEST_SCANS


def scan_file(scan: Path, ending: str) -> Path:
    """The path of one file of the scan in folder ``scan``."""
    return scan / f"{scan.name}{ending}"


def read_split(folder: Path, split: Split) -> tuple[str, ...]:
    """The ids of a split, in the order of its file.

    Args:
        folder: of ``scannetv2_train.txt``, ``scannetv2_val.txt`` and ``scannetv2_test.txt``.
        split: trainval is train, then val: all of ``scans/``, which the authors pretrain on.

    Raises:
        InputError: a file is missing, or a line is not a scan's id.
    """
    ids: list[str] = []
    for part in ("train", "val") if split == "trainval" else (split,):
        path = folder / f"scannetv2_{part}.txt"
        try:
            words = path.read_text(encoding="utf-8").split()
        except FileNotFoundError:
            raise InputError(f"{path} does not exist; it comes with the repository") from None
        ids += [check_scan_id(word, str(path)) for word in words]
    return tuple(ids)


def find_scans(release: Path, ids: Collection[str] | None = None) -> list[Path]:
    """Find the scans' folders of a release, sorted by id.

    Args:
        release: the folder that holds ``scans`` or ``scans_test`` or both, or one of these.
        ids: those wanted; None takes all. Some may be missing: who downloads a part wants a
            part.

    Raises:
        InputError: ``release`` is not there or holds none of them.
    """
    if not release.is_dir():
        raise InputError(f"{release} is not a folder; give the folder of the ScanNet release")
    roots = [release / name for name in (SCANS, TEST_SCANS) if (release / name).is_dir()]
    wanted = None if ids is None else frozenset(ids)
    found = [
        path
        for root in roots or [release]
        for path in root.iterdir()
        if _SCAN_ID.fullmatch(path.name)
        and path.is_dir()
        and (wanted is None or path.name in wanted)
    ]
    if not found:
        which = "no scan" if wanted is None else f"none of the {len(wanted)} scans asked for"
        raise InputError(
            f"{release} holds {which}; it must have folders {SCANS}/scene0000_00 and so on "
            f"({TEST_SCANS}/ for the test split)"
        )
    return sorted(found, key=lambda path: path.name)


def label_map_path(scan: Path) -> Path:
    """Where the release of a scan keeps the map from raw categories to NYU40."""
    return scan.parent.parent / LABEL_MAP
