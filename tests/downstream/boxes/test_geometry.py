from __future__ import annotations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from downstream.boxes.geometry import (
    EDGES,
    corners,
    enclosing_boxes,
    iou,
    iou_axis_aligned,
    points_in_boxes,
    suppress,
)

Array = NDArray[np.float64]


def random_boxes(seed: int, count: int, spread: float = 1.0, size: float = 2.0) -> Array:
    rng = np.random.default_rng(seed)
    return np.column_stack([
        rng.uniform(-spread, spread, (count, 3)),
        rng.uniform(0.05, size, (count, 3)),
        rng.uniform(-4, 4, count),
    ])  # fmt: skip


def volumes(boxes: Array) -> Array:
    return boxes[:, 3:6].prod(axis=1)


def iou_of_shapely(boxes0: Array, boxes1: Array) -> Array:
    """Areas from shapely's polygons, heights by hand, pair by pair."""
    found = np.zeros((len(boxes0), len(boxes1)))
    for i, one in enumerate(boxes0):
        for j, other in enumerate(boxes1):
            outlines = []
            for x, y, _, length, width, _, yaw in (one, other):
                half = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [length / 2, width / 2]
                turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
                outlines.append(shapely.Polygon(half @ turn.T + [x, y]))
            area = outlines[0].intersection(outlines[1]).area
            top = min(one[2] + one[5] / 2, other[2] + other[5] / 2)
            bottom = max(one[2] - one[5] / 2, other[2] - other[5] / 2)
            shared = area * max(0.0, top - bottom)
            union = one[3:6].prod() + other[3:6].prod() - shared
            found[i, j] = shared / union
    return found


ROTATIONS = {
    "any": lambda rng, count: rng.uniform(-4, 4, count),
    "right angles": lambda rng, count: rng.choice([0, np.pi / 2, np.pi, -np.pi / 2], count),
    "halves of them": lambda rng, count: rng.choice([0, np.pi / 4, 3 * np.pi / 4], count),
}


@pytest.mark.parametrize("rotation", list(ROTATIONS))
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_overlap_is_that_of_shapely(rotation: str, scale: float) -> None:
    boxes0, boxes1 = random_boxes(0, 40), random_boxes(1, 40)
    boxes1[:5] = boxes0[:5]  # the same place
    boxes1[5:10, :3] = boxes0[5:10, :3]  # the same centre
    boxes1[10, 3:6] = 8.0  # around all others
    boxes1[11, :3] = 100.0  # far from all
    rng = np.random.default_rng(2)
    for boxes in (boxes0, boxes1):
        boxes[:, 6] = ROTATIONS[rotation](rng, len(boxes))
        boxes[:, :6] *= scale
    found = iou(boxes0, boxes1)
    np.testing.assert_allclose(found, iou_of_shapely(boxes0, boxes1), atol=1e-9)
    assert ((found > 0) & (found < 1)).sum() > 500


def test_overlap_is_that_of_many_random_points() -> None:
    boxes0, boxes1 = random_boxes(3, 12), random_boxes(4, 12)
    rng = np.random.default_rng(5)
    low, high = -3.0, 3.0
    points = rng.uniform(low, high, (200_000, 3))
    inside0, inside1 = points_in_boxes(points, boxes0), points_in_boxes(points, boxes1)
    shared = (inside0[:, :, None] & inside1[:, None]).mean(axis=0)
    union = (inside0[:, :, None] | inside1[:, None]).mean(axis=0)
    found = iou(boxes0, boxes1)
    # five standard errors (there are 144 pairs) of the share of points in the union
    error = 5 * np.sqrt(np.maximum(found * (1 - found), 1e-4) / (union * len(points)))
    assert (np.abs(shared / union - found) < error).all()


def test_overlap_with_itself_is_all_and_both_ways_the_same() -> None:
    boxes0, boxes1 = random_boxes(6, 200), random_boxes(7, 200)
    np.testing.assert_allclose(np.diag(iou(boxes0, boxes0)), 1, atol=1e-12)
    np.testing.assert_allclose(iou(boxes0, boxes1), iou(boxes1, boxes0).T, atol=1e-12)
    turned = boxes0 + np.array([0, 0, 0, 0, 0, 0, np.pi])
    np.testing.assert_allclose(np.diag(iou(boxes0, turned)), 1, atol=1e-12)
    nearly = boxes0 + 1e-9
    np.testing.assert_allclose(np.diag(iou(boxes0, nearly)), 1, atol=1e-6)


