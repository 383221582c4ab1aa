"""Network files of before they held their task: what follows from their benchmark, without data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from downstream.benchmarks import Benchmark, DetectionBenchmark, ShapeNet, ShapeNetPart
from downstream.benchmarks.cloud_preparation import CloudPreparation
from downstream.benchmarks.labelled_scenes import SceneBenchmark
from downstream.releases.shapenetpart.categories import CATEGORY_NAMES, PARTS_OF_CATEGORY
from downstream.tasks import Classification, Detection, PartSegmentation, Segmentation, Task
from downstream.tasks.box_coding import BoxCoding, num_heading_bins
from pointcontrast.errors import InputError

_BENCHMARKS = "downstream.benchmarks."


def older_task(
    path: Path,
    benchmark: type[Benchmark],
    arguments: Mapping[str, Any],
    class_names: Sequence[str],
    num_outputs: int,
) -> Task:
    """The task of a network.

    Args:
        path: File, for messages.
        benchmark: Class of the benchmark that it was trained on.
        arguments: Arguments of its constructor.
        class_names: Names of the C classes.
        num_outputs: Numbers that the head puts out.

    Raises:
        InputError: the benchmark is none of those whose task follows from this.
    """
    if issubclass(benchmark, DetectionBenchmark):
        bins = num_heading_bins(num_outputs, len(class_names))
        coding = BoxCoding(arguments["mean_sizes"], bins)
        return Detection(class_names, coding, arguments["detection"])
    if issubclass(benchmark, ShapeNetPart):
        return PartSegmentation(PARTS_OF_CATEGORY, CATEGORY_NAMES)
    if issubclass(benchmark, ShapeNet):
        # How many shapes trained each class is not in the file: all count as equally frequent
        return Classification(class_names, [0] * len(class_names))
    if issubclass(benchmark, SceneBenchmark):
        return Segmentation(class_names)
    raise InputError(
        f"{path} does not record its task, and that of {benchmark.__name__} is not known without "
        "its data; finetune again, or score it with tools/evaluate.py"
    )


def older_preparation(benchmark_class: str, arguments: Mapping[str, Any]) -> CloudPreparation:
    """How the points of a scan were prepared for a network of one of this project's benchmarks."""
    if "mean_sizes" in arguments:
        return CloudPreparation(num_points=arguments["num_points"])
    if benchmark_class.startswith((f"{_BENCHMARKS}shapenet.", f"{_BENCHMARKS}shapenetpart.")):
        return CloudPreparation(unit_sphere=True)
    return CloudPreparation(has_time=arguments.get("frames_per_clip", 1) > 1)
