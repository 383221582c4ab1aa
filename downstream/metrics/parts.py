"""The figures of ShapeNetPart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric

from downstream.types import IGNORE
from pointcontrast.errors import InputError


@dataclass(frozen=True, kw_only=True)
class PartScores:
    """Figures over shapes, 0..1.

    Attributes:
        instance_mean_iou: the mean over all shapes.
        category_mean_iou: the mean over the categories that have shapes.
        per_category: (G,) float64 means over the shapes of each category; NaN where it has none.
        num_shapes: (G,) int64 shapes of each category.
    """

    instance_mean_iou: float
    category_mean_iou: float
    per_category: NDArray[np.float64]
    num_shapes: NDArray[np.int64]


class PartIoU(Metric):
    """The mean IoU of each shape over its category's parts, summed by category.

    A part that is neither there nor predicted counts 1 (Pointcept ``pointcept/engines/test.py``
    ``ShapeNetPartSegTester``; paper.md 3.4).
    """

    full_state_update = False
    higher_is_better = True
    total: torch.Tensor
    count: torch.Tensor

    def __init__(self, parts_of_category: Sequence[Sequence[int]]) -> None:
        """Take the parts that shapes of each category may have."""
        super().__init__()
        self.parts_of_category = [list(parts) for parts in parts_of_category]
        zeros = torch.zeros(len(parts_of_category), dtype=torch.float64)
        self.add_state("total", zeros, dist_reduce_fx="sum")
        self.add_state("count", zeros.long(), dist_reduce_fx="sum")

    def update(self, predictions: torch.Tensor, labels: torch.Tensor, category: int) -> None:
        """Count one shape.

        Args:
            predictions: (N,) parts.
            labels: (N,) parts, or ``IGNORE``: not counted. A shape with nothing else is left out.
            category: of the shape.

        Raises:
            ValueError: the category has no such part, or the sizes differ.
        """
        if predictions.shape != labels.shape:
            raise ValueError(f"{len(predictions)} predictions for {len(labels)} labels")
        counted = labels != IGNORE
        if not counted.any():
            return
        parts = torch.tensor(self.parts_of_category[category], device=labels.device)
        truth, found = labels[counted], predictions[counted]
        for name, values in (("label", truth), ("prediction", found)):
            strange = values[~torch.isin(values, parts)]
            if len(strange):
                raise ValueError(f"{name} {int(strange[0])} is no part of category {category}")
        there, predicted = truth[:, None] == parts, found[:, None] == parts  # (N, P)
        union = (there | predicted).sum(dim=0).double()
        shared = (there & predicted).sum(dim=0).double()
        self.total[category] += torch.where(union > 0, shared / union.clamp(min=1), 1.0).mean()
        self.count[category] += 1

    def compute(self) -> torch.Tensor:
        """(2, G) float64: for each category the sum of its shapes' mean IoU, and their number."""
        return torch.stack([self.total, self.count.double()])


def part_scores(sums: torch.Tensor) -> PartScores:
    """The figures of the sums (2, G) of :class:`PartIoU`.

    Raises:
        InputError: no shape was counted.
    """
    total, count = sums.cpu().numpy()
    if not count.sum():
        raise InputError("no shape that was evaluated has labelled parts")
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return PartScores(
        instance_mean_iou=float(total.sum() / count.sum()),
        category_mean_iou=float(np.nanmean(mean)),
        per_category=mean,
        num_shapes=count.astype(np.int64),
    )
