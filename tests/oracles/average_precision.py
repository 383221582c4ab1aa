"""Average precision as VOC defines it, scene by scene and detection by detection."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Scene = tuple[Sequence[tuple[float, int, Any]], Sequence[tuple[int, Any]]]
"""Detections (score, class, box) and truth (class, box)."""


def voc_average_precision(
    scenes: Sequence[Scene],
    wanted: int,
    threshold: float,
    overlap: Callable[[Any, Any], float],
    eleven: bool = False,
) -> float:
    """Of one class; NaN where it has no truth. Scores must all be different."""
    found = [
        (score, number, box)
        for number, (detections, _) in enumerate(scenes)
        for score, row, box in detections
        if row == wanted
    ]
    truth = {
        number: [box for row, box in boxes if row == wanted]
        for number, (_, boxes) in enumerate(scenes)
    }
    total = sum(map(len, truth.values()))
    if not total:
        return math.nan
    taken: set[tuple[int, int]] = set()
    hits = 0
    curve = []
    for count, (_, number, box) in enumerate(sorted(found, key=lambda f: -f[0]), start=1):
        overlaps = [overlap(box, other) for other in truth[number]]
        if overlaps and max(overlaps) > threshold:
            key = (number, overlaps.index(max(overlaps)))
            if key not in taken:
                taken.add(key)
                hits += 1
        curve.append((hits / total, hits / count))
    if eleven:
        return sum(max((p for r, p in curve if r >= i / 10), default=0.0) for i in range(11)) / 11
    area, before = 0.0, 0.0
    for row, (recall, _) in enumerate(curve):
        area += (recall - before) * max(p for _, p in curve[row:])
        before = recall
    return area
