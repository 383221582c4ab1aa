"""Segmentation: a class for every voxel of a scene, or a part for every voxel of a shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torchmetrics import Metric

from downstream.metrics.confusion import ConfusionMatrix, segmentation_scores
from downstream.metrics.parts import PartIoU, part_scores
from downstream.metrics.tables import format_parts, format_segmentation
from downstream.tasks.task import ClassTask, mean_cross_entropy, named, voxel_categories
from downstream.types import LabelledBatch
from pointcontrast.losses import LossOutput


class Segmentation(ClassTask):
    """Semantic segmentation (PointContrast ``downstream/semseg``: cross-entropy, mean IoU)."""

    main_score = "mean_iou"

    def __init__(self, class_names: Sequence[str]) -> None:
        """Predict one of ``class_names``."""
        super().__init__(class_names=list(class_names))
        self.num_outputs = len(class_names)

    def loss(self, outputs: torch.Tensor, batch: LabelledBatch) -> LossOutput:
        """Compute the cross-entropy of the voxels with a label."""
        return LossOutput(mean_cross_entropy(outputs, batch.labels), {})

    def new_metric(self) -> ConfusionMatrix:
        """Make an empty confusion matrix."""
        return ConfusionMatrix(self.num_outputs)

    def count(
        self, metric: Metric, predictions: torch.Tensor, labels: torch.Tensor, category: int
    ) -> None:
        """Update a metric with the points or voxels of a cloud."""
        metric.update(predictions, labels)

    def scores(self, metric: Metric) -> dict[str, float]:
        """Compute ``mean_iou``, ``mean_accuracy`` and ``overall_accuracy``."""
        found = segmentation_scores(metric.compute())
        return {
            "mean_iou": found.mean_iou,
            "mean_accuracy": found.mean_accuracy,
            "overall_accuracy": found.overall_accuracy,
        }

    def class_scores(self, metric: Metric, class_names: Sequence[str]) -> dict[str, float | None]:
        """Compute the IoU of each class."""
        return named(class_names, segmentation_scores(metric.compute()).iou)

    def table(self, metrics: Mapping[str, Metric], class_names: Sequence[str]) -> str:
        """Format scores of voxels and points side by side."""
        voxel, point = (segmentation_scores(metrics[level].compute()) for level in self.levels)
        return format_segmentation(voxel, point, class_names)

    def confusion(self, metric: Metric) -> torch.Tensor:
        """Confusion matrix (C, C), rows ground truth."""
        return torch.atleast_2d(metric.compute())  # torchmetrics squeezes a matrix of 1 x 1


class PartSegmentation(ClassTask):
    """Segmentation into the parts of a shape whose category is known (ShapeNetPart).

    Loss and prediction take the softmax over the parts of the category only: the benchmark provides
    the category (the paper does not define the head).
    """

    main_score = "instance_mean_iou"

    def __init__(
        self, parts_of_category: Sequence[Sequence[int]], category_names: Sequence[str]
    ) -> None:
        """Predict parts.

        Args:
            parts_of_category: Parts of each category, rows of one list of parts of all categories.
            category_names: Names of the categories.
        """
        self.parts_of_category = [list(parts) for parts in parts_of_category]
        self.category_names = list(category_names)
        super().__init__(
            parts_of_category=self.parts_of_category, category_names=self.category_names
        )
        self.num_outputs = 1 + max(part for parts in self.parts_of_category for part in parts)
        self._allowed = torch.zeros(len(parts_of_category), self.num_outputs, dtype=torch.bool)
        for category, parts in enumerate(self.parts_of_category):
            self._allowed[category, parts] = True

    def loss(self, outputs: torch.Tensor, batch: LabelledBatch) -> LossOutput:
        """Compute the cross-entropy of the voxels with a label."""
        logits = self._masked(outputs, voxel_categories(batch))
        return LossOutput(mean_cross_entropy(logits, batch.labels), {})

    def probabilities(self, logits: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        """Compute probabilities over the parts of the category; 0 for all others."""
        return self._masked(logits, categories).softmax(dim=1)

    def new_metric(self) -> PartIoU:
        """Make an empty metric of each shape's IoU."""
        return PartIoU(self.parts_of_category)

    def count(
        self, metric: Metric, predictions: torch.Tensor, labels: torch.Tensor, category: int
    ) -> None:
        """Update a metric with one shape."""
        metric.update(predictions, labels, category)

    def scores(self, metric: Metric) -> dict[str, float]:
        """Compute ``instance_mean_iou`` and ``category_mean_iou``."""
        found = part_scores(metric.compute())
        return {
            "instance_mean_iou": found.instance_mean_iou,
            "category_mean_iou": found.category_mean_iou,
        }

    def class_scores(self, metric: Metric, class_names: Sequence[str]) -> dict[str, float | None]:
        """Compute the mean IoU of each category."""
        return named(self.arguments["category_names"], part_scores(metric.compute()).per_category)

    def table(self, metrics: Mapping[str, Metric], class_names: Sequence[str]) -> str:
        """Format scores of voxels and points side by side."""
        voxel, point = (part_scores(metrics[level].compute()) for level in self.levels)
        return format_parts(voxel, point, self.arguments["category_names"])

    def _masked(self, logits: torch.Tensor, category: torch.Tensor) -> torch.Tensor:
        allowed = self._allowed.to(logits.device)[category]
        return logits.masked_fill(~allowed, torch.finfo(logits.dtype).min)
