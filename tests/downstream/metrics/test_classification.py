from __future__ import annotations

import math

import pytest
import torch

from downstream.metrics.classification import classification_scores, tail_classes
from pointcontrast.errors import InputError


def test_the_tail_is_the_rarest_third() -> None:
    assert tail_classes([50, 3, 900, 7, 7, 12]) == (1, 3)  # of the two sevens the first
    assert tail_classes([5, 4]) == (1,)
    assert len(tail_classes([10] * 55)) == 18


def test_figures_equal_those_by_hand() -> None:
    matrix = torch.tensor([[8, 2, 0], [1, 3, 0], [1, 0, 1]])
    scores = classification_scores(matrix, [100, 40, 5])
    assert scores.overall_accuracy == pytest.approx(12 / 16)
    assert scores.mean_accuracy == pytest.approx((8 / 10 + 3 / 4 + 1 / 2) / 3)
    assert scores.tail == (2,)
    assert scores.tail_accuracy == pytest.approx(1 / 2)
    assert scores.accuracy.tolist() == pytest.approx([0.8, 0.75, 0.5])


def test_a_tail_without_shapes_has_no_figure() -> None:
    matrix = torch.tensor([[4, 0], [0, 0]])
    assert math.isnan(classification_scores(matrix, [10, 1]).tail_accuracy)


def test_the_tail_can_be_a_number_of_shapes() -> None:
    counts = [100, 40, 5]
    assert tail_classes(counts, fewer_than=41) == (1, 2)
    assert tail_classes(counts, fewer_than=40) == (2,)
    matrix = torch.tensor([[8, 2, 0], [1, 3, 0], [1, 0, 1]])
    scores = classification_scores(matrix, counts, fewer_than=41)
    assert scores.tail_accuracy == pytest.approx((3 + 1) / (4 + 2))  # shapes, not classes
    with pytest.raises(InputError, match="fewer than 5 training shapes; the rarest has 5"):
        tail_classes(counts, fewer_than=5)


def test_training_counts_are_of_all_classes() -> None:
    with pytest.raises(InputError, match="3 numbers of training shapes do not fit 2 classes"):
        classification_scores(torch.eye(2, dtype=torch.int64), [1, 2, 3])