def test_hard_pairs_overlap_as_in_shapely() -> None:
    boxes = random_boxes(12, 200)
    rng = np.random.default_rng(13)
    beside, turned, inner, slivers = (boxes.copy() for _ in range(4))
    heading = np.stack([np.cos(boxes[:, 6]), np.sin(boxes[:, 6])], axis=1)
    beside[:, :2] += heading * boxes[:, 3:4]  # one face in common
    steps = rng.choice([0, 1e-17, 1e-15, 1e-12, 1e-9, 1e-6], 200)
    turned[:, 6] += rng.choice([0, np.pi / 4, np.pi / 2, np.pi], 200) + steps  # nearly parallel
    inner[:, 3:6] *= 10.0 ** rng.uniform(-4, 0, (200, 1))
    slivers[:, 3:6] *= 10.0 ** rng.uniform(-6, 6, (200, 3))
    for others in (beside, turned, inner, slivers):
        found = [iou(boxes[[row]], others[[row]])[0, 0] for row in range(200)]
        expected = [iou_of_shapely(boxes[[row]], others[[row]])[0, 0] for row in range(200)]
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_many_pairs_are_those_of_few() -> None:
    boxes0, boxes1 = random_boxes(14, 300, spread=0.3), random_boxes(15, 300, spread=0.3)
    found = iou(boxes0, boxes1)
    assert (found > 0).sum() > 1 << 16  # more than are clipped at once
    parts = [iou(boxes0[start : start + 50], boxes1) for start in range(0, 300, 50)]
    np.testing.assert_array_equal(found, np.concatenate(parts))


def test_moving_and_turning_both_changes_nothing() -> None:
    boxes0, boxes1 = random_boxes(8, 50), random_boxes(9, 50)
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = []
    for boxes in (boxes0, boxes1):
        found = boxes.copy()
        found[:, :2] = found[:, :2] @ turn.T + [30, -20]
        found[:, 2] += 5
        found[:, 6] += angle
        moved.append(found)
    np.testing.assert_allclose(iou(*moved), iou(boxes0, boxes1), atol=1e-10)


def test_by_hand() -> None:
    unit = np.array([[0, 0, 0, 2.0, 2, 2, 0]])
    turned = np.array([[0, 0, 0, 2.0, 2, 2, np.pi / 4]])
    octagon = 8 * (np.sqrt(2) - 1)  # area that a square shares with itself turned by 45 degrees
    expected = octagon * 2 / (16 - octagon * 2)
    assert iou(unit, turned)[0, 0] == pytest.approx(expected, abs=1e-12)
    beside = np.array([[1.0, 0, 0, 2, 2, 2, 0], [2.0, 0, 0, 2, 2, 2, 0], [0, 0, 1.5, 2, 2, 1, 0]])
    np.testing.assert_allclose(iou(unit, beside)[0], [1 / 3, 0, 0], atol=1e-12)


def test_aligned_overlap_is_of_the_boxes_about_them() -> None:
    boxes0, boxes1 = random_boxes(10, 60), random_boxes(11, 60)
    found = enclosing_boxes(boxes0)
    places = corners(boxes0)
    np.testing.assert_allclose(found[:, :3] - found[:, 3:6] / 2, places.min(axis=1), atol=1e-12)
    np.testing.assert_allclose(found[:, :3] + found[:, 3:6] / 2, places.max(axis=1), atol=1e-12)
    assert not found[:, 6].any()
    expected = iou(enclosing_boxes(boxes0), enclosing_boxes(boxes1))
    np.testing.assert_allclose(iou_axis_aligned(boxes0, boxes1), expected, atol=1e-12)


