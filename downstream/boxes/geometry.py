"""Geometry of upright boxes: corners, points inside, overlaps, non-maximum suppression.

Columns are those of ``pointcontrast.labelled_scene_checks.BOX_COLUMNS``: centre, full sizes, yaw;
further columns are ignored. Metres and radians, NumPy, float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_SIGNS = np.array([(x, y, z) for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
EDGES = np.array([
    (0, 1), (1, 2), (2, 3), (3, 0),
    (4, 5), (5, 6), (6, 7), (7, 4),
    (0, 4), (1, 5), (2, 6), (3, 7),
])  # fmt: skip
"""(12, 2) rows of :func:`corners` that an edge joins."""

_PAIRS_AT_ONCE = 1 << 16  # bounds the memory of overlaps to about 100 MB


def corners(boxes: ArrayLike) -> Array:
    """Compute the corners (K, 8, 3), metres.

    The four of the bottom come first, counter-clockwise seen from above, then the four of the top.
    The second and third of each four are the front, where the box's own x is largest.
    """
    found = _checked(boxes)
    local = _SIGNS * found[:, None, 3:6] / 2
    cosine, sine = np.cos(found[:, 6, None]), np.sin(found[:, 6, None])
    x = cosine * local[..., 0] - sine * local[..., 1]
    y = sine * local[..., 0] + cosine * local[..., 1]
    return np.stack([x, y, local[..., 2]], axis=-1) + found[:, None, :3]


def points_in_boxes(points: ArrayLike, boxes: ArrayLike) -> NDArray[np.bool_]:
    """Mask (N, K) of the points (N, 3) inside each box, including its faces."""
    places, found = np.asarray(points, dtype=np.float64), _checked(boxes)
    inside = np.empty((len(places), len(found)), dtype=bool)
    for column, box in enumerate(found):
        local = places - box[:3]
        half = box[3:6] / 2
        cosine, sine = np.cos(box[6]), np.sin(box[6])
        x = cosine * local[:, 0] + sine * local[:, 1]
        y = cosine * local[:, 1] - sine * local[:, 0]
        inside[:, column] = (
            (np.abs(x) <= half[0]) & (np.abs(y) <= half[1]) & (np.abs(local[:, 2]) <= half[2])
        )
    return inside


def enclosing_boxes(boxes: ArrayLike) -> Array:
    """Compute the smallest axis-aligned box (K, 7) around each box."""
    found = _checked(boxes)[:, :7].copy()
    cosine, sine = np.abs(np.cos(found[:, 6])), np.abs(np.sin(found[:, 6]))
    x, y = found[:, 3].copy(), found[:, 4].copy()
    found[:, 3], found[:, 4], found[:, 6] = cosine * x + sine * y, sine * x + cosine * y, 0
    return found


def iou(boxes0: ArrayLike, boxes1: ArrayLike) -> Array:
    """Compute the intersection over union (N, M) of rotated boxes; 0 if a box has no volume.

    Raises:
        ValueError: a box is not finite, or has a negative size.
    """
    first, second = _checked(boxes0), _checked(boxes1)
    height = _shared_intervals(first, second, 2)
    # Boxes can only meet if their enclosing axis-aligned boxes do
    outer0, outer1 = enclosing_boxes(first), enclosing_boxes(second)
    meets = (_shared_intervals(outer0, outer1, 0) > 0) & (_shared_intervals(outer0, outer1, 1) > 0)
    rows, columns = np.nonzero(meets & (height > 0))
    shared = np.zeros((len(first), len(second)))
    for start in range(0, len(rows), _PAIRS_AT_ONCE):
        i, j = rows[start : start + _PAIRS_AT_ONCE], columns[start : start + _PAIRS_AT_ONCE]
        shared[i, j] = _shared_areas(first[i], second[j]) * height[i, j]
    return _over_union(shared, first, second)


def iou_axis_aligned(boxes0: ArrayLike, boxes1: ArrayLike) -> Array:
    """Compute :func:`iou` (N, M) of the enclosing axis-aligned boxes, as VoteNet suppresses by."""
    first, second = enclosing_boxes(boxes0), enclosing_boxes(boxes1)
    sides = [_shared_intervals(first, second, axis) for axis in range(3)]
    return _over_union(sides[0] * sides[1] * sides[2], first, second)


def suppress(
    boxes: ArrayLike,
    scores: ArrayLike,
    classes: ArrayLike | None = None,
    *,
    threshold: float = 0.25,
    oriented: bool = False,
) -> NDArray[np.int64]:
    """Non-maximum suppression: by descending score, keep boxes that overlap no kept box.

    VoteNet's rule (facebookresearch/votenet ``utils/nms.py nms_3d_faster_samecls``): the IoU of
    the enclosing axis-aligned boxes.

    Args:
        boxes: (P, >= 7).
        scores: (P,); ties are broken by the order of the boxes.
        classes: (P,); only boxes of the same class suppress each other. None: all do.
        threshold: IoU above which a box is suppressed.
        oriented: Take the IoU of the rotated boxes.

    Returns:
        (Q,) int64 rows, by descending score.

    Raises:
        ValueError: a box is invalid, a score is not finite, or the lengths differ.
    """
    found, values = _checked(boxes), np.asarray(scores, dtype=np.float64)
    groups = np.zeros(len(found)) if classes is None else np.asarray(classes)
    if values.shape != (len(found),) or groups.shape != (len(found),):
        raise ValueError(
            f"{len(found)} boxes, scores {values.shape} and classes {groups.shape} do not fit"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"score {np.argmin(np.isfinite(values))} is NaN or infinite")
    order = np.argsort(-values, kind="stable")
    kept = np.zeros(len(found), dtype=bool)
    for group in np.unique(groups):
        rows = order[groups[order] == group]
        overlap = (iou if oriented else iou_axis_aligned)(found[rows], found[rows])
        kept[rows[_unrivalled(overlap > threshold)]] = True
    return order[kept[order]].astype(np.int64)


def _unrivalled(rivals: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask (P,) of the rows that are, in order, no rivals (P, P) of a kept row."""
    kept = np.ones(len(rivals), dtype=bool)
    for row in range(len(rivals)):
        if kept[row]:
            kept[row + 1 :] &= ~rivals[row, row + 1 :]
    return kept


