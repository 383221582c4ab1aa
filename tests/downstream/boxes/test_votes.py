from __future__ import annotations

import numpy as np

from downstream.boxes.votes import box_rows


def by_loops(points: np.ndarray, boxes: np.ndarray) -> list[list[int]]:
    """The rule, a point at a time; boxes without a yaw."""
    found = []
    for point in points:
        votes: list[int] = []
        taken = 0
        for row, box in enumerate(boxes):
            if not (np.abs(point - box[:3]) <= box[3:6] / 2).all():
                continue
            if taken == 0:
                votes = [row] * 3
            else:
                votes[min(taken, 2)] = row
            taken += 1
        found.append(votes or [-1] * 3)
    return found


def test_votes_are_those_of_loops() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (500, 3))
    boxes = np.zeros((7, 8))
    boxes[:, :3] = rng.uniform(-0.7, 0.7, (7, 3))
    boxes[:, 3:6] = rng.uniform(0.3, 1.6, (7, 3))
    found = box_rows(points, boxes)
    assert found.dtype == np.int32
    assert found.tolist() == by_loops(points, boxes)
    numbers = [len(set(row)) for row in found.tolist() if row[0] >= 0]
    assert set(numbers) == {1, 2, 3}
    assert (found[:, 0] < 0).any()


def test_a_fourth_box_takes_the_third_place() -> None:
    boxes = np.zeros((5, 8))
    boxes[:, 3:6] = 1
    boxes[2, :3] = 9
    assert box_rows([[0, 0, 0], [9, 9, 9]], boxes).tolist() == [[0, 1, 4], [2, 2, 2]]


def test_without_boxes_nothing_votes() -> None:
    assert box_rows(np.zeros((2, 3)), np.zeros((0, 8))).tolist() == [[-1] * 3] * 2
