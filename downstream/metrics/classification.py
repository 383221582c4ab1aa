"""Scores of classification, with those of rare classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from downstream.metrics.confusion import segmentation_scores
from pointcontrast.errors import InputError

TAIL_SHARE = 3
"""One class in three belongs to the tail."""


@dataclass(frozen=True, kw_only=True)
class ClassificationScores:
    """Scores of one confusion matrix of whole shapes, 0..1.

    Attributes:
        overall_accuracy: Fraction of shapes that are correct.
        mean_accuracy: Mean over the classes that occur.
        tail_accuracy: Fraction of the shapes of tail classes that are correct; NaN if there are
            none.
        accuracy: (C,) float64 accuracy of each class; NaN for a class that does not occur.
        tail: Rows of the tail classes, ascending.
    """

    overall_accuracy: float
    mean_accuracy: float
    tail_accuracy: float
    accuracy: NDArray[np.float64]
    tail: tuple[int, ...]


def tail_classes(num_training: Sequence[int], *, fewer_than: int | None = None) -> tuple[int, ...]:
    """Find the classes with the fewest training shapes.

    The paper reports the accuracy on the least represented classes and no source defines them.
    This project takes a third: on ShapeNet that is enough shapes to measure, and it depends on no
    number tied to the size of the dataset.

    Args:
        num_training: Shapes of each class in the whole training split, even if fewer are trained
            on, so that scores for different fractions of it compare.
        fewer_than: Take all classes with fewer shapes than this. None for the rarest third,
            rounded down but at least one class; ties go to the first.

    Returns:
        Rows of the tail classes, ascending.

    Raises:
        InputError: no class has fewer shapes than ``fewer_than``.
    """
    counts = np.asarray(num_training)
    if fewer_than is None:
        rarest = np.argsort(counts, kind="stable")[: max(1, len(counts) // TAIL_SHARE)]
        return tuple(sorted(rarest.tolist()))
    rare = np.flatnonzero(counts < fewer_than)
    if not len(rare):
        raise InputError(
            f"no class has fewer than {fewer_than} training shapes; the rarest has {counts.min()}"
        )
    return tuple(rare.tolist())


def classification_scores(
    matrix: torch.Tensor, num_training: Sequence[int], *, fewer_than: int | None = None
) -> ClassificationScores:
    """Compute the scores of a confusion matrix.

    Args:
        matrix: (C, C) counts of shapes, rows ground truth.
        num_training: See :func:`tail_classes`.
        fewer_than: See :func:`tail_classes`.

    Raises:
        InputError: the matrix is empty, ``num_training`` does not have one number per class, or no
            class is in the tail.
    """
    matrix = torch.atleast_2d(matrix)  # torchmetrics squeezes a matrix of 1 x 1
    if len(num_training) != len(matrix):
        raise InputError(
            f"{len(num_training)} numbers of training shapes do not fit {len(matrix)} classes"
        )
    scores = segmentation_scores(matrix)
    tail = tail_classes(num_training, fewer_than=fewer_than)
    counts = matrix.cpu().numpy()
    num_tail = int(counts[list(tail)].sum())
    num_right = int(np.diag(counts)[list(tail)].sum())
    return ClassificationScores(
        overall_accuracy=scores.overall_accuracy,
        mean_accuracy=scores.mean_accuracy,
        tail_accuracy=num_right / num_tail if num_tail else float("nan"),
        accuracy=scores.accuracy,
        tail=tail,
    )
