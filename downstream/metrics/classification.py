"""The figures of classification, with the rare classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from downstream.metrics.confusion import segmentation_scores

TAIL_SHARE = 3
"""One class in so many belongs to the tail."""


@dataclass(frozen=True, kw_only=True)
class ClassificationScores:
    """Figures of one confusion matrix of whole shapes, 0..1.

    Attributes:
        overall_accuracy: the share of shapes that is right.
        mean_accuracy: the mean over the classes that occur.
        tail_accuracy: the share of the shapes of tail classes that is right; NaN where no such
            shape occurs.
        accuracy: (C,) float64 of each class; NaN where it does not occur.
        tail: rows of the tail classes, rising.
    """

    overall_accuracy: float
    mean_accuracy: float
    tail_accuracy: float
    accuracy: NDArray[np.float64]
    tail: tuple[int, ...]


def tail_classes(num_training: Sequence[int]) -> tuple[int, ...]:
    """The rarest third of the classes, rounded down but at least one; of equals the first.

    The paper reports accuracy on tail classes and does not say which they are (paper.md 3.5).

    Args:
        num_training: shapes that each class is trained on, in the whole training split.
    """
    order = np.argsort(np.asarray(num_training), kind="stable")
    return tuple(sorted(order[: max(1, len(order) // TAIL_SHARE)].tolist()))


def classification_scores(
    matrix: torch.Tensor, num_training: Sequence[int]
) -> ClassificationScores:
    """The figures of a confusion matrix (C, C), rows truth.

    Raises:
        InputError: nothing was counted.
    """
    scores = segmentation_scores(matrix)
    tail = tail_classes(num_training)
    rows = matrix.cpu().numpy()[list(tail)]
    right = sum(int(rows[i, row]) for i, row in enumerate(tail))
    return ClassificationScores(
        overall_accuracy=scores.overall_accuracy,
        mean_accuracy=scores.mean_accuracy,
        tail_accuracy=right / rows.sum() if rows.sum() else float("nan"),
        accuracy=scores.accuracy,
        tail=tail,
    )
