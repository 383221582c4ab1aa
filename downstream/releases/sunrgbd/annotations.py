"""Annotated objects and their boxes, shared by both forms of the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from downstream.boxes.geometry import points_in_boxes
from downstream.releases.sunrgbd.classes import CLASS_NAMES


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """Annotated object, in the upright frame of its image.

    Attributes:
        class_name: Class, one of more than a thousand.
        center: Centre, metres from the camera: x right, y forward, z up.
        half_sizes: Half sizes across the heading, along it and upwards, metres; some are negative
            in the release.
        orientation: x and y of the heading, not normalized.
        rectangle: Left, top, width and height in the picture, pixels; None if unknown.
    """

    class_name: str
    center: tuple[float, float, float]
    half_sizes: tuple[float, float, float]
    orientation: tuple[float, float]
    rectangle: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class ImageBoxes:
    """Boxes of an image.

    Attributes:
        boxes: Boxes (K, 8) float32 with columns ``BOX_COLUMNS``.
        rectangles: Rectangle of each box.
        left_out: Class -> number of annotations, for all other classes.
        num_degenerate: Number of annotations left out because they lack a size, centre or heading.
        num_empty: Number of boxes that contain no point; they are kept, as in VoteNet.
    """

    boxes: NDArray[np.float32]
    rectangles: list[tuple[float, float, float, float] | None]
    left_out: dict[str, int] = field(default_factory=dict)
    num_degenerate: int = 0
    num_empty: int = 0


def has_boxes(annotations: Sequence[Annotation]) -> bool:
    """Return whether an object of the ten classes is annotated."""
    return any(annotation.class_name in CLASS_NAMES for annotation in annotations)


def boxes_of(annotations: Sequence[Annotation], points: NDArray[np.floating]) -> ImageBoxes:
    """Convert the annotations of the ten classes to boxes.

    ``half_sizes`` are VoteNet's w, l, h (facebookresearch/votenet ``sunrgbd/sunrgbd_utils.py``).
    l is along the orientation and becomes ``size_x``. Signs are dropped, as in
    ``extract_rgbd_data_v2.m``. The yaw is counter-clockwise, VoteNet's is clockwise.

    Args:
        annotations: Annotations of an image.
        points: Points (N, 3) of the image, to count empty boxes.
    """
    rows: list[list[float]] = []
    rectangles = []
    left_out: Counter[str] = Counter()
    num_degenerate = 0
    for found in annotations:
        if found.class_name not in CLASS_NAMES:
            left_out[found.class_name] += 1
            continue
        half = np.abs(found.half_sizes)
        x, y = found.orientation
        known = np.isfinite([*found.center, *half, x, y]).all()
        if not known or not (half > 0).all() or (x == 0 and y == 0):
            num_degenerate += 1
            continue
        width, length, height = 2 * half
        row = CLASS_NAMES.index(found.class_name)
        rows.append([*found.center, length, width, height, np.arctan2(y, x), row])
        rectangles.append(found.rectangle)
    boxes = np.array(rows, dtype=np.float32).reshape(-1, 8)
    return ImageBoxes(
        boxes=boxes,
        rectangles=rectangles,
        left_out=dict(left_out),
        num_degenerate=num_degenerate,
        num_empty=int((~points_in_boxes(points, boxes).any(axis=0)).sum()),
    )
