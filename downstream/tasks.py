"""What is predicted: the loss that trains it, and the figures that it is scored by."""

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
from downstream.metrics.classification import classification_scores
from downstream.metrics.confusion import ConfusionMatrix, segmentation_scores
from downstream.metrics.parts import PartIoU, part_scores
from downstream.score_table import format_classification, format_parts, format_segmentation
from downstream.types import IGNORE, LabelledBatch
from pointcontrast.losses import LossOutput


class Task(ABC):
    """One kind of prediction. The same object serves training, validation and evaluation.

    Attributes:
        predicts: what a head must put out for it.
        levels: what is counted in evaluation, by name.
        num_outputs: K, the numbers that a head puts out for each voxel, cloud or proposal.
        main_score: of :meth:`scores`, the one that picks the best checkpoint; higher is better.
    """

    predicts: Predicts
    levels: tuple[str, ...]
    num_outputs: int
    main_score: str

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
    """A class for each voxel and point, or for each cloud; outputs are logits (M, K) or (B, K)."""

    predicts = "points"
    levels = ("voxel", "point")

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


class Segmentation(ClassTask):
    """A class for every voxel (PointContrast ``downstream/semseg``: cross-entropy, mean IoU)."""

    main_score = "mean_iou"

    def __init__(self, class_names: Sequence[str]) -> None:
        """Predict one of ``class_names``."""
        self.num_outputs = len(class_names)

    def loss(self, outputs: torch.Tensor, batch: LabelledBatch) -> LossOutput:
        """Over the voxels that have a label."""
        return LossOutput(mean_cross_entropy(outputs, batch.labels), {})

    def new_metric(self) -> ConfusionMatrix:
        """A confusion matrix."""
        return ConfusionMatrix(self.num_outputs)

    def count(
        self, metric: Metric, predictions: torch.Tensor, labels: torch.Tensor, category: int
    ) -> None:
        """Count points or voxels."""
        metric.update(predictions, labels)

    def scores(self, metric: Metric) -> dict[str, float]:
        """``mean_iou``, ``mean_accuracy``, ``overall_accuracy`` over voxels."""
        found = segmentation_scores(metric.compute())
        return {
            "mean_iou": found.mean_iou,
            "mean_accuracy": found.mean_accuracy,
            "overall_accuracy": found.overall_accuracy,
        }

    def class_scores(self, metric: Metric, class_names: Sequence[str]) -> dict[str, float | None]:
        """The IoU of each class."""
        return named(class_names, segmentation_scores(metric.compute()).iou)

    def table(self, metrics: Mapping[str, Metric], class_names: Sequence[str]) -> str:
        """Voxels and points side by side."""
        voxel, point = (segmentation_scores(metrics[level].compute()) for level in self.levels)
        return format_segmentation(voxel, point, class_names)

    def confusion(self, metric: Metric) -> torch.Tensor:
        """What was counted."""
        return metric.compute()


class PartSegmentation(ClassTask):
    """A part for every voxel of a shape whose category is known (ShapeNetPart).

    Scores outside the category's parts are left out of both the softmax of the loss and the
    prediction: the benchmark gives the category (the paper leaves the head open).
    """

    main_score = "instance_mean_iou"

    def __init__(
        self, parts_of_category: Sequence[Sequence[int]], category_names: Sequence[str]
    ) -> None:
        """Parts are rows of one list for all categories; each category has some of them."""
        self.category_names = list(category_names)
        self.parts_of_category = [list(parts) for parts in parts_of_category]
        self.num_outputs = 1 + max(part for parts in self.parts_of_category for part in parts)
        self._allowed = torch.zeros(len(parts_of_category), self.num_outputs, dtype=torch.bool)
        for category, parts in enumerate(self.parts_of_category):
            self._allowed[category, parts] = True

    def loss(self, outputs: torch.Tensor, batch: LabelledBatch) -> LossOutput:
        """Over the voxels that have a label."""
        logits = self._masked(outputs, voxel_categories(batch))
        return LossOutput(mean_cross_entropy(logits, batch.labels), {})

    def probabilities(self, logits: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        """Over the parts of the category; 0 for all others."""
        return self._masked(logits, categories).softmax(dim=1)

    def new_metric(self) -> PartIoU:
        """Per-shape IoU over the category's parts."""
        return PartIoU(self.parts_of_category)

    def count(
        self, metric: Metric, predictions: torch.Tensor, labels: torch.Tensor, category: int
    ) -> None:
        """Count one shape."""
        metric.update(predictions, labels, category)

    def scores(self, metric: Metric) -> dict[str, float]:
        """``instance_mean_iou`` and ``category_mean_iou``."""
        found = part_scores(metric.compute())
        return {
            "instance_mean_iou": found.instance_mean_iou,
            "category_mean_iou": found.category_mean_iou,
        }

    def class_scores(self, metric: Metric, class_names: Sequence[str]) -> dict[str, float | None]:
        """The mean IoU of each category."""
        return named(self.category_names, part_scores(metric.compute()).per_category)

    def table(self, metrics: Mapping[str, Metric], class_names: Sequence[str]) -> str:
        """Voxels and points side by side."""
        voxel, point = (part_scores(metrics[level].compute()) for level in self.levels)
        return format_parts(voxel, point, self.category_names)

    def _masked(self, logits: torch.Tensor, category: torch.Tensor) -> torch.Tensor:
        allowed = self._allowed.to(logits.device)[category]
        return logits.masked_fill(~allowed, torch.finfo(logits.dtype).min)


class Classification(ClassTask):
    """A class for a whole shape (no protocol was published)."""

    predicts = "clouds"
    levels = ("cloud",)
    main_score = "overall_accuracy"

    def __init__(self, class_names: Sequence[str], num_training: Sequence[int]) -> None:
        """Predict one of ``class_names``; ``num_training`` shapes of each are trained on."""
        self.num_outputs = len(class_names)
        self.num_training = list(num_training)

    def loss(self, outputs: torch.Tensor, batch: LabelledBatch) -> LossOutput:
        """Over the shapes."""
        return LossOutput(mean_cross_entropy(outputs, batch.categories), {})

    def new_metric(self) -> ConfusionMatrix:
        """A confusion matrix."""
        return ConfusionMatrix(self.num_outputs)

    def count(
        self, metric: Metric, predictions: torch.Tensor, labels: torch.Tensor, category: int
    ) -> None:
        """Count shapes."""
        metric.update(predictions, labels)

    def scores(self, metric: Metric) -> dict[str, float]:
        """``overall_accuracy``, ``mean_accuracy`` over classes and ``tail_accuracy``."""
        found = classification_scores(metric.compute(), self.num_training)
        return {
            "overall_accuracy": found.overall_accuracy,
            "mean_accuracy": found.mean_accuracy,
            "tail_accuracy": found.tail_accuracy,
        }

    def class_scores(self, metric: Metric, class_names: Sequence[str]) -> dict[str, float | None]:
        """The accuracy of each class."""
        return named(class_names, segmentation_scores(metric.compute()).accuracy)

    def table(self, metrics: Mapping[str, Metric], class_names: Sequence[str]) -> str:
        """Accuracy, and that of each class."""
        scores = classification_scores(metrics["cloud"].compute(), self.num_training)
        return format_classification(scores, class_names)

    def confusion(self, metric: Metric) -> torch.Tensor:
        """What was counted."""
        return metric.compute()


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
