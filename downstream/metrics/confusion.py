"""The confusion matrix, and the scores of semantic segmentation computed from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric

from downstream.types import IGNORE
from pointcontrast.errors import InputError


class ConfusionMatrix(Metric):
    """Counts of (ground truth, prediction), exact over batches and ranks of any size.

    The counts are integers, so neither the order nor the split of the data changes a score. The
    IoU of torchmetrics is 0 for a class that does not occur, which lowers the mean; this matrix is
    tested against that of torchmetrics.
    """

    full_state_update = False
    higher_is_better = None
    matrix: torch.Tensor

    def __init__(self, num_classes: int) -> None:
        """Start with zero counts."""
        super().__init__()
        self.num_classes = num_classes
        zeros = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        self.add_state("matrix", zeros, dist_reduce_fx="sum")

    def update(self, predictions: torch.Tensor, labels: torch.Tensor) -> None:
        """Count predictions.

        Args:
            predictions: (N,) integers, predicted classes; any value where the label is ``IGNORE``.
            labels: (N,) integers, classes; ``IGNORE`` is not counted.

        Raises:
            InputError: a label is no class.
            ValueError: a prediction is no class, the shapes differ, or the values are not integers.
        """
        check_pair(predictions, labels)
        labels = labels.long()  # a uint8 of 255 equals -1
        counted = labels != IGNORE
        truth, found = labels[counted], predictions[counted].long()
        strange = _first_outside(truth, self.num_classes)
        if strange is not None:
            raise InputError(
                f"label {strange} is none of the {self.num_classes} classes (0 to "
                f"{self.num_classes - 1}, {IGNORE} where there is none); make the data again"
            )
        strange = _first_outside(found, self.num_classes)
        if strange is not None:
            raise ValueError(f"prediction {strange} is none of the {self.num_classes} classes")
        cells = torch.bincount(truth * self.num_classes + found, minlength=self.num_classes**2)
        self.matrix += cells.reshape(self.num_classes, self.num_classes)

    def compute(self) -> torch.Tensor:
        """Return the counts (C, C) int64, rows ground truth, columns predictions."""
        return self.matrix


@dataclass(frozen=True, kw_only=True)
class SegmentationScores:
    """Scores of one confusion matrix, 0..1.

    Defined as in the released evaluation (PointContrast ``downstream/semseg/lib/test.py``, and
    ``fast_hist`` and ``per_class_iu`` of ``lib/utils.py``): one matrix over the whole dataset
    without unlabelled points, and means over the classes that have a score. A class that is
    predicted but never occurs therefore counts with IoU 0.

    Attributes:
        iou: (C,) float64, tp / (truth + prediction - tp); NaN for a class that neither occurs nor
            is predicted.
        accuracy: (C,) float64, fraction of the class that is found; NaN if it does not occur.
        mean_iou: Mean over the classes with an IoU.
        mean_accuracy: Mean over the classes with an accuracy.
        overall_accuracy: Fraction of all points that are correct.
        absent: Rows of the classes without IoU, ascending; the means leave them out.
    """

    iou: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    mean_iou: float
    mean_accuracy: float
    overall_accuracy: float
    absent: tuple[int, ...]


def segmentation_scores(matrix: torch.Tensor) -> SegmentationScores:
    """Compute the scores of a confusion matrix (C, C), rows ground truth.

    Raises:
        InputError: the matrix is empty.
    """
    counts = np.atleast_2d(matrix.cpu().numpy().astype(np.float64))  # torchmetrics squeezes 1 x 1
    if not counts.sum():
        raise InputError("nothing that was evaluated has a label; look at the labels of the data")
    right, there, found = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    iou = _share(right, there + found - right)
    accuracy = _share(right, there)
    return SegmentationScores(
        iou=iou,
        accuracy=accuracy,
        mean_iou=float(np.nanmean(iou)),
        mean_accuracy=float(np.nanmean(accuracy)),
        overall_accuracy=float(right.sum() / counts.sum()),
        absent=tuple(np.flatnonzero(np.isnan(iou)).tolist()),
    )


def check_pair(predictions: torch.Tensor, labels: torch.Tensor) -> None:
    """Check that predictions and labels are both (N,) integers.

    Raises:
        ValueError: the shapes differ, or a dtype is floating point.
    """
    if predictions.shape != labels.shape or labels.ndim != 1:
        raise ValueError(
            f"predictions {tuple(predictions.shape)} and labels {tuple(labels.shape)} must both "
            "be (N,)"
        )
    for name, values in (("predictions", predictions), ("labels", labels)):
        if values.is_floating_point():
            raise ValueError(f"{name} are {values.dtype}, not integers; take the argmax")


def _first_outside(values: torch.Tensor, num_classes: int) -> int | None:
    """Find the first value outside 0..num_classes-1; None if there is none."""
    if not len(values):
        return None
    low, high = values.aminmax()
    if low >= 0 and high < num_classes:
        return None
    return int(values[(values < 0) | (values >= num_classes)][0])


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
