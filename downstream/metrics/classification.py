"""The figures of classification, with the rare classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from downstream.metrics.confusion import segmentation_scores
from pointcontrast.errors import InputError

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


def tail_classes(num_training: Sequence[int], *, fewer_than: int | None = None) -> tuple[int, ...]:
    """The classes with the fewest shapes to train on.

    The paper reports the accuracy on the least represented classes and no source says which they
    are. A third is what this project takes: on ShapeNet it is many enough to be
    measured, and it needs no number that depends on the size of the dataset.

    Args:
        num_training: shapes of each class in the whole training split, also where fewer are
            trained on, so that the figures of different shares of it compare.
        fewer_than: all classes with fewer shapes than this. None: the rarest third, rounded down
            but at least one class, of equals the first.

    Returns:
        Their rows, rising.

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
    """The figures of a confusion matrix (C, C), rows truth.

    Args:
        matrix: counts of shapes.
        num_training: see :func:`tail_classes`.
        fewer_than: see :func:`tail_classes`.

    Raises:
        InputError: nothing was counted, there is not one number of training shapes for each
            class, or no class is in the tail.
    """
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
