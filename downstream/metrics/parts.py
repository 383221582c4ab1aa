"""Scores of part segmentation, as for ShapeNetPart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric

from downstream.metrics.confusion import check_pair
from downstream.types import IGNORE
from pointcontrast.errors import InputError

STEPS = 1 << 44
"""Steps per 1 in the sums of :class:`PartIoU`; int64 holds half a million shapes per category."""


@dataclass(frozen=True, kw_only=True)
class PartScores:
    """Scores over shapes, 0..1. G categories.

    Attributes:
        instance_mean_iou: Mean over all shapes.
        category_mean_iou: Mean of ``per_category`` over the categories that have shapes.
        per_category: (G,) float64 means over the shapes of each category; NaN if it has none.
        num_shapes: (G,) int64 numbers of shapes of each category.
        absent: Rows of the categories without shapes, ascending; the mean leaves them out.
    """

    instance_mean_iou: float
    category_mean_iou: float
    per_category: NDArray[np.float64]
    num_shapes: NDArray[np.int64]
    absent: tuple[int, ...]


class PartIoU(Metric):
    """Mean IoU of each shape over the parts of its category, summed by category.

    A part that neither occurs nor is predicted counts 1, as is usual (Pointcept
    ``pointcept/engines/test.py`` ``PartSegTester``). Deviation: there a category without shapes
    counts 0 in the mean over categories; here it is left out.

    The sums are integers in steps of 2^-44. Neither the order nor the split of the shapes changes
    a score, and no device needs float64, which MPS lacks.
    """

    full_state_update = False
    higher_is_better = True
    total: torch.Tensor
    count: torch.Tensor

    def __init__(self, parts_of_category: Sequence[Sequence[int]]) -> None:
        """Start without shapes; parts of a category are rows of one list of parts."""
        super().__init__()
        self.parts_of_category = [list(parts) for parts in parts_of_category]
        zeros = torch.zeros(len(parts_of_category), dtype=torch.int64)
        self.add_state("total", zeros, dist_reduce_fx="sum")
        self.add_state("count", zeros.clone(), dist_reduce_fx="sum")

    def update(self, predictions: torch.Tensor, labels: torch.Tensor, category: int) -> None:
        """Count one shape.

        Args:
            predictions: (N,) predicted parts; a part of another category is a wrong prediction.
            labels: (N,) parts of the category; ``IGNORE`` is not counted. A shape without any
                other label is left out.
            category: Category of the shape.

        Raises:
            InputError: the category is unknown, or has no such part.
            ValueError: predictions and labels are not both (N,) integers.
        """
        check_pair(predictions, labels)
        if not 0 <= category < len(self.parts_of_category):
            raise InputError(
                f"category {category} of a shape is none of the {len(self.parts_of_category)}; "
                "parts are scored only where the category is known"
            )
        labels = labels.long()  # a uint8 of 255 equals -1
        counted = labels != IGNORE
        if not counted.any():
            return
        parts = torch.tensor(self.parts_of_category[category], device=labels.device)
        truth, found = labels[counted], predictions[counted]
        there, predicted = truth[:, None] == parts, found[:, None] == parts  # (N, parts)
        strange = truth[~there.any(dim=1)]
        if len(strange):
            raise InputError(
                f"label {int(strange[0])} is no part of category {category}, which has "
                f"{self.parts_of_category[category]}; make the data again"
            )
        shared = (there & predicted).sum(dim=0).tolist()
        union = (there | predicted).sum(dim=0).tolist()
        iou = [s / u if u else 1.0 for s, u in zip(shared, union, strict=True)]
        self.total[category] += round(sum(iou) / len(iou) * STEPS)
        self.count[category] += 1

    def compute(self) -> torch.Tensor:
        """Return (2, G) int64: sums of the shapes' mean IoU in steps, and numbers of shapes."""
        return torch.stack([self.total, self.count])


def part_scores(sums: torch.Tensor) -> PartScores:
    """Compute the scores from the sums (2, G) of :class:`PartIoU`.

    Raises:
        InputError: no shape was counted.
    """
    total, count = sums.cpu().numpy().astype(np.float64)
    total /= STEPS
    if not count.sum():
        raise InputError("no shape that was evaluated has labelled parts")
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return PartScores(
        instance_mean_iou=float(total.sum() / count.sum()),
        category_mean_iou=float(np.nanmean(mean)),
        per_category=mean,
        num_shapes=count.astype(np.int64),
        absent=tuple(np.flatnonzero(count == 0).tolist()),
    )
