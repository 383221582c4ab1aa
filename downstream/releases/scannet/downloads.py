"""Files of the release to download for each purpose: 20 GB may do in place of 1.2 TB.

Sizes are quoted from these sources:

- the whole release: 1.2 TB, according to its download script (Yang7879/3D-BoNet issue 34)
- all ``.sens``: "~80%" of the release (facebookresearch/votenet issue 7), so about 1 TB
- ``_vh_clean_2.ply`` and ``_vh_clean_2.labels.ply`` of all scans: 20 GB (lyqun/FPConv issue 8,
  DylanWusee/pointconv issue 2); with ``segs.json`` and ``aggregation.json`` still about 20 GB
  (thangvubk/SoftGroup issue 81)
- ``_vh_clean_2.ply``, ``.txt``, ``segs.json`` and ``aggregation.json``: 10.6 GB
  (daveredrum/ScanRefer, data/scannet/README.md)

The size of a split is estimated from its number of scans and the mean size of a scan.
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
    """Files for a purpose.

    Attributes:
        endings: Endings of a scan's files, as ``--type`` of the official script takes them.
        test_endings: Endings that the hidden test scans have.
        label_map: Whether ``scannetv2-labels.combined.tsv`` is needed.
        gigabytes: Size for all 1613 scans.
        note: Further information.
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
        "The streams have depth, colour and pose of every frame; only every 25th is read.",
    ),
    "pairs-depth-only": Download(
        (SENS,),
        (SENS,),
        False,
        1000,
        "The release has no depth without colour, so the download is the same as for pairs; colour "
        "is skipped when the file is read. The download for crops is smaller.",
    ),
    "crops": Download(
        (MESH, INFO),
        (MESH, INFO),
        False,
        10.6,
        "Views without .sens: crops of the reconstruction (scenes --no-labels). The size includes "
        "segs.json and aggregation.json, so it is an upper bound.",
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
        f"For detection and instances: objects and boxes. {LABELS} may be left out; classes then "
        "come from the objects.",
    ),
}
PURPOSES: tuple[Purpose, ...] = tuple(DOWNLOADS)


def download_list(
    purpose: Purpose, split: Split, ids: Sequence[str], *, files: bool = False
) -> str:
    """Return the download commands for a purpose.

    Args:
        purpose: Purpose of the download.
        split: Split of the scans.
        ids: Ids of the split.
        files: Whether to list every single file, one per line.

    Raises:
        InputError: There are no ids.
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
        f"{_rounded(each * len(ids))}; {_rounded(each)} per scan on average, about "
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
    """Format a size with two significant digits, since it is an estimate."""
    for unit, factor in (("TB", 1e-3), ("GB", 1.0), ("MB", 1e3)):
        if gigabytes * factor >= 1:
            return f"{float(f'{gigabytes * factor:.2g}'):g} {unit}"
    return "under 1 MB"
