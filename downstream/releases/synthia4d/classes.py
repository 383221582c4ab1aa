"""Classes of Synthia4D."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NUM_LABELS = 16

LABELS: dict[int, str] = {
    2: "building",
    3: "road",
    4: "sidewalk",
    5: "fence",
    6: "vegetation",
    7: "pole",
    8: "car",
    9: "traffic sign",
    10: "pedestrian",
    11: "bicycle",
    12: "lane marking",
    15: "traffic light",
}
"""Label of the release -> class. Void (0), sky (1) and the reserved 13 and 14 are ignored
(SpatioTemporalSegmentation ``lib/datasets/synthia.py``)."""

CLASS_NAMES: tuple[str, ...] = tuple(LABELS.values())


def class_rows(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Convert labels 0..15 (N,) to rows of ``CLASS_NAMES`` (N,) int32, -1 for ignored ones."""
    rows = np.full(NUM_LABELS, -1, dtype=np.int32)
    rows[list(LABELS)] = np.arange(len(LABELS))
    return rows[labels]
