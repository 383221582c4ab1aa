"""Which files of the release each purpose needs, so that nobody fetches 1.2 TB for 20 GB.

Sizes are other people's figures, rounded as they gave them:

- the whole release: 1.2 TB, as its download script warns (quoted in Yang7879/3D-BoNet issue 34)
- all ``.sens``: "~80%" of the release (facebookresearch/votenet issue 7), so about 1 TB
- ``_vh_clean_2.ply`` and ``_vh_clean_2.labels.ply`` of all scans: 20 GB (lyqun/FPConv issue 8,
  DylanWusee/pointconv issue 2); with ``segs.json`` and ``aggregation.json`` still about 20 GB
  (thangvubk/SoftGroup issue 81)
- ``_vh_clean_2.ply``, ``.txt``, ``segs.json`` and ``aggregation.json``: 10.6 GB
  (daveredrum/ScanRefer, data/scannet/README.md)

A split's share is estimated by its number of scans, and a scan's as the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from downstream.releases.scannet.release import (
    AGGREGATION,
    INFO,
    LABEL_MAP,
    LABELS,
    MESH,
    SCANS,
    SEGMENTS,
    SENS,
    TEST_SCANS,
    Split,
)
from pointcontrast.errors import InputError

Purpose = Literal["pairs", "pairs-depth-only", "crops", "scenes", "detection"]
NUM_SCANS = 1613
_HOW_TO = (
    "The download script comes from the ScanNet authors once you have signed their terms of use "
    "(http://www.scan-net.org); this repository has neither."
)


@dataclass(frozen=True)
class Download:
    """What one purpose needs.

    Attributes:
        endings: of each scan's files, as the official script's ``--type`` takes them.
        test_endings: those that the hidden test scans have.
        label_map: whether ``scannetv2-labels.combined.tsv`` is needed.
        gigabytes: of all 1613 scans.
        note: what else to know.
    """

    endings: tuple[str, ...]
    test_endings: tuple[str, ...]
    label_map: bool
    gigabytes: float
    note: str


DOWNLOADS: dict[Purpose, Download] = {
    "pairs": Download(
        (SENS,),
        (SENS,),
        False,
        1000,
        "The streams hold depth, colour and poses of every frame; only every 25th is read.",
    ),
    "pairs-depth-only": Download(
        (SENS,),
        (SENS,),
        False,
        1000,
        "The release has no depth without colour, so this is the same download: colour is passed "
        "over when the file is read, not when it is fetched. For less, take crops.",
    ),
    "crops": Download(
        (MESH, INFO),
        (MESH, INFO),
        False,
        10.6,
        "Views without .sens: crops of the reconstruction (scenes --no-labels). The size is of "
        "these with segs.json and aggregation.json, so an upper bound.",
    ),
    "scenes": Download(
        (MESH, LABELS, INFO),
        (MESH, INFO),
        False,
        20,
        "For segmentation: a class per vertex, no objects.",
    ),
    "detection": Download(
        (MESH, LABELS, SEGMENTS, AGGREGATION, INFO),
        (MESH, INFO),
        True,
        20,
        f"For detection and instances: objects and boxes too. {LABELS} may be left out: classes "
        "then come from the objects.",
    ),
}
PURPOSES: tuple[Purpose, ...] = tuple(DOWNLOADS)


def download_list(
    purpose: Purpose, split: Split, ids: Sequence[str], *, files: bool = False
) -> str:
    """Say what to download for a purpose.

    Args:
        purpose: what for.
        split: of which scans.
        ids: the ids of the split.
        files: name every single file too, one a line.

    Raises:
        InputError: there are no ids.
    """
    if not ids:
        raise InputError(f"the split {split} has no scans")
    needed, is_test = DOWNLOADS[purpose], split == "test"
    endings = needed.test_endings if is_test else needed.endings
    label_map = needed.label_map and not is_test
    folder = TEST_SCANS if is_test else SCANS
    count = "1 file" if len(endings) == 1 else f"{len(endings)} files"
    each = needed.gigabytes / NUM_SCANS
    lines = [
        f"# {purpose}, {split}: {len(ids)} scans of {count}, about "
        f"{_rounded(each * len(ids))}; {_rounded(each)} a scan on average, and about "
        f"{_rounded(needed.gigabytes)} for all {NUM_SCANS} scans",
        f"# {needed.note}",
        f"# {_HOW_TO}",
        "",
    ]
    lines += [f"python download-scannet.py -o SCANNET --type {ending}" for ending in endings]
    if label_map:
        lines.append("python download-scannet.py -o SCANNET --label_map")
    if files:
        lines += ["", *([LABEL_MAP] if label_map else [])]
        lines += [f"{folder}/{scan}/{scan}{ending}" for scan in ids for ending in endings]
    return "\n".join(lines)


def _rounded(gigabytes: float) -> str:
    """A size with two figures: it is an estimate."""
    for unit, factor in (("TB", 1e-3), ("GB", 1.0), ("MB", 1e3)):
        if gigabytes * factor >= 1:
            return f"{float(f'{gigabytes * factor:.2g}'):g} {unit}"
    return "under 1 MB"
