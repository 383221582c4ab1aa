"""Files and folders of a ScanNet v2 release, and the official splits."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from downstream.releases.file_names import in_any_case, left_out_lines, others_in
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
"""Objects as segments of the fine mesh (``_vh_clean.segs.json``); not read."""

Split = Literal["train", "val", "test", "trainval"]
SPLITS: tuple[Split, ...] = ("train", "val", "test", "trainval")

_FIRST_TEST_PLACE = 707
_SCAN_ID = re.compile(r"scene\d{4}_\d{2}", re.ASCII)


def check_scan_id(name: str, where: str) -> str:
    """Return ``name`` if it is a scan's id, so that a name from a file never leads elsewhere.

    Raises:
        InputError: It is not ``scene`` + 4 digits + ``_`` + 2 digits.
    """
    if not _SCAN_ID.fullmatch(name):
        raise InputError(f"{where}: {name!r} is not a scan's id, such as scene0000_00")
    return name


def is_test_scan(scan: Path) -> bool:
    """Return whether a folder is a scan of the hidden test set, which has no labels.

    The test scans are those of the places from 707 on, in whichever folder they are.
    """
    is_numbered = _SCAN_ID.fullmatch(scan.name) is not None
    return scan.parent.name == TEST_SCANS or (
        is_numbered and int(scan.name[5:9]) >= _FIRST_TEST_PLACE
    )


def scan_file(scan: Path, ending: str) -> Path:
    """Return the path of a file of the scan in folder ``scan``; its name may differ in case."""
    return in_any_case(scan / f"{scan.name}{ending}")


def read_split(folder: Path, split: Split) -> tuple[str, ...]:
    """Read the ids of a split, in the order of its file.

    Args:
        folder: Folder of ``scannetv2_train.txt``, ``scannetv2_val.txt`` and ``scannetv2_test.txt``.
        split: Split. trainval is train followed by val, all of ``scans/``, which the authors
            pretrain on.

    Raises:
        InputError: A file is missing, or a line is not a scan's id.
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
    """Find the folders of scans, sorted by id.

    Args:
        release: Folder with ``scans``, ``scans_test`` or both, or one of these two.
        ids: Ids to find, of which some may be missing; None is all.

    Raises:
        InputError: ``release`` does not exist or has none of the scans.
    """
    if not release.is_dir():
        raise InputError(f"{release} is not a folder; give the folder of the ScanNet release")
    roots = _roots(release)
    wanted = None if ids is None else frozenset(ids)
    found = [
        path
        for root in roots
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


def names_left_out(release: Path) -> list[str]:
    """Return lines that list the folders beside the scans whose names are not those of scans."""
    others = [
        path
        for root in _roots(release)
        for path in others_in(root, lambda path: _SCAN_ID.fullmatch(path.name) is not None)
        if "scene" in path.name.lower()
    ]
    return left_out_lines(release, others, "scene<4 digits>_<2 digits>")


def _roots(release: Path) -> list[Path]:
    """Return the folders of scans: those of the release, or it itself."""
    roots = [release / name for name in (SCANS, TEST_SCANS) if (release / name).is_dir()]
    return roots or [release]


def label_map_path(scan: Path) -> Path:
    """Return the path of the label map in the release of a scan."""
    return scan.parent.parent / LABEL_MAP
