"""Average precision of detected boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from downstream.boxes.geometry import iou
from downstream.types import DetectedBoxes
from pointcontrast.errors import InputError

Interpolation = Literal["all_point", "11_point"]


@dataclass(frozen=True, kw_only=True)
class DetectionScores:
    """Scores at T thresholds of IoU for C classes, 0..1.

    Attributes:
        thresholds: Thresholds of IoU.
        average_precision: (T, C) float64; NaN for a class without a box.
        recall: (T, C) float64 recall of all detections; NaN likewise.
        mean_average_precision: (T,) means over the classes that have boxes; NaN if none has.
        mean_recall: (T,) likewise.
        num_truth: (C,) int64 numbers of ground-truth boxes.
    """

    thresholds: tuple[float, ...]
    average_precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    mean_average_precision: NDArray[np.float64]
    mean_recall: NDArray[np.float64]
    num_truth: NDArray[np.int64]


class AveragePrecision(Metric):
    """Average precision with the matching of VOC, exact over batches and ranks of any size.

    In each scene and class, detections are visited by descending score. A detection matches the
    box that it overlaps most if the IoU is above the threshold and no earlier detection matched
    that box (facebookresearch/votenet ``utils/eval_det.py``). Matches depend on one scene only, so
    the state of a detection is its class, its score and one mark per threshold.

    Deviation: detections of equal score are taken together, so that neither the order of scenes nor
    the number of ranks changes a score; in the reference their order is arbitrary.

    Deviation: a class without a box has no score and is left out of the means. The reference leaves
    it out only if nothing detects it; otherwise its recall is 0/0, and its average precision and
    the mean over the classes are NaN (``eval_det``; ``models/ap_helper.py compute_metrics`` takes
    the mean).
    """

    full_state_update = False
    higher_is_better = None
    detections: list[torch.Tensor]
    """Rows of class, score and marks, flat and of one dtype, so that a rank may have none."""
    num_truth: torch.Tensor

    def __init__(
        self,
        num_classes: int,
        thresholds: Sequence[float] = (0.25, 0.5),
        interpolation: Interpolation = "all_point",
        *,
        oriented: bool = True,
    ) -> None:
        """Start without detections.

        Args:
            num_classes: Number of classes C.
            thresholds: Thresholds of IoU; a match is above.
            interpolation: ``all_point`` for the area under the monotone precision-recall curve,
                ``11_point`` for the mean of its values at recalls 0, 0.1, ... 1 (VOC 2007).
            oriented: Take the IoU of rotated boxes; false ignores their yaw.

        Raises:
            InputError: an unknown interpolation.
        """
        super().__init__()
        if interpolation not in ("all_point", "11_point"):
            raise InputError(
                f"detection.interpolation {interpolation!r} must be all_point or 11_point"
            )
        self.num_classes = num_classes
        self.thresholds = tuple(thresholds)
        self.interpolation: Interpolation = interpolation
        self.oriented = oriented
        self.add_state("detections", [], dist_reduce_fx="cat")
        zeros = torch.zeros(num_classes, dtype=torch.int64)
        self.add_state("num_truth", zeros, dist_reduce_fx="sum")

    def update(self, detected: DetectedBoxes, boxes: NDArray[Any]) -> None:
        """Match the detections of one scene.

        Args:
            detected: P detections.
            boxes: (K, 8) ground-truth boxes.

        Raises:
            InputError: a ground-truth box has an unknown class.
            ValueError: a detection has an unknown class, a box has a value that is not finite or a
                negative size, or the shapes do not fit.
        """
        _check(detected, boxes, self.num_classes)
        truth = boxes[:, 7].astype(np.int64)
        counts = np.bincount(truth, minlength=self.num_classes)
        self.num_truth += torch.from_numpy(counts).to(self.num_truth.device)
        if not len(detected):
            return
        order = np.argsort(-detected.scores, kind="stable")
        detected = detected[order]
        marks = np.zeros((len(detected), len(self.thresholds)), dtype=bool)
        for number in np.intersect1d(detected.classes, truth):
            rows = np.flatnonzero(detected.classes == number)
            overlap = self._overlap(detected.boxes[rows], boxes[truth == number])
            marks[rows] = _matches(overlap, self.thresholds)
        rows = np.column_stack([detected.classes, detected.scores, marks]).astype(np.float32)
        self.detections.append(torch.from_numpy(rows).flatten().to(self.num_truth.device))

    def compute(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Compute average precision and recall (T, C) float64, and the numbers of boxes (C,).

        A class without a box has NaN.
        """
        num_thresholds = len(self.thresholds)
        found = np.empty((0, 2 + num_thresholds), np.float32)
        if len(self.detections):
            found = dim_zero_cat(self.detections).cpu().numpy().reshape(-1, 2 + num_thresholds)
        num_truth = self.num_truth.cpu()
        precision, recall = np.full((2, num_thresholds, self.num_classes), np.nan)
        for number in torch.nonzero(num_truth).flatten().tolist():
            own = found[found[:, 0] == number]
            for row in range(num_thresholds):
                precision[row, number], recall[row, number] = average_precision(
                    own[:, 1], own[:, 2 + row] > 0, int(num_truth[number]), self.interpolation
                )
        return torch.from_numpy(precision), torch.from_numpy(recall), num_truth

    def _overlap(self, found: NDArray[Any], boxes: NDArray[Any]) -> NDArray[np.float64]:
        if self.oriented:
            return iou(found, boxes)
        found, boxes = found.copy(), boxes.copy()
        found[:, 6], boxes[:, 6] = 0, 0
        return iou(found, boxes)


