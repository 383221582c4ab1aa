"""Scores as text tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from downstream.metrics.classification import ClassificationScores
from downstream.metrics.confusion import SegmentationScores
from downstream.metrics.detection import DetectionScores
from downstream.metrics.parts import PartScores
from pointcontrast.errors import InputError


def format_segmentation(
    voxel: SegmentationScores, point: SegmentationScores | None, class_names: Sequence[str]
) -> str:
    """Format scores of voxels and points side by side, then the IoU of each class."""
    columns = [voxel] if point is None else [voxel, point]
    width = max(24, *(len(name) + 2 for name in class_names))
    lines = [
        f"{'%':<{width}}" + "".join(f"{name:>9}" for name in ("voxels", "points")[: len(columns)])
    ]
    for key, title in (
        ("mean_iou", "mean IoU"),
        ("mean_accuracy", "mean class accuracy"),
        ("overall_accuracy", "overall accuracy"),
    ):
        values = [getattr(scores, key) for scores in columns]
        lines.append(f"{title:<{width}}" + "".join(map(_percent, values)))
    lines.append("IoU of each class")
    for row, name in enumerate(class_names):
        values = [float(scores.iou[row]) for scores in columns]
        lines.append(f"{'  ' + name:<{width}}" + "".join(map(_percent, values)))
    lines += _left_out("neither occurring nor predicted", columns, class_names)
    return "\n".join(lines) + "\n"


def format_parts(voxel: PartScores, point: PartScores | None, category_names: Sequence[str]) -> str:
    """Format scores of voxels and points side by side, then the mean IoU of each category."""
    columns = [voxel] if point is None else [voxel, point]
    lines = [f"{'%':<24}" + "".join(f"{name:>9}" for name in ("voxels", "points")[: len(columns)])]
    for key, title in (
        ("instance_mean_iou", "instance mean IoU"),
        ("category_mean_iou", "category mean IoU"),
    ):
        lines.append(f"{title:<24}" + "".join(_percent(getattr(s, key)) for s in columns))
    lines.append("mean IoU of each category")
    for row, name in enumerate(category_names):
        values = [float(scores.per_category[row]) for scores in columns]
        lines.append(f"{'  ' + name:<24}" + "".join(map(_percent, values)))
    lines += _left_out("without shapes", columns, category_names)
    return "\n".join(lines) + "\n"


def format_classification(scores: ClassificationScores, class_names: Sequence[str]) -> str:
    """Format the scores, then the accuracy of each class; tail classes have a star."""
    width = max(24, *(len(name) + 4 for name in class_names))
    lines = [
        f"{title:<{width}}{_percent(value)}"
        for title, value in (
            ("overall accuracy, %", scores.overall_accuracy),
            ("mean class accuracy", scores.mean_accuracy),
            (f"{len(scores.tail)} tail classes*", scores.tail_accuracy),
        )
    ]
    lines.append("accuracy of each class")
    for row, name in enumerate(class_names):
        title = f"  {name}{'*' if row in scores.tail else ''}"
        lines.append(f"{title:<{width}}{_percent(float(scores.accuracy[row]))}")
    return "\n".join(lines) + "\n"


def format_detection(scores: DetectionScores, class_names: Sequence[str]) -> str:
    """Format average precision at each threshold side by side: the means, then each class."""
    width = max(24, *(len(name) + 2 for name in class_names))
    titles = [f"IoU {threshold:.2f}" for threshold in scores.thresholds]
    lines = [f"{'%':<{width}}" + "".join(f"{title:>10}" for title in titles) + f"{'boxes':>9}"]
    for title, values in (
        ("mean average precision", scores.mean_average_precision),
        ("mean recall", scores.mean_recall),
    ):
        lines.append(f"{title:<{width}}" + "".join(f" {_percent(float(v))}" for v in values))
    lines.append("average precision of each class")
    for row, name in enumerate(class_names):
        values = scores.average_precision[:, row]
        figures = "".join(f" {_percent(float(value))}" for value in values)
        lines.append(f"{'  ' + name:<{width}}{figures}{int(scores.num_truth[row]):>9}")
    return "\n".join(lines) + "\n"


def mean_std_table(runs: Sequence[dict[str, float]]) -> str:
    """Format mean and sample standard deviation of each score over several runs, in percent.

    Args:
        runs: Scores 0..1 of each run by name, the same names in each. If one is NaN, the score has
            neither mean nor deviation.

    Raises:
        InputError: there is no run, or two have different scores.
    """
    if not runs:
        raise InputError("there are no runs to average")
    for run in runs[1:]:
        if run.keys() != runs[0].keys():
            raise InputError(
                f"runs have different scores: {', '.join(runs[0])} and {', '.join(run)}; average "
                "runs of one task"
            )
    lines = [f"{'%':<30}{'mean':>8}{'std':>8}   {len(runs)} runs"]
    for name in runs[0]:
        values = np.array([run[name] for run in runs], dtype=np.float64) * 100
        spread = values.std(ddof=1) if len(runs) > 1 else math.nan
        each = "  ".join(_number(value, 0) for value in values)
        lines.append(f"{name:<30}{_number(values.mean(), 8)}{_number(spread, 8)}   {each}")
    return "\n".join(lines) + "\n"


def _left_out(
    why: str, columns: Sequence[SegmentationScores] | Sequence[PartScores], names: Sequence[str]
) -> list[str]:
    """A line that names the classes that the means leave out, if there are any."""
    rows = sorted(set().union(*(scores.absent for scores in columns)))
    return (
        [f"{why}, left out of the means: {', '.join(names[row] for row in rows)}"] if rows else []
    )


def _percent(value: float) -> str:
    return _number(100 * value, 9)


def _number(value: float, width: int) -> str:
    return f"{'-':>{width}}" if math.isnan(value) else f"{value:>{width}.2f}"
