from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from downstream.tasks.box_coding import BoxCoding
from downstream.tasks.detection import Detection, DetectionSettings, likeliest_of_each
from downstream.types import DetectedBoxes, Proposals
from pointcontrast.errors import InputError
from tests.helpers.plain_batch import plain_batch

CLASSES = ("chair", "table")
CODING = BoxCoding([[1.0, 1, 1], [2.0, 1, 1]], 1)


def proposals(rows: list[tuple[list[float], float, list[float]]]) -> Proposals:
    """One sample's proposals of a centre, an objectness and probabilities of the classes."""
    outputs = torch.zeros(1, len(rows), CODING.num_outputs)
    centers = torch.zeros(1, len(rows), 3)
    for row, (center, objectness, classes) in enumerate(rows):
        centers[0, row] = torch.tensor(center)
        outputs[0, row, :2] = torch.tensor([1 - objectness, objectness]).log()
        outputs[0, row, -2:] = torch.tensor(classes).log()
        outputs[0, row, 7:9] = torch.tensor(classes).log()  # the size is that of the class
    return Proposals(torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, 1, 3), centers, outputs)


ROWS = [
    ([0.0, 0, 0], 0.9, [0.8, 0.2]),
    ([0.1, 0, 0], 0.7, [0.7, 0.3]),  # the same chair
    ([0.1, 0, 0], 0.6, [0.1, 0.9]),  # a table in its place
    ([5.0, 0, 0], 0.3, [0.4, 0.6]),
    ([9.0, 0, 0], 0.01, [0.5, 0.5]),
]
POINTS = np.repeat(np.array([[0, 0, 0], [0.6, 0.1, 0], [5, 0, 0]], np.float32), 5, axis=0)[:14]


def detect(settings: dict[str, Any], points: np.ndarray | None = None) -> DetectedBoxes:
    task = Detection(CLASSES, CODING, DetectionSettings(**settings))
    return task.detect(proposals(ROWS), ["room"], None if points is None else [points])[0]


@pytest.mark.parametrize(
    ("settings", "centers"),
    [
        ({}, [0, 0.1, 5]),
        ({"suppression": "all"}, [0, 5]),
        ({"suppression": "none"}, [0, 0.1, 0.1, 5]),
        ({"min_score": 0.5}, [0, 0.1]),
        ({"min_score": 0.0}, [0, 0.1, 5, 9]),
        ({"suppression_iou": 0.95}, [0, 0.1, 0.1, 5]),
    ],
)
def test_which_proposals_stay(settings: dict[str, Any], centers: list[float]) -> None:
    found = detect({"per_class": False, **settings})
    np.testing.assert_allclose(np.sort(found.boxes[:, 0]), centers, atol=1e-6)
    whole = detect(settings)
    assert len(whole) == len(CLASSES) * len(centers)


def test_one_detection_a_class_or_the_likeliest() -> None:
    likeliest = detect({"per_class": False})
    np.testing.assert_allclose(likeliest.scores, [0.9, 0.6, 0.3], rtol=1e-5)
    assert likeliest.classes.tolist() == [0, 1, 1]
    np.testing.assert_allclose(likeliest.boxes[:, 3], [1, 2, 2])
    every = detect({})
    by_hand = [0.9 * 0.8, 0.9 * 0.2, 0.6 * 0.1, 0.6 * 0.9, 0.3 * 0.4, 0.3 * 0.6]
    np.testing.assert_allclose(every.scores, by_hand, rtol=1e-5)
    assert every.classes.tolist() == [0, 1] * 3
    shown = likeliest_of_each(every, 0.15)
    np.testing.assert_allclose(shown.scores, [0.72, 0.54, 0.18], rtol=1e-5)
    assert shown.classes.tolist() == [0, 1, 1]
    assert len(likeliest_of_each(every, 0.6)) == 1
    assert not len(likeliest_of_each(every[np.zeros(0, int)], 0.5))


def test_boxes_with_fewer_than_five_points_are_empty() -> None:
    kept = detect({"per_class": False}, POINTS)
    np.testing.assert_allclose(kept.boxes[:, 0], [0, 0.1], atol=1e-6)  # the third holds four
    assert len(detect({"per_class": False, "remove_empty": False}, POINTS)) == 3


def test_turned_boxes_suppress_by_their_own_overlap() -> None:
    coding = BoxCoding([[2.0, 0.1, 1], [2.0, 1, 1]], 8)
    outputs = torch.zeros(1, 2, coding.num_outputs)
    outputs[..., 1] = torch.tensor([2.0, 1.0])
    outputs[0, 0, 5 + 1] = outputs[0, 1, 5 + 3] = 9  # 45 and 135 degrees: a cross
    outputs[..., 21] = 9
    found = Proposals(torch.zeros(1, 1), torch.zeros(1, 1, 3), torch.zeros(1, 2, 3), outputs)
    for oriented, number in ((False, 1), (True, 2)):
        settings = DetectionSettings(per_class=False, oriented_suppression=oriented)
        task = Detection(CLASSES, coding, settings)
        assert len(task.detect(found, ["room"])[0]) == number


@pytest.mark.parametrize("place", [("centers", 0), ("outputs", 1), ("outputs", -1)])
def test_broken_proposals_are_named(place: tuple[str, int]) -> None:
    found = proposals(ROWS)
    getattr(found, place[0])[0, 2, place[1]] = torch.nan
    task = Detection(CLASSES, CODING)
    with pytest.raises(InputError, match="room: 1 of 5 proposals are NaN or infinite"):
        task.detect(found, ["room"])


def test_figures_of_a_batch() -> None:
    task = Detection(CLASSES, CODING)
    metric = task.new_metric()
    batch = plain_batch(torch.zeros(1, 4, dtype=torch.int32), torch.zeros(1, 3))
    truth = torch.tensor([[[0, 0, 0, 1, 1, 1, 0, 0], [9, 9, 9, 1, 1, 1, 0, 0], [0] * 7 + [-1]]])
    task.update(metric, proposals(ROWS), replace(batch, boxes=truth.float()))
    scores = task.scores(metric)
    assert set(scores) == {"mean_ap_25", "mean_ar_25", "mean_ap_50", "mean_ar_50"}
    assert scores["mean_ap_25"] == scores["mean_ar_25"] == 0.5  # one chair of two, first
    assert task.class_scores(metric, CLASSES) == {"chair": 0.5, "table": None}
    table = task.table({"box": metric}, CLASSES)
    assert "mean average precision" in table
    assert table.splitlines()[-1].split() == ["table", "-", "-", "0"]
    assert task.confusion(metric) is None


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"min_score": 1.5}, "min_score"),
        ({"suppression_iou": -0.1}, "suppression_iou"),
        ({"suppression": "some"}, "suppression"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        DetectionSettings(**settings)