def test_what_has_no_volume_overlaps_nothing() -> None:
    flat = np.array([[0, 0, 0, 1.0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0]])
    assert not iou(flat, flat).any()
    assert not iou(flat, random_boxes(0, 5)).any()
    assert iou(np.zeros((0, 7)), flat).shape == (0, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_box_is_named(value: float) -> None:
    boxes = random_boxes(0, 4)
    boxes[2, 1] = value
    with pytest.raises(ValueError, match="box 2 is invalid"):
        iou(boxes, boxes)
    boxes = random_boxes(0, 4)
    boxes[1, 4] = -1
    with pytest.raises(ValueError, match="box 1 is invalid"):
        corners(boxes)
    with pytest.raises(ValueError, match="shape"):
        iou(np.zeros((3, 6)), boxes)


def test_corners_are_in_their_order() -> None:
    box = np.array([[1.0, 2, 3, 4, 2, 6, np.pi / 2]])  # its front looks along +y
    expected = [
        [2, 0, 0], [2, 4, 0], [0, 4, 0], [0, 0, 0],
        [2, 0, 6], [2, 4, 6], [0, 4, 6], [0, 0, 6],
    ]  # fmt: skip
    np.testing.assert_allclose(corners(box)[0], expected, atol=1e-12)
    lengths = np.linalg.norm(np.diff(corners(box)[0][EDGES], axis=1)[:, 0], axis=1)
    assert sorted(lengths.round(9)) == [2] * 4 + [4] * 4 + [6] * 4


def test_points_on_faces_are_inside() -> None:
    box = np.array([[1.0, 1, 1, 2, 4, 6, 0]])
    points = [[1, 1, 1], [0, 1, 1], [2, 3, 4], [2.001, 1, 1], [1, 1, -2.001]]
    assert points_in_boxes(points, box)[:, 0].tolist() == [True, True, True, False, False]
    turned = np.array([[0, 0, 0, 4.0, 1, 1, np.pi / 4]])
    assert points_in_boxes([[1.2, 1.2, 0], [1.2, -1.2, 0]], turned)[:, 0].tolist() == [True, False]


def suppressed_by_loops(
    boxes: Array, scores: Array, classes: NDArray[np.int64] | None, threshold: float, turned: bool
) -> list[int]:
    """The text of the rule."""
    if not turned:
        boxes = enclosing_boxes(boxes)
    left = sorted(range(len(boxes)), key=lambda row: (-scores[row], row))
    kept = []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [
            row
            for row in left
            if (classes is not None and classes[row] != classes[best])
            or iou_of_shapely(boxes[[best]], boxes[[row]])[0, 0] <= threshold
        ]
    return kept


@pytest.mark.parametrize("oriented", [False, True])
@pytest.mark.parametrize("with_classes", [False, True])
def test_suppression_is_that_of_loops(oriented: bool, with_classes: bool) -> None:
    for seed in range(4):
        boxes = random_boxes(20 + seed, 40)
        rng = np.random.default_rng(seed)
        scores = rng.integers(0, 12, 40) / 12  # some are equal
        classes = rng.integers(0, 3, 40) if with_classes else None
        found = suppress(boxes, scores, classes, threshold=0.2, oriented=oriented)
        expected = suppressed_by_loops(boxes, scores, classes, 0.2, oriented)
        assert found.tolist() == expected
        assert 5 < len(expected) < 40


@pytest.mark.parametrize("oriented", [False, True])
def test_an_overlap_at_the_threshold_suppresses_nothing(oriented: bool) -> None:
    boxes = np.array([[0, 0, 0, 1.0, 1, 1, 0], [0, 0, 0.25, 1, 1, 0.5, 0]])  # IoU 1/2, exactly
    scores = np.array([0.1, 0.2])
    assert suppress(boxes, scores, threshold=0.5, oriented=oriented).tolist() == [1, 0]
    assert suppress(boxes, scores, threshold=0.49, oriented=oriented).tolist() == [1]


def test_suppression_refuses_what_does_not_fit() -> None:
    boxes = random_boxes(0, 4)
    with pytest.raises(ValueError, match="4 boxes"):
        suppress(boxes, np.ones(3))
    with pytest.raises(ValueError, match="4 boxes"):
        suppress(boxes, np.ones(4), np.zeros(5))
    with pytest.raises(ValueError, match="score 2 is NaN"):
        suppress(boxes, np.array([1, 0, np.nan, 0]))


def test_suppressing_nothing_leaves_nothing() -> None:
    assert suppress(np.zeros((0, 7)), np.zeros(0), np.zeros(0)).tolist() == []
