"""Evaluation of a finetuned network on a split of its benchmark, at voxels and at points.

The paper reports scores of voxels, other work scores of points. One pass measures both
(PointContrast ``downstream/semseg/lib/test.py`` counts voxels).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torchmetrics import Metric
from tqdm import tqdm

from downstream.benchmarks import Benchmark, Split
from downstream.metrics.confusion_picture import draw_confusion
from downstream.network_file import FinetunedNetwork
from downstream.predictor import CloudPrediction, make_predictor
from downstream.tasks import ClassTask, Task
from downstream.types import IGNORE, DetectedBoxes, LabelledCloud
from pointcontrast.errors import InputError
from pointcontrast.files import write_json

SCORES = "scores.json"
CONFUSION = "confusion.png"

OnPrediction = Callable[[LabelledCloud, CloudPrediction | DetectedBoxes], None]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores of a network on one split.

    Attributes:
        benchmark: Name of the benchmark's class.
        part: Split, and fold if there are folds.
        num_clouds: Number of clouds with ground truth.
        task: Task that computes scores from the metrics.
        class_names: Names of the classes.
        metrics: Metrics by the task's levels: ``voxel`` and ``point`` (points as they were read),
            ``cloud`` if whole clouds have a class, or ``box``.
    """

    benchmark: str
    part: str
    num_clouds: int
    task: Task
    class_names: tuple[str, ...]
    metrics: dict[str, Metric]

    def table(self) -> str:
        """Format the scores as text."""
        title = f"{self.benchmark}, {self.part}: {self.num_clouds} clouds"
        return f"{title}\n{self.task.table(self.metrics, self.class_names)}"

    def to_json(self) -> dict[str, Any]:
        """Convert the scores to JSON values; one without a value, of an absent class, is null."""
        found: dict[str, Any] = {
            "benchmark": self.benchmark,
            "part": self.part,
            "num_clouds": self.num_clouds,
        }
        for level, metric in self.metrics.items():
            found[level] = {
                **{name: _or_none(value) for name, value in self.task.scores(metric).items()},
                "classes": self.task.class_scores(metric, self.class_names),
            }
        return found


def evaluate_network(
    finetuned: FinetunedNetwork,
    benchmark: Benchmark,
    split: Split,
    *,
    device: torch.device | str = "cpu",
    max_voxels: int = 2_000_000,
    overlap: float = 1.0,
    num_votes: int = 1,
    on_prediction: OnPrediction | None = None,
    progress: bool = True,
) -> Evaluation | None:
    """Predict every cloud of a split, and score the predictions.

    Args:
        finetuned: Network with its input.
        benchmark: Benchmark that provides the clouds and the metric.
        split: Split to evaluate.
        device: Device to compute on.
        max_voxels: Voxels above which a cloud is computed in overlapping blocks.
        overlap: Context around each block, metres.
        num_votes: Rotations about the vertical; 1 is the paper's evaluation.
        on_prediction: Called with each cloud and its prediction, for example to write it.
        progress: Show a progress bar.

    Returns:
        The scores; None if no cloud has ground truth (a benchmark's hidden test split).

    Raises:
        InputError: a cloud cannot be read or predicted, or a value is out of range.
    """
    task = benchmark.task
    predictor = make_predictor(
        finetuned,
        task,
        device=device,
        max_voxels=max_voxels,
        overlap=overlap,
        num_votes=num_votes,
    )
    metrics = {level: task.new_metric() for level in task.levels}
    num_clouds = 0
    names = benchmark.names(split)
    if on_prediction is None:
        names = [name for name in names if benchmark.has_truth(name)]  # the others have no score
    for name in tqdm(names, f"evaluating {split}", unit="cloud", disable=not progress or None):
        cloud = benchmark.read(name)
        prediction = predictor(cloud)
        if on_prediction is not None:
            on_prediction(cloud, prediction)
        if cloud.labels is None and cloud.category is None and cloud.boxes is None:
            continue
        num_clouds += 1
        _count(task, metrics, cloud, prediction)
    if not num_clouds:
        logging.getLogger(__name__).warning(
            "no cloud of the %s split has %s", split, benchmark.truth
        )
        return None
    fold = benchmark.fold()
    return Evaluation(
        benchmark=type(benchmark).__name__,
        part=split if fold is None else f"{split}, {fold}",
        num_clouds=num_clouds,
        task=task,
        class_names=tuple(benchmark.class_names),
        metrics=metrics,
    )


def joined(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Join the folds of a cross-validation: the sums of their metrics.

    Raises:
        InputError: the folds have different classes, or two are the same.
    """
    first = evaluations[0]
    for other in evaluations[1:]:
        if other.class_names != first.class_names or other.benchmark != first.benchmark:
            raise InputError(
                f"{first.benchmark} and {other.benchmark} have different classes; only folds of "
                "one benchmark can be joined"
            )
    parts = [evaluation.part for evaluation in evaluations]
    if len(set(parts)) < len(parts):
        raise InputError(f"a fold is given twice: {', '.join(sorted(parts))}; give each once")
    metrics = deepcopy(first.metrics)
    for other in evaluations[1:]:
        for level, metric in metrics.items():
            metric.merge_state(other.metrics[level])
    return Evaluation(
        benchmark=first.benchmark,
        part=f"{len(parts)} folds",
        num_clouds=sum(evaluation.num_clouds for evaluation in evaluations),
        task=first.task,
        class_names=first.class_names,
        metrics=metrics,
    )


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write ``scores.json`` and, if the task has a confusion matrix, ``confusion.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    matrix = evaluation.task.confusion(next(iter(evaluation.metrics.values())))
    if matrix is not None:
        title = f"{evaluation.benchmark}, {evaluation.part}"
        draw_confusion(folder / CONFUSION, matrix, evaluation.class_names, title)
    write_json(folder / SCORES, evaluation.to_json())  # last: a run with scores is finished


def main_figures(scores: dict[str, Any]) -> dict[str, float]:
    """Extract the main scores of a ``scores.json`` by name, such as ``voxel mean_iou``."""
    return {
        f"{level} {name}": value
        for level in ("voxel", "point", "cloud", "box")
        for name, value in scores.get(level, {}).items()
        if name != "classes" and value is not None
    }


def _count(
    task: Task,
    metrics: dict[str, Metric],
    cloud: LabelledCloud,
    prediction: CloudPrediction | DetectedBoxes,
) -> None:
    """Update every metric with the prediction and the ground truth of a cloud."""
    if isinstance(prediction, DetectedBoxes):
        assert cloud.boxes is not None
        metrics["box"].update(prediction, cloud.boxes)
        return
    assert isinstance(task, ClassTask)
    found = [
        (prediction.voxel_classes, prediction.voxel_labels),
        (prediction.point_classes, prediction.point_labels),
    ]
    category = IGNORE if cloud.category is None else cloud.category
    for metric, (classes, labels) in zip(metrics.values(), found, strict=False):
        assert classes is not None
        assert labels is not None
        task.count(metric, torch.from_numpy(classes), torch.from_numpy(labels), category)


def _or_none(value: float) -> float | None:
    """Replace NaN, which JSON lacks, by None."""
    return None if math.isnan(value) else value
