from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix

from downstream.metrics.confusion import ConfusionMatrix, segmentation_scores
from pointcontrast.errors import InputError
from tests.helpers.gloo import in_ranks


def random_case(seed: int, count: int = 5000) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randint(0, 7, (count,), generator=generator),
        torch.randint(-1, 7, (count,), generator=generator),
    )


def test_the_matrix_is_that_of_torchmetrics() -> None:
    metric = ConfusionMatrix(7)
    predictions, labels = zip(*(random_case(seed) for seed in range(3)), strict=True)
    for found, truth in zip(predictions, labels, strict=True):
        metric.update(found, truth)
    expected = multiclass_confusion_matrix(
        torch.cat(predictions), torch.cat(labels), num_classes=7, ignore_index=-1
    )
    assert torch.equal(metric.compute(), expected)


def test_figures_equal_those_by_hand() -> None:
    # truth 0: 3 right, 1 taken for 1; truth 1: 2 right; class 2 predicted once for truth 1;
    # class 3 is neither there nor predicted; class 4 is there once and taken for 0
    metric = ConfusionMatrix(5)
    metric.update(torch.tensor([0, 0, 0, 1, 1, 1, 2, 0]), torch.tensor([0, 0, 0, 0, 1, 1, 1, 4]))
    scores = segmentation_scores(metric.compute())
    np.testing.assert_allclose(scores.iou, [3 / 5, 2 / 4, 0, math.nan, 0])
    np.testing.assert_allclose(scores.accuracy, [3 / 4, 2 / 3, math.nan, math.nan, 0])
    assert scores.mean_iou == pytest.approx((3 / 5 + 2 / 4 + 0 + 0) / 4)
    assert scores.mean_accuracy == pytest.approx((3 / 4 + 2 / 3 + 0) / 3)
    assert scores.overall_accuracy == pytest.approx(5 / 8)
    assert scores.absent == (3,)  # class 2 is nowhere either, but it was predicted


def test_figures_equal_those_of_the_released_code() -> None:
    # PointContrast downstream/semseg/lib/utils.py: what is no class is left out of the histogram,
    # tp / (truth + prediction - tp) with NaN for 0 / 0, and a nanmean
    predictions, labels = (values.numpy() for values in random_case(4, 60))
    labels[labels == 5], predictions[predictions == 5] = -1, 6
    counts = np.zeros((7, 7))
    for found, truth in zip(predictions, labels, strict=True):
        if 0 <= truth < 7:
            counts[truth, found] += 1
    with np.errstate(invalid="ignore"):
        iou = np.diag(counts) / (counts.sum(1) + counts.sum(0) - np.diag(counts))
    metric = ConfusionMatrix(7)
    metric.update(torch.from_numpy(predictions), torch.from_numpy(labels))
    scores = segmentation_scores(metric.compute())
    assert scores.absent == (5,)
    np.testing.assert_array_equal(scores.iou, iou)
    assert scores.mean_iou == np.nanmean(iou)


def test_bad_labels_are_the_data_s_fault() -> None:
    metric = ConfusionMatrix(3)
    with pytest.raises(InputError, match="label 3 is none of the 3 classes"):
        metric.update(torch.tensor([0, 1]), torch.tensor([0, 3]))
    with pytest.raises(InputError, match="label -2 is none of the 3 classes"):
        metric.update(torch.tensor([0]), torch.tensor([-2]))
    with pytest.raises(InputError, match="label 255 is none of the 3 classes"):
        metric.update(torch.tensor([0]), torch.tensor([255], dtype=torch.uint8))


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([9], [1], "prediction 9 is none of the 3 classes"),
        ([-1], [1], "prediction -1 is none of the 3 classes"),
        ([0, 1], [0], r"predictions \(2,\) and labels \(1,\)"),
        ([[0, 1]], [[0, 1]], r"predictions \(1, 2\) and labels \(1, 2\)"),
        ([0.9], [0], "predictions are torch.float32, not integers"),
        ([0], [0.0], "labels are torch.float32, not integers"),
    ],
)
def test_bad_predictions_are_a_defect(predictions: list, labels: list, message: str) -> None:
    metric = ConfusionMatrix(3)
    with pytest.raises(ValueError, match=message) as error:
        metric.update(torch.tensor(predictions), torch.tensor(labels))
    assert not isinstance(error.value, InputError)
    assert not metric.matrix.any()


def test_what_is_ignored_may_be_anything_and_is_no_evaluation() -> None:
    metric = ConfusionMatrix(3)
    metric.update(torch.tensor([9, -7]), torch.tensor([-1, -1]))
    with pytest.raises(InputError, match="nothing that was evaluated has a label"):
        segmentation_scores(metric.compute())


def test_two_parts_merge() -> None:
    whole, first, second = ConfusionMatrix(7), ConfusionMatrix(7), ConfusionMatrix(7)
    for seed, part in ((0, first), (1, second), (2, second)):
        part.update(*random_case(seed))
        whole.update(*random_case(seed))
    first.merge_state(second)
    assert torch.equal(first.compute(), whole.compute())


def matrix_of_rank(rank: int) -> torch.Tensor:
    metric = ConfusionMatrix(7)
    for seed in range(3 if rank == 0 else 1):  # uneven
        metric.update(*random_case(10 * rank + seed, 100 + seed))
    return metric.compute()


def test_ranks_with_uneven_parts_sum_up(tmp_path: Path) -> None:
    expected = ConfusionMatrix(7)
    for seed, count in ((0, 100), (1, 101), (2, 102), (10, 100)):
        expected.update(*random_case(seed, count))
    for found in in_ranks(matrix_of_rank, 2, tmp_path):
        assert torch.equal(found, expected.compute())
