"""Classification of whole shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torchmetrics import Metric

from downstream.metrics.classification import classification_scores
from downstream.metrics.confusion import ConfusionMatrix, segmentation_scores
from downstream.metrics.tables import format_classification
from downstream.tasks.task import ClassTask, mean_cross_entropy, named
from downstream.types import LabelledBatch
from pointcontrast.losses import LossOutput


class Classification(ClassTask):
    """Classification of whole shapes (no protocol was published)."""

    predicts = "clouds"
    levels = ("cloud",)
    main_score = "overall_accuracy"

    def __init__(self, class_names: Sequence[str], num_training: Sequence[int]) -> None:
        """Predict one of ``class_names``.

        Args:
            class_names: Names of the C classes.
            num_training: Training shapes of each class; the classes that have fewest are scored
                as the tail.
        """
        super().__init__(class_names=list(class_names), num_training=list(num_training))
        self.num_outputs = len(class_names)
        self.num_training = list(num_training)

    def loss(self, outputs: torch.Tensor, batch: LabelledBatch) -> LossOutput:
        """Compute the cross-entropy of the shapes."""
        return LossOutput(mean_cross_entropy(outputs, batch.categories), {})

    def new_metric(self) -> ConfusionMatrix:
        """Make an empty confusion matrix."""
        return ConfusionMatrix(self.num_outputs)

    def count(
        self, metric: Metric, predictions: torch.Tensor, labels: torch.Tensor, category: int
    ) -> None:
        """Update a metric with shapes."""
        metric.update(predictions, labels)

    def scores(self, metric: Metric) -> dict[str, float]:
        """Compute ``overall_accuracy``, ``mean_accuracy`` of the classes and ``tail_accuracy``."""
        found = classification_scores(metric.compute(), self.num_training)
        return {
            "overall_accuracy": found.overall_accuracy,
            "mean_accuracy": found.mean_accuracy,
            "tail_accuracy": found.tail_accuracy,
        }

    def class_scores(self, metric: Metric, class_names: Sequence[str]) -> dict[str, float | None]:
        """Compute the accuracy of each class."""
        return named(class_names, segmentation_scores(metric.compute()).accuracy)

    def table(self, metrics: Mapping[str, Metric], class_names: Sequence[str]) -> str:
        """Format the scores, and the accuracy of each class."""
        scores = classification_scores(metrics["cloud"].compute(), self.num_training)
        return format_classification(scores, class_names)

    def confusion(self, metric: Metric) -> torch.Tensor:
        """Confusion matrix (C, C), rows ground truth."""
        return torch.atleast_2d(metric.compute())  # torchmetrics squeezes a matrix of 1 x 1
