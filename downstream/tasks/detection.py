"""Detection: the loss of VoteNet, its post-processing, and average precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torchmetrics import Metric

from downstream.boxes.geometry import points_in_boxes, suppress
from downstream.metrics.detection import AveragePrecision, detection_scores
from downstream.metrics.tables import format_detection
from downstream.tasks.box_coding import BoxCoding
from downstream.tasks.detection_loss import detection_loss
from downstream.tasks.task import Task, named
from downstream.types import IGNORE, DetectedBoxes, LabelledBatch, Proposals
from pointcontrast.errors import InputError
from pointcontrast.losses import LossOutput

MIN_POINTS = 5
"""A proposal with fewer points inside is empty (VoteNet ``models/ap_helper.py``)."""


@dataclass(frozen=True, kw_only=True)
class DetectionSettings:
    """Post-processing of proposals and scoring of detections. Every field changes the scores.

    Defaults are those of VoteNet's evaluation (``eval.py``, ``models/ap_helper.py``). PointContrast
    (``config/default.yaml``, ``test:``) has ``suppression: none`` and ``per_class: false``;
    ContrastiveSceneContexts has VoteNet's.

    Attributes:
        min_score: Objectness below which proposals are discarded.
        suppression: Non-maximum suppression: ``class`` among proposals of the same most probable
            class, ``all`` among all, or ``none``.
        suppression_iou: IoU above which a proposal of lower objectness is suppressed.
        oriented_suppression: Take the IoU of rotated boxes; false takes their enclosing
            axis-aligned boxes, as VoteNet does.
        per_class: Count a proposal for every class, with objectness times class probability as
            score; false counts it for its most probable class, with objectness as score.
        remove_empty: Discard boxes with fewer than five points. (Validation while training keeps
            them, as VoteNet does.)
        interpolation: Interpolation of the precision-recall curve: all points, or 11 (VOC 2007).
    """

    min_score: float = 0.05
    suppression: Literal["class", "all", "none"] = "class"
    suppression_iou: float = 0.25
    oriented_suppression: bool = False
    per_class: bool = True
    remove_empty: bool = True
    interpolation: Literal["all_point", "11_point"] = "all_point"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: one is out of range; the message names it.
        """
        for name in ("min_score", "suppression_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"detection.{name} {getattr(self, name)} must be from 0 to 1")
        if self.suppression not in ("class", "all", "none"):
            raise InputError(
                f"detection.suppression {self.suppression!r} must be class, all or none"
            )


class Detection(Task):
    """Detection of boxes (PointContrast ``downstream/votenet_det_new``)."""

    predicts = "boxes"
    levels = ("box",)
    main_score = "mean_ap_25"

    def __init__(
        self,
        class_names: Sequence[str],
        coding: BoxCoding | Mapping[str, Any],
        settings: DetectionSettings | Mapping[str, Any] | None = None,
    ) -> None:
        """Detect objects of some classes.

        Args:
            class_names: Names of the C classes.
            coding: Coding of boxes: a mean size per class, and headings; or a mapping of its
                arguments, as network files hold it.
            settings: How proposals become detections; None for the defaults.
        """
        if not isinstance(coding, BoxCoding):
            coding = BoxCoding(**coding)
        if not isinstance(settings, DetectionSettings):
            settings = DetectionSettings(**({} if settings is None else settings))
        assert coding.num_classes == len(class_names)
        super().__init__(
            class_names=list(class_names), coding=coding.arguments, settings=asdict(settings)
        )
        self.coding = coding
        self.num_outputs = coding.num_outputs
        self.settings = settings

    def loss(self, outputs: Proposals, batch: LabelledBatch) -> LossOutput:
        """Compute the loss of VoteNet."""
        return detection_loss(outputs, self.coding, batch)

    def new_metric(self) -> AveragePrecision:
        """Make an empty metric: average precision at IoU 0.25 and 0.5 of oriented boxes."""
        return AveragePrecision(self.coding.num_classes, interpolation=self.settings.interpolation)

    def update(self, metric: Metric, outputs: Proposals, batch: LabelledBatch) -> None:
        """Update a metric with the detections of a batch; empty boxes are kept."""
        found = self.detect(outputs, batch.names)
        for detected, boxes in zip(found, batch.boxes.cpu().numpy(), strict=True):
            metric.update(detected, boxes[boxes[:, 7] != IGNORE])

    def detect(
        self,
        outputs: Proposals,
        names: Sequence[str],
        points: Sequence[NDArray[np.float32]] | None = None,
    ) -> list[DetectedBoxes]:
        """Turn the proposals of each sample into detections.

        Args:
            outputs: Output of the head.
            names: Names of the samples, for messages.
            points: (N, 3) points of each sample, to discard empty boxes if the settings say so;
                None keeps them.

        Raises:
            InputError: a proposal is NaN or infinite: the weights are damaged.
        """
        raw = self.coding.split(outputs.outputs.detach())
        boxes = self.coding.decode(raw, outputs.centers.detach()).cpu().numpy()
        objectness = raw.objectness.softmax(dim=-1)[..., 1].cpu().numpy()
        classes = raw.class_logits.softmax(dim=-1).cpu().numpy()
        found = []
        for sample, name in enumerate(names):
            broken = ~(
                np.isfinite(boxes[sample]).all(axis=1)
                & np.isfinite(objectness[sample])
                & np.isfinite(classes[sample]).all(axis=1)
            )
            if broken.any():
                raise InputError(
                    f"{name}: {int(broken.sum())} of {len(broken)} proposals are NaN or infinite; "
                    "the weights are damaged"
                )
            inside = None if points is None else points[sample]
            found.append(self._choose(boxes[sample], objectness[sample], classes[sample], inside))
        return found

    def scores(self, metric: Metric) -> dict[str, float]:
        """Compute mean precisions ``mean_ap_25``, ``mean_ap_50``, and recalls ``mean_ar_...``."""
        found = detection_scores(metric)
        named_scores: dict[str, float] = {}
        for row, threshold in enumerate(found.thresholds):
            number = f"{100 * threshold:.0f}"
            named_scores[f"mean_ap_{number}"] = float(found.mean_average_precision[row])
            named_scores[f"mean_ar_{number}"] = float(found.mean_recall[row])
        return named_scores

    def class_scores(self, metric: Metric, class_names: Sequence[str]) -> dict[str, float | None]:
        """Compute the average precision of each class at IoU 0.25."""
        return named(class_names, detection_scores(metric).average_precision[0])

    def table(self, metrics: Mapping[str, Metric], class_names: Sequence[str]) -> str:
        """Format average precision at both thresholds, and of each class."""
        return format_detection(detection_scores(metrics["box"]), class_names)

    def _choose(
        self,
        boxes: NDArray[np.float32],
        objectness: NDArray[np.float32],
        classes: NDArray[np.float32],
        points: NDArray[np.float32] | None,
    ) -> DetectedBoxes:
        """Post-process P proposals: boxes (P, 7), objectness (P,), class probabilities (P, C)."""
        settings = self.settings
        rows = np.flatnonzero(objectness > settings.min_score)
        if settings.remove_empty and points is not None and len(rows):
            held = points_in_boxes(points, boxes[rows]).sum(axis=0)
            rows = rows[held >= MIN_POINTS]
        likeliest = classes[rows].argmax(axis=1)
        if settings.suppression != "none":
            kept = suppress(
                boxes[rows],
                objectness[rows],
                likeliest if settings.suppression == "class" else None,
                threshold=settings.suppression_iou,
                oriented=settings.oriented_suppression,
            )
            rows, likeliest = rows[kept], likeliest[kept]
        if not settings.per_class:
            return DetectedBoxes(boxes=boxes[rows], classes=likeliest, scores=objectness[rows])
        num_classes = classes.shape[1]
        return DetectedBoxes(
            boxes=np.repeat(boxes[rows], num_classes, axis=0),
            classes=np.tile(np.arange(num_classes), len(rows)),
            scores=(objectness[rows, None] * classes[rows]).reshape(-1),
        )


def likeliest_of_each(detected: DetectedBoxes, min_score: float) -> DetectedBoxes:
    """Keep each box once, with its class of highest score if that is at least ``min_score``."""
    if not len(detected):
        return detected
    order = np.argsort(-detected.scores, kind="stable")
    _, first = np.unique(detected.boxes[order], axis=0, return_index=True)
    rows = order[np.sort(first)]
    return detected[rows[detected.scores[rows] >= min_score]]
