"""Kinds of prediction: the loss that trains one, and the metrics that score it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torchmetrics import Metric

from downstream.heads import Predicts
from downstream.types import IGNORE, LabelledBatch
from pointcontrast.losses import LossOutput


class Task(ABC):
    """One kind of prediction. The same object serves training, validation and evaluation.

    Attributes:
        predicts: what a head must put out for it.
        levels: what is counted in evaluation, by name.
        num_outputs: K, the numbers that a head puts out for each voxel, cloud or proposal.
        main_score: of :meth:`scores`, the one that picks the best checkpoint; higher is better.
        arguments: What the constructor was given, JSON values: enough to build the task again,
            without any data.
    """

    predicts: Predicts
    levels: tuple[str, ...]
    num_outputs: int
    main_score: str
    arguments: dict[str, Any]

    def __init__(self, **arguments: Any) -> None:
        """Remember the arguments."""
        self.arguments = arguments

    @abstractmethod
    def loss(self, outputs: Any, batch: LabelledBatch) -> LossOutput:
        """The loss of what the head put out, finite and with gradients where nothing is known."""

    @abstractmethod
    def new_metric(self) -> Metric:
        """A metric that has seen nothing."""

    @abstractmethod
    def update(self, metric: Metric, outputs: Any, batch: LabelledBatch) -> None:
        """Count what the head put out for a batch."""

    @abstractmethod
    def scores(self, metric: Metric) -> dict[str, float]:
        """The figures, 0..1, from all that was counted."""

    @abstractmethod
    def class_scores(self, metric: Metric, class_names: Sequence[str]) -> dict[str, float | None]:
        """The figure of each class by its name; None for one that does not occur."""

    @abstractmethod
    def table(self, metrics: Mapping[str, Metric], class_names: Sequence[str]) -> str:
        """All figures as text; ``metrics`` by level."""

    def confusion(self, metric: Metric) -> torch.Tensor | None:
        """(C, C) counts, rows truth; None where classes of different clouds do not compare."""
        return None


class ClassTask(Task):
    """A class for each voxel and point, or for each cloud; outputs are logits (M, K) or (B, K).

    Attributes:
        category_names: Categories of whole shapes, where predicting needs to know a shape's; None
            where nothing but the cloud is needed.
    """

    predicts = "points"
    levels = ("voxel", "point")
    category_names: list[str] | None = None

    def probabilities(self, logits: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        """(M, K) from logits (M, K) and the category (M,) of the cloud that each row is of."""
        return logits.softmax(dim=1)

    @abstractmethod
    def count(
        self, metric: Metric, predictions: torch.Tensor, labels: torch.Tensor, category: int
    ) -> None:
        """Count the predictions (M,) of one cloud against what is true of it (M,)."""

    def update(self, metric: Metric, outputs: torch.Tensor, batch: LabelledBatch) -> None:
        """Count the predictions of a batch."""
        of_points = self.predicts == "points"
        categories = voxel_categories(batch) if of_points else batch.categories
        predictions = self.probabilities(outputs, categories).argmax(dim=1)
        labels = batch.labels if of_points else batch.categories
        for sample, category in enumerate(batch.categories.tolist()):
            rows = slice(sample, sample + 1)
            if of_points:
                rows = slice(batch.offsets[sample], batch.offsets[sample + 1])
            self.count(metric, predictions[rows], labels[rows], category)


def mean_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the rows that have a label; 0 with gradients where none has.

    PyTorch's own mean is NaN there, which a scene with few annotated points meets.
    """
    total = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum")
    return total / (labels != IGNORE).sum().clamp(min=1)


def voxel_categories(batch: LabelledBatch) -> torch.Tensor:
    """(M,) int64 category of the cloud that each voxel belongs to."""
    return batch.categories[batch.coordinates[:, 0].long()]


def named(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float | None]:
    """Figures by name; None, which JSON has, for NaN, which it has not."""
    return {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(names, values, strict=True)
    }
