from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from downstream.boxes.geometry import iou
from downstream.metrics.detection import (
    AveragePrecision,
    Interpolation,
    average_precision,
    detection_scores,
)
from downstream.types import DetectedBoxes
from pointcontrast.errors import InputError
from tests.helpers.gloo import in_ranks
from tests.oracles.average_precision import voc_average_precision

Scene = tuple[DetectedBoxes, NDArray[np.float32]]


def detected(rows: list[tuple[float, int, list[float]]]) -> DetectedBoxes:
    """Of rows of score, class, box."""
    return DetectedBoxes(
        boxes=np.array([row[2] for row in rows], np.float32).reshape(-1, 7),
        classes=np.array([row[1] for row in rows], np.int64),
        scores=np.array([row[0] for row in rows], np.float32),
    )


def cube(x: float) -> list[float]:
    return [x, 0, 0, 1, 1, 1, 0]


def random_scene(seed: int, num_classes: int = 4) -> Scene:
    """Boxes, and detections near them, far from them, twice, and of the wrong class."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 7))
    boxes = np.zeros((count, 8), np.float32)
    boxes[:, :3] = rng.uniform(-4, 4, (count, 3))
    boxes[:, 3:6] = rng.uniform(0.5, 2, (count, 3))
    boxes[:, 6] = rng.uniform(-3, 3, count)
    boxes[:, 7] = rng.integers(0, num_classes - 1, count)  # the last never occurs
    number = int(rng.integers(0, 25))
    rows = rng.integers(0, max(count, 1), number)
    found = np.array(boxes[rows, :7]) if count else rng.uniform(0.5, 1, (number, 7))
    found = found + rng.choice([0.02, 0.3, 3], (number, 1)) * rng.normal(size=(number, 7))
    found[:, 3:6] = np.abs(found[:, 3:6])
    classes = boxes[rows, 7].astype(np.int64) if count else np.zeros(number, np.int64)
    wrong = rng.random(number) < 0.2
    classes[wrong] = rng.integers(0, num_classes, wrong.sum())
    scores = rng.permutation(1000)[:number] / 1000 + seed * 1e-5  # all different
    return DetectedBoxes(
        boxes=found.astype(np.float32), classes=classes, scores=scores.astype(np.float32)
    ), boxes


def counted(scenes: list[Scene], **arguments: Any) -> AveragePrecision:
    metric = AveragePrecision(4, **arguments)
    for found, boxes in scenes:
        metric.update(found, boxes)
    return metric


@pytest.mark.parametrize("interpolation", ["all_point", "11_point"])
@pytest.mark.parametrize("oriented", [True, False])
def test_figures_are_those_of_loops(interpolation: Interpolation, oriented: bool) -> None:
    scenes = [random_scene(seed) for seed in range(25)]
    metric = counted(scenes, interpolation=interpolation, oriented=oriented)
    found = detection_scores(metric)

    def overlap(one: Any, other: Any) -> float:
        pair = [np.array([box[:7]], np.float64) for box in (one, other)]
        if not oriented:
            pair = [box * [1, 1, 1, 1, 1, 1, 0] for box in pair]
        return float(iou(*pair)[0, 0])

    plain = [
        (
            list(zip(f.scores.tolist(), f.classes.tolist(), f.boxes, strict=True)),
            [(int(box[7]), box) for box in boxes],
        )
        for f, boxes in scenes
    ]
    for row, threshold in enumerate((0.25, 0.5)):
        expected = [
            voc_average_precision(plain, number, threshold, overlap, interpolation == "11_point")
            for number in range(4)
        ]
        np.testing.assert_allclose(found.average_precision[row], expected, atol=1e-9)
        assert np.isnan(expected[3])
        mean = np.mean(expected[:3])
        assert found.mean_average_precision[row] == pytest.approx(mean)
        assert 0.1 < mean < 0.9


def test_by_hand() -> None:
    # two boxes; by score: right, a second one on the same box, wrong place, right
    scene = detected([(0.9, 0, cube(0)), (0.8, 0, cube(0.1)), (0.7, 0, cube(9)), (0.6, 0, cube(5))])
    truth = np.array([[*cube(0), 0], [*cube(5), 0]], np.float32)
    metric = AveragePrecision(1)
    metric.update(scene, truth)
    found = detection_scores(metric)
    # precision 1 up to recall 1/2, then 2/4 up to 1
    np.testing.assert_allclose(found.average_precision, [[0.75], [0.75]])
    np.testing.assert_allclose(found.recall, 1)
    assert found.num_truth.tolist() == [2]
    eleven = AveragePrecision(1, interpolation="11_point")
    eleven.update(scene, truth)
    # six of the recalls 0, 0.1 .. 1 are at most 1/2
    assert detection_scores(eleven).average_precision[0, 0] == pytest.approx((6 + 5 * 0.5) / 11)


@pytest.mark.parametrize("hits", range(11))
def test_eleven_points_count_recalls_that_are_met_exactly(hits: int) -> None:
    marks = np.arange(10) < hits
    scores = np.linspace(1, 0.5, 10)
    found, recall = average_precision(scores, marks, 10, "11_point")
    assert found == pytest.approx((hits + 1 if hits else 0) / 11)
    assert recall == hits / 10


def test_an_overlap_at_the_threshold_is_none() -> None:
    truth = np.array([[*cube(0), 0]], np.float32)
    half = [0, 0, 0.25, 1, 1, 0.5, 0]
    metric = AveragePrecision(1)
    metric.update(detected([(0.5, 0, half)]), truth)
    np.testing.assert_allclose(detection_scores(metric).average_precision, [[1], [0]])


def test_a_box_found_before_is_not_passed_on_to_the_next() -> None:
    """VOC's rule: only the box that a detection overlaps most counts."""
    truth = np.array([[*cube(0), 0], [*cube(0.2), 0]], np.float32)
    metric = AveragePrecision(1)
    metric.update(detected([(0.9, 0, cube(0)), (0.8, 0, cube(0.05))]), truth)
    assert detection_scores(metric).recall[0, 0] == 0.5


