"""Classes of ScanNet: NYU40 ids in the files, rows of 20 class names in labelled scenes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NUM_NYU40 = 40
"""Number of NYU40 ids, from 1 to 40; 0 is unannotated."""

CLASSES: dict[int, str] = {
    1: "wall",
    2: "floor",
    3: "cabinet",
    4: "bed",
    5: "chair",
    6: "sofa",
    7: "table",
    8: "door",
    9: "window",
    10: "bookshelf",
    11: "picture",
    12: "counter",
    14: "desk",
    16: "curtain",
    24: "refrigerator",
    28: "shower curtain",
    33: "toilet",
    34: "sink",
    36: "bathtub",
    39: "otherfurniture",
}
"""NYU40 id -> name, for the 20 classes of the benchmark. All other ids are ignored."""

CLASS_NAMES: tuple[str, ...] = tuple(CLASSES.values())

DETECTION_CLASS_NAMES: tuple[str, ...] = CLASS_NAMES[2:]
"""The 18 classes of detection: all except wall and floor."""

# ScanNet/ScanNet issue 20; the released code sets the same ids to 0 (reference: PointContrast,
# downstream/semseg/lib/datasets/preprocessing/scannet.py)
BOGUS_IDS: dict[str, int] = {"scene0270_00": 50, "scene0270_02": 50, "scene0384_00": 149}
"""Scan -> invalid id in its ``labels.ply``, outside NYU40."""


def class_rows(nyu40: NDArray[np.integer]) -> NDArray[np.int32]:
    """Convert NYU40 ids to rows of ``CLASS_NAMES``.

    Args:
        nyu40: Ids (N,), 0..40.

    Returns:
        Rows (N,) int32, -1 for ids outside the 20 classes.
    """
    rows = np.full(NUM_NYU40 + 1, -1, dtype=np.int32)
    rows[list(CLASSES)] = np.arange(len(CLASSES))
    return rows[nyu40]
