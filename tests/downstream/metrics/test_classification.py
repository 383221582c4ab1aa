from __future__ import annotations

import math

import pytest
import torch

from downstream.metrics.classification import classification_scores, tail_classes


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