def test_equal_scores_count_together_in_any_order() -> None:
    right, wrong = (0.5, 0, cube(0)), (0.5, 0, cube(9))
    truth = np.array([[*cube(0), 0]], np.float32)
    nothing = np.zeros((0, 8), np.float32)
    values = []
    for order in (0, 1):
        scenes = [(detected([right]), truth), (detected([wrong]), nothing)]
        values.append(detection_scores(counted(scenes[:: 1 - 2 * order])).average_precision[0, 0])
    assert values == [0.5, 0.5]


def test_the_order_of_scenes_does_not_matter_and_parts_merge() -> None:
    scenes = [random_scene(seed) for seed in range(12)]
    whole = detection_scores(counted(scenes))
    backwards = detection_scores(counted(scenes[::-1]))
    first, second = counted(scenes[:5]), counted(scenes[5:])
    first.merge_state(second)
    for other in (backwards, detection_scores(first)):
        np.testing.assert_array_equal(other.average_precision, whole.average_precision)
        np.testing.assert_array_equal(other.num_truth, whole.num_truth)


def test_nothing_counted_and_nothing_found() -> None:
    with pytest.warns(UserWarning, match="before the"):
        assert np.isnan(detection_scores(AveragePrecision(2)).mean_average_precision).all()
    metric = AveragePrecision(2)
    metric.update(detected([]), np.array([[*cube(0), 1]], np.float32))
    found = detection_scores(metric)
    np.testing.assert_array_equal(found.average_precision, [[np.nan, 0], [np.nan, 0]])
    assert found.mean_recall.tolist() == [0, 0]


def test_a_class_without_boxes_is_left_out_though_it_is_detected() -> None:
    metric = AveragePrecision(2)
    scene = detected([(0.9, 1, cube(0)), (0.8, 0, cube(0))])
    metric.update(scene, np.array([[*cube(0), 0]], np.float32))
    found = detection_scores(metric)
    np.testing.assert_array_equal(found.average_precision, [[1, np.nan], [1, np.nan]])
    assert found.mean_average_precision.tolist() == found.mean_recall.tolist() == [1, 1]


def test_bad_values_are_named() -> None:
    truth = np.array([[*cube(0), 0]], np.float32)
    metric = AveragePrecision(2)
    with pytest.raises(ValueError, match="score that is NaN"):
        metric.update(detected([(np.nan, 0, cube(0))]), truth)
    with pytest.raises(ValueError, match="detection 1 has NaN"):
        metric.update(detected([(0.5, 0, cube(0)), (0.5, 0, cube(np.inf))]), truth)
    with pytest.raises(ValueError, match="detection 0 has NaN or infinite values or a neg"):
        metric.update(detected([(0.5, 1, [0, 0, 0, 1, -1, 1, 0])]), truth)
    for column, value in ((2, np.nan), (4, -1)):  # also where nothing is detected
        broken = np.repeat(truth, 3, axis=0)
        broken[2, column] = value
        with pytest.raises(ValueError, match="true box 2"):
            metric.update(detected([]), broken)
    for number in (-1, 2):
        with pytest.raises(ValueError, match="detection is of none of the 2 classes"):
            metric.update(detected([(0.5, number, cube(0))]), truth)
    with pytest.raises(ValueError, match="do not fit together"):
        metric.update(detected([(0.5, 0, cube(0))]), truth[:, :7])
    for number in (-1, 2):  # -1: a padded row
        truth[0, 7] = number
        with pytest.raises(InputError, match="a box is of none of the 2 classes"):
            metric.update(detected([(0.5, 0, cube(0))]), truth)
    assert not metric.num_truth.any()  # nothing of what was refused is counted
    assert not metric.detections
    with pytest.raises(InputError, match="interpolation"):
        AveragePrecision(2, interpolation="12_point")  # pyright: ignore[reportArgumentType]


def scores_of_rank(rank: int, num_scenes: int) -> np.ndarray:
    scenes = [random_scene(seed) for seed in range(num_scenes)]
    return detection_scores(counted(scenes[:1] if rank == 0 else scenes[1:])).average_precision


@pytest.mark.parametrize("num_scenes", [1, 8])
def test_ranks_with_uneven_parts_make_the_figures_of_one(tmp_path: Path, num_scenes: int) -> None:
    """With one scene the second rank has none."""
    expected = detection_scores(counted([random_scene(seed) for seed in range(num_scenes)]))
    for found in in_ranks(scores_of_rank, 2, tmp_path, num_scenes):
        np.testing.assert_array_equal(found, expected.average_precision)
