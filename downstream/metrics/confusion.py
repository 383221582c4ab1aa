"""The confusion matrix, and the figures of semantic segmentation that are made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric

from downstream.types import IGNORE
from pointcontrast.errors import InputError


class ConfusionMatrix(Metric):
    """Counts of (truth, prediction); exact over batches and ranks of any size.

    torchmetrics' own figures give 0 to a class that does not occur and cannot leave out a
    negative label; its matrix is what this one is tested against.
    """

    full_state_update = False
    higher_is_better = None
    matrix: torch.Tensor

    def __init__(self, num_classes: int) -> None:
        """Start with nothing counted."""
        super().__init__()
        self.num_classes = num_classes
        zeros = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        self.add_state("matrix", zeros, dist_reduce_fx="sum")

    def update(self, predictions: torch.Tensor, labels: torch.Tensor) -> None:
        """Count.

        Args:
            predictions: (N,) whole numbers, rows of the classes.
            labels: (N,) likewise, or ``IGNORE``: not counted.

        Raises:
            ValueError: a number is no class, or the sizes differ.
        """
        if predictions.shape != labels.shape:
            raise ValueError(f"{len(predictions)} predictions for {len(labels)} labels")
        counted = labels != IGNORE
        truth, found = labels[counted].long(), predictions[counted].long()
        for name, values in (("label", truth), ("prediction", found)):
            if len(values) and not 0 <= int(values.min()) <= int(values.max()) < self.num_classes:
                wrong = values[(values < 0) | (values >= self.num_classes)][0]
                raise ValueError(f"{name} {int(wrong)} is none of {self.num_classes} classes")
        counts = torch.bincount(truth * self.num_classes + found, minlength=self.num_classes**2)
        self.matrix += counts.reshape(self.num_classes, self.num_classes)

    def compute(self) -> torch.Tensor:
        """(C, C) int64, rows truth, columns prediction."""
        return self.matrix


@dataclass(frozen=True, kw_only=True)
class SegmentationScores:
    """Figures of one confusion matrix, 0..1.

    Attributes:
        iou: (C,) float64; NaN for a class that is neither there nor predicted.
        accuracy: (C,) float64, the share of a class that is found; NaN where it is not there.
        mean_iou: over the classes that have one, as the released evaluation (``nanmean`` in
            PointContrast ``downstream/semseg/lib/test.py``).
        mean_accuracy: likewise.
        overall_accuracy: the share of all that is right.
    """

    iou: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    mean_iou: float
    mean_accuracy: float
    overall_accuracy: float


def segmentation_scores(matrix: torch.Tensor) -> SegmentationScores:
    """The figures of a confusion matrix (C, C), rows truth.

    Raises:
        InputError: nothing was counted.
    """
    counts = matrix.cpu().numpy().astype(np.float64)
    if not counts.sum():
        raise InputError("nothing that was evaluated has a label; look at the scenes' labels")
    right, there, found = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    iou = _share(right, there + found - right)
    accuracy = _share(right, there)
    return SegmentationScores(
        iou=iou,
        accuracy=accuracy,
        mean_iou=float(np.nanmean(iou)),
        mean_accuracy=float(np.nanmean(accuracy)),
        overall_accuracy=float(right.sum() / counts.sum()),
    )


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