def _checked(boxes: ArrayLike) -> Array:
    found = np.asarray(boxes, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] < 7:
        raise ValueError(f"boxes have the shape {found.shape}, not (K, 7) or wider")
    broken = ~np.isfinite(found[:, :7]).all(axis=1) | (found[:, 3:6] < 0).any(axis=1)
    if broken.any():
        row = int(np.argmax(broken))
        raise ValueError(f"box {row} is invalid: {found[row, :7].tolist()}")
    return found


def _shared_intervals(boxes0: Array, boxes1: Array, axis: int) -> Array:
    """Length (N, M) of the intersection along an axis with which both boxes are aligned."""
    low0, high0 = (boxes0[:, axis] + sign * boxes0[:, 3 + axis] / 2 for sign in (-1, 1))
    low1, high1 = (boxes1[:, axis] + sign * boxes1[:, 3 + axis] / 2 for sign in (-1, 1))
    shared = np.minimum(high0[:, None], high1) - np.maximum(low0[:, None], low1)
    return np.maximum(shared, 0)


def _shared_areas(boxes0: Array, boxes1: Array) -> Array:
    """Area (L,) of the intersection of rectangles seen from above, pair by pair.

    In the frame of the second rectangle, the outline of the first is projected onto the second
    wherever it is outside, by clamping each coordinate. On its way no point of the outline passes
    through the inside of the second. The projected outline therefore encloses exactly the
    intersection. Edges are cut at the lines of the second's sides, so that their projections are
    straight pieces.
    """
    turn = boxes0[:, 6] - boxes1[:, 6]
    gap = boxes0[:, :2] - boxes1[:, :2]
    cosine, sine = np.cos(boxes1[:, 6]), np.sin(boxes1[:, 6])
    center = np.stack(
        [cosine * gap[:, 0] + sine * gap[:, 1], cosine * gap[:, 1] - sine * gap[:, 0]], axis=1
    )
    half = boxes0[:, None, 3:5] / 2 * _SIGNS[None, :4, :2]
    cosine, sine = np.cos(turn)[:, None], np.sin(turn)[:, None]
    outline = np.stack(
        [cosine * half[..., 0] - sine * half[..., 1], sine * half[..., 0] + cosine * half[..., 1]],
        axis=-1,
    )
    outline = outline + center[:, None]  # (L, 4, 2)
    along = np.roll(outline, -1, axis=1) - outline
    side = boxes1[:, None, 3:5] / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        cuts = np.concatenate([(side - outline) / along, (-side - outline) / along], axis=2)
    cuts = np.clip(np.nan_to_num(cuts), 0, 1)  # parallel edges are not cut
    ends = np.zeros((*cuts.shape[:2], 1))
    cuts = np.sort(np.concatenate([ends, cuts, ends + 1], axis=2), axis=2)  # (L, 4, 6)
    pieces = outline[:, :, None] + cuts[..., None] * along[:, :, None]
    pushed = np.clip(pieces, -side[:, :, None], side[:, :, None])
    x, y = pushed[..., 0], pushed[..., 1]
    twice = x[..., :-1] * y[..., 1:] - x[..., 1:] * y[..., :-1]
    return np.maximum(twice.sum(axis=(1, 2)) / 2, 0)


def _over_union(shared: Array, boxes0: Array, boxes1: Array) -> Array:
    volume0, volume1 = boxes0[:, 3:6].prod(axis=1), boxes1[:, 3:6].prod(axis=1)
    union = volume0[:, None] + volume1 - shared
    solid = (volume0[:, None] > 0) & (volume1 > 0)
    return np.divide(shared, union, out=np.zeros_like(shared), where=solid)
