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
    """One kind of prediction, for training, validation and evaluation.

    Attributes:
        predicts: Kind of output that a head must have.
        levels: Names of the levels that evaluation scores.
        num_outputs: Number of outputs K of a head for each voxel, cloud or proposal.
        main_score: Name of the score of :meth:`scores` that selects the best network; higher is
            better.
        arguments: Arguments of the constructor, JSON values: enough to build the task again
            without any data.
    """

    predicts: Predicts
    levels: tuple[str, ...]
    num_outputs: int
    main_score: str
    arguments: dict[str, Any]

    def __init__(self, **arguments: Any) -> None:
        """Store the arguments."""
        self.arguments = arguments

    @abstractmethod
    def loss(self, outputs: Any, batch: LabelledBatch) -> LossOutput:
        """Compute the loss of a head's outputs; finite and differentiable without any label."""

    @abstractmethod
    def new_metric(self) -> Metric:
        """Make an empty metric."""

    @abstractmethod
    def update(self, metric: Metric, outputs: Any, batch: LabelledBatch) -> None:
        """Update a metric with a head's outputs for a batch."""

    @abstractmethod
    def scores(self, metric: Metric) -> dict[str, float]:
        """Compute the scores, 0..1, by name."""

    @abstractmethod
    def class_scores(self, metric: Metric, class_names: Sequence[str]) -> dict[str, float | None]:
        """Compute the main score of each class by name; None for one that does not occur."""

    @abstractmethod
    def table(self, metrics: Mapping[str, Metric], class_names: Sequence[str]) -> str:
        """Format all scores as text; ``metrics`` by level."""

    def confusion(self, metric: Metric) -> torch.Tensor | None:
        """Confusion matrix (C, C), rows ground truth; None if the task has none."""
        return None


class ClassTask(Task):
    """Prediction of a class for each voxel and point, or for each cloud.

    Outputs are logits (M, K) or (B, K).

    Attributes:
        category_names: Names of the categories of shapes if prediction needs the category of a
            shape; None if it needs nothing but the cloud.
    """

    predicts = "points"
    levels = ("voxel", "point")
    category_names: list[str] | None = None

    def probabilities(self, logits: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        """Compute probabilities (M, K).

        Args:
            logits: (M, K).
            categories: (M,) int64 category of the cloud of each row.
        """
        return logits.softmax(dim=1)

    @abstractmethod
    def count(
        self, metric: Metric, predictions: torch.Tensor, labels: torch.Tensor, category: int
    ) -> None:
        """Update a metric with the predictions (M,) and labels (M,) of one cloud."""

    def update(self, metric: Metric, outputs: torch.Tensor, batch: LabelledBatch) -> None:
        """Update a metric with the predictions of a batch."""
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
    """Mean cross-entropy of the rows with a label; 0, differentiable, if there is none.

    The mean of PyTorch is NaN then, which scenes with few annotated points would meet.
    """
    total = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum")
    return total / (labels != IGNORE).sum().clamp(min=1)


def voxel_categories(batch: LabelledBatch) -> torch.Tensor:
    """Category (M,) int64 of the cloud of each voxel."""
    return batch.categories[batch.coordinates[:, 0].long()]


def named(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float | None]:
    """Scores by name, with None for NaN, which JSON lacks."""
    return {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(names, values, strict=True)
    }
