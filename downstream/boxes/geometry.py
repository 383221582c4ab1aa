"""Boxes that stand upright: corners, what lies in them, how they overlap, which to keep.

The columns are those of ``pointcontrast.labelled_scene_checks.BOX_COLUMNS``: centre, full sizes,
yaw, and any after these seven are not looked at. Metres and radians; all in NumPy and float64.
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
"""(12, 2) rows of :func:`corners` that are joined."""

_PAIRS_AT_ONCE = 1 << 16  # bounds the memory of the overlaps to some 100 MB


def corners(boxes: ArrayLike) -> Array:
    """(K, 8, 3) metres: the four of the bottom counter-clockwise from above, then the four above.

    The second and the third of each are those of the front, where the box's own x is largest.
    """
    found = _checked(boxes)
    local = _SIGNS * found[:, None, 3:6] / 2
    cosine, sine = np.cos(found[:, 6, None]), np.sin(found[:, 6, None])
    x = cosine * local[..., 0] - sine * local[..., 1]
    y = sine * local[..., 0] + cosine * local[..., 1]
    return np.stack([x, y, local[..., 2]], axis=-1) + found[:, None, :3]


def points_in_boxes(points: ArrayLike, boxes: ArrayLike) -> NDArray[np.bool_]:
    """(N, K): which of the points (N, 3) lies in which of the boxes; faces belong to a box."""
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
    """(K, 7): about each box the smallest that is aligned with the axes."""
    found = _checked(boxes)[:, :7].copy()
    cosine, sine = np.abs(np.cos(found[:, 6])), np.abs(np.sin(found[:, 6]))
    x, y = found[:, 3].copy(), found[:, 4].copy()
    found[:, 3], found[:, 4], found[:, 6] = cosine * x + sine * y, sine * x + cosine * y, 0
    return found


def iou(boxes0: ArrayLike, boxes1: ArrayLike) -> Array:
    """(N, M): the volume that two boxes share over the volume that they fill together.

    0 where a box has no volume.

    Raises:
        ValueError: a box is not finite, or has a negative size.
    """
    first, second = _checked(boxes0), _checked(boxes1)
    height = _shared_intervals(first, second, 2)
    # Only what meets as aligned boxes can meet
    outer0, outer1 = enclosing_boxes(first), enclosing_boxes(second)
    meets = (_shared_intervals(outer0, outer1, 0) > 0) & (_shared_intervals(outer0, outer1, 1) > 0)
    rows, columns = np.nonzero(meets & (height > 0))
    shared = np.zeros((len(first), len(second)))
    for start in range(0, len(rows), _PAIRS_AT_ONCE):
        i, j = rows[start : start + _PAIRS_AT_ONCE], columns[start : start + _PAIRS_AT_ONCE]
        shared[i, j] = _shared_areas(first[i], second[j]) * height[i, j]
    return _over_union(shared, first, second)


def iou_axis_aligned(boxes0: ArrayLike, boxes1: ArrayLike) -> Array:
    """(N, M): :func:`iou` of the aligned boxes about each, as VoteNet suppresses by."""
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
    """Non-maximum suppression: from the highest score on, boxes that overlap none kept before.

    VoteNet's rule (facebookresearch/votenet ``utils/nms.py nms_3d_faster_samecls``): IoU of the
    aligned boxes about each.

    Args:
        boxes: (P, >= 7).
        scores: (P,); of equal ones the first box counts as higher.
        classes: (P,); only boxes of one class suppress each other. None: all do.
        threshold: IoU above which a box is suppressed.
        oriented: the boxes as they are turned.

    Returns:
        (Q,) int64 rows, by falling score.

    Raises:
        ValueError: a box is none, a score is not finite, or there is not one score and one class
            for each box.
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
    """(P,) of rows in their order, those that are no rivals (P, P) of one kept before."""
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
        raise ValueError(f"box {row} is no box: {found[row, :7].tolist()}")
    return found


def _shared_intervals(boxes0: Array, boxes1: Array, axis: int) -> Array:
    """(N, M) length that two boxes share along an axis that both are aligned with."""
    low0, high0 = (boxes0[:, axis] + sign * boxes0[:, 3 + axis] / 2 for sign in (-1, 1))
    low1, high1 = (boxes1[:, axis] + sign * boxes1[:, 3 + axis] / 2 for sign in (-1, 1))
    shared = np.minimum(high0[:, None], high1) - np.maximum(low0[:, None], low1)
    return np.maximum(shared, 0)


def _shared_areas(boxes0: Array, boxes1: Array) -> Array:
    """(L,) area that rectangles share, seen from above, pair by pair.

    In the frame of the second, the outline of the first is pushed onto the second wherever it is
    outside (each coordinate is clamped). No point of the outline passes through the inside of the
    second on its way; so the pushed outline winds around exactly what the two share, and the area
    that it encloses is theirs. An edge is cut where it meets the lines of the second's sides, so
    that its pushed form is made of straight pieces.
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