def detection_scores(metric: Metric) -> DetectionScores:
    """Compute the scores of an :class:`AveragePrecision` over all ranks."""
    assert isinstance(metric, AveragePrecision)
    shape = (
        len(metric.thresholds),
        metric.num_classes,
    )  # torchmetrics squeezes results of one element
    precision, recall, num_truth = (value.numpy() for value in metric.compute())
    precision, recall = precision.reshape(shape), recall.reshape(shape)
    num_truth = num_truth.reshape(-1)
    present = num_truth > 0
    nothing = np.full(len(precision), np.nan)
    return DetectionScores(
        thresholds=metric.thresholds,
        average_precision=precision,
        recall=recall,
        mean_average_precision=precision[:, present].mean(axis=1) if present.any() else nothing,
        mean_recall=recall[:, present].mean(axis=1) if present.any() else nothing,
        num_truth=num_truth,
    )


def average_precision(
    scores: NDArray[np.floating],
    marks: NDArray[np.bool_],
    num_truth: int,
    interpolation: Interpolation = "all_point",
) -> tuple[float, float]:
    """Compute average precision and recall of one class.

    Args:
        scores: (D,) scores of the detections.
        marks: (D,) bool, whether a detection matched a box.
        num_truth: Number of ground-truth boxes, at least one.
        interpolation: See :class:`AveragePrecision`.
    """
    if not len(scores):
        return 0.0, 0.0
    order = np.argsort(-scores, kind="stable")
    last = np.append(
        np.flatnonzero(np.diff(scores[order])), len(scores) - 1
    )  # the last detection of each score
    found = np.cumsum(marks[order])[last]
    recall, precision = found / num_truth, found / (last + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    if interpolation == "11_point":
        # Ten times the recall: in floating point 0.3 is not 3 * 0.1
        steps = np.searchsorted(10 * recall, np.arange(11) - 1e-9)
        return float(np.append(falling, 0.0)[steps].sum() / 11), float(recall[-1])
    area = np.sum(np.diff(recall, prepend=0.0) * falling)
    return float(area), float(recall[-1])


def _matches(overlap: NDArray[np.float64], thresholds: Sequence[float]) -> NDArray[np.bool_]:
    """Marks (D, T) of the D detections, by descending score, that match a box they overlap."""
    best = overlap.argmax(axis=1)
    amount = overlap[np.arange(len(best)), best]
    marks = np.zeros((len(best), len(thresholds)), dtype=bool)
    for column, threshold in enumerate(thresholds):
        candidates = np.flatnonzero(amount > threshold)
        _, first = np.unique(best[candidates], return_index=True)
        marks[candidates[first], column] = True
    return marks


def _check(detected: DetectedBoxes, boxes: NDArray[Any], num_classes: int) -> None:
    count = len(detected)
    shapes = (detected.boxes.shape, detected.classes.shape, detected.scores.shape, boxes.shape[1:])
    if shapes != ((count, 7), (count,), (count,), (8,)):
        raise ValueError(f"detections and boxes of shapes {shapes} do not fit together")
    if not np.isfinite(detected.scores).all():
        raise ValueError("a detection has a score that is NaN or infinite")
    for name, rows in (("detection", detected.boxes), ("true box", boxes[:, :7])):
        broken = ~np.isfinite(rows).all(axis=1) | (rows[:, 3:6] < 0).any(axis=1)
        if broken.any():
            row = int(np.argmax(broken))
            raise ValueError(
                f"{name} {row} has NaN or infinite values or a negative size: {rows[row].tolist()}"
            )
    if count and not (detected.classes.min() >= 0 and detected.classes.max() < num_classes):
        raise ValueError(f"a detection is of none of the {num_classes} classes")
    if len(boxes) and not (boxes[:, 7].min() >= 0 and boxes[:, 7].max() < num_classes):
        raise InputError(
            f"a box is of none of the {num_classes} classes (0 to {num_classes - 1}); make the "
            "data again"
        )
