from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from downstream.metrics.parts import PartIoU, part_scores
from pointcontrast.errors import InputError

PARTS = [[0, 1, 2], [3, 4], [5, 6, 7, 8]]


def slow_shape_iou(predictions: list[int], labels: list[int], parts: list[int]) -> float:
    """The definition, part by part and point by point."""
    ious = []
    for part in parts:
        both = sum(p == part and t == part for p, t in zip(predictions, labels, strict=True))
        either = sum(p == part or t == part for p, t in zip(predictions, labels, strict=True))
        ious.append(1.0 if either == 0 else both / either)
    return sum(ious) / len(ious)


def test_figures_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    metric = PartIoU(PARTS)
    by_category: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for _ in range(40):
        category = int(rng.integers(3))
        parts = PARTS[category]
        there = rng.choice(parts, size=rng.integers(1, len(parts) + 1), replace=False)
        labels = rng.choice(there, 50)
        predictions = np.where(rng.random(50) < 0.7, labels, rng.choice(there, 50))
        metric.update(torch.from_numpy(predictions), torch.from_numpy(labels), category)
        by_category[category].append(slow_shape_iou(predictions.tolist(), labels.tolist(), parts))
    scores = part_scores(metric.compute())
    everything = [iou for ious in by_category.values() for iou in ious]
    means = [np.mean(ious) for ious in by_category.values()]
    assert scores.instance_mean_iou == pytest.approx(np.mean(everything))
    assert scores.category_mean_iou == pytest.approx(np.mean(means))
    np.testing.assert_allclose(scores.per_category, means)
    assert scores.num_shapes.tolist() == [len(ious) for ious in by_category.values()]
    assert abs(scores.instance_mean_iou - scores.category_mean_iou) > 1e-4  # they are two things


def random_shapes(num_shapes: int) -> list[tuple[torch.Tensor, torch.Tensor, int]]:
    rng = np.random.default_rng(1)
    shapes = []
    for _ in range(num_shapes):
        category = int(rng.integers(3))
        labels = rng.choice(PARTS[category], 40)
        predictions = np.where(rng.random(40) < 0.6, labels, rng.choice(PARTS[category], 40))
        shapes.append((torch.from_numpy(predictions), torch.from_numpy(labels), category))
    return shapes


class NoFloat64(TorchDispatchMode):
    """Refuses float64 tensors, as devices without them do (MPS)."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        assert not (isinstance(found, torch.Tensor) and found.dtype == torch.float64), func
        return found


def test_no_float64_tensor_is_made() -> None:
    with NoFloat64():
        metric = PartIoU(PARTS)
        for predictions, labels, category in random_shapes(5):
            metric.update(predictions, labels, category)
        sums = metric.compute()
    assert metric.total.dtype == metric.count.dtype == sums.dtype == torch.int64
    assert part_scores(sums).num_shapes.sum() == 5


def test_sums_are_those_of_fractions_in_any_order_and_split() -> None:
    shapes = random_shapes(60)
    exact = [Fraction(0)] * 3
    for predictions, labels, category in shapes:
        ious = []
        for part in PARTS[category]:
            there, found = labels == part, predictions == part
            union = int((there | found).sum())
            ious.append(Fraction(int((there & found).sum()), union) if union else Fraction(1))
        exact[category] += sum(ious, Fraction(0)) / len(ious)
    whole, turned, first, second = (PartIoU(PARTS) for _ in range(4))
    for number, shape in enumerate(shapes):
        whole.update(*shape)
        turned.update(*shapes[-1 - number])
        (first if number % 3 else second).update(*shape)
    first.merge_state(second)
    assert torch.equal(whole.compute(), turned.compute())
    assert torch.equal(whole.compute(), first.compute())
    scores = part_scores(whole.compute())
    assert scores.instance_mean_iou == pytest.approx(float(sum(exact, Fraction(0)) / 60), abs=1e-12)
    for category, total in enumerate(exact):
        mean = float(total / int(scores.num_shapes[category]))
        assert scores.per_category[category] == pytest.approx(mean, abs=1e-12)


def test_an_empty_part_counts_one_by_hand() -> None:
    metric = PartIoU(PARTS)
    # part 0: 1 of 2, part 1: 1 of 2, part 2: nowhere
    metric.update(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), 0)
    assert part_scores(metric.compute()).instance_mean_iou == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    # part 3 is there and never found, part 4 is found and not there
    metric.update(torch.tensor([4, 4]), torch.tensor([3, 3]), 1)
    scores = part_scores(metric.compute())
    assert scores.per_category[1] == 0
    assert math.isnan(scores.per_category[2])  # no shape: left out of the mean over categories
    assert scores.category_mean_iou == pytest.approx((2 / 3 + 0) / 2)


def test_unlabelled_points_do_not_count() -> None:
    metric = PartIoU(PARTS)
    metric.update(torch.tensor([0, 2, 1]), torch.tensor([0, -1, 1]), 0)
    assert part_scores(metric.compute()).instance_mean_iou == 1
    metric.update(torch.tensor([0]), torch.tensor([-1]), 0)
    assert part_scores(metric.compute()).num_shapes.tolist() == [1, 0, 0]


def test_bad_labels_are_named() -> None:
    metric = PartIoU(PARTS)
    with pytest.raises(
        InputError, match=r"label 3 is no part of category 0, which has \[0, 1, 2\]"
    ):
        metric.update(torch.tensor([0]), torch.tensor([3]), 0)
    with pytest.raises(InputError, match="label 255 is no part"):
        metric.update(torch.tensor([0]), torch.tensor([255], dtype=torch.uint8), 0)
    for category in (-1, 3):
        with pytest.raises(InputError, match=f"category {category} of a shape is none of the 3"):
            metric.update(torch.tensor([5]), torch.tensor([5]), category)
    with pytest.raises(ValueError, match=r"predictions \(1,\) and labels \(2,\)"):
        metric.update(torch.tensor([0]), torch.tensor([0, 1]), 0)
    metric.update(torch.tensor([0]), torch.tensor([-1]), 0)
    with pytest.raises(InputError, match="no shape"):
        part_scores(metric.compute())


def test_a_prediction_of_another_category_is_wrong_by_definition() -> None:
    metric = PartIoU(PARTS)
    predictions, labels = [3, 8, 4, 3], [3, 3, 4, 4]
    metric.update(torch.tensor(predictions), torch.tensor(labels), 1)
    scores = part_scores(metric.compute())
    assert scores.instance_mean_iou == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert scores.instance_mean_iou == pytest.approx(slow_shape_iou(predictions, labels, PARTS[1]))
    assert scores.absent == (0, 2)


def test_two_halves_merge() -> None:
    whole, first, second = PartIoU(PARTS), PartIoU(PARTS), PartIoU(PARTS)
    cases = [([0, 1], [0, 0], 0), ([5, 6], [5, 6], 2), ([3, 3], [3, 4], 1)]
    for number, (predictions, labels, category) in enumerate(cases):
        for metric in (whole, first if number < 2 else second):
            metric.update(torch.tensor(predictions), torch.tensor(labels), category)
    first.merge_state(second)
    assert part_scores(first.compute()).instance_mean_iou == pytest.approx(
        part_scores(whole.compute()).instance_mean_iou
    )
