from __future__ import annotations

import math

import pytest
import torch

from downstream.metrics.confusion import segmentation_scores
from downstream.metrics.parts import PartIoU, part_scores
from downstream.metrics.tables import format_parts, format_segmentation, mean_std_table
from pointcontrast.errors import InputError


def test_voxels_and_points_stand_side_by_side() -> None:
    voxel = segmentation_scores(torch.tensor([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    point = segmentation_scores(torch.tensor([[1, 1, 0], [0, 2, 0], [0, 0, 0]]))
    lines = format_segmentation(voxel, point, ["wall", "floor", "stove"]).splitlines()
    assert lines[0].split() == ["%", "voxels", "points"]
    assert lines[1].split() == ["mean", "IoU", "77.50", "58.33"]
    assert lines[-2].split() == ["stove", "-", "-"]
    assert lines[-1] == "neither occurring nor predicted, left out of the means: stove"
    everything = segmentation_scores(torch.eye(3, dtype=torch.int64))
    assert "left out" not in format_segmentation(everything, None, ["wall", "floor", "stove"])


def test_categories_without_shapes_are_named() -> None:
    metric = PartIoU([[0, 1], [2], [3]])
    metric.update(torch.tensor([0, 1]), torch.tensor([0, 0]), 0)
    table = format_parts(part_scores(metric.compute()), None, ["bag", "cap", "car"])
    lines = table.splitlines()
    assert lines[1].split() == ["instance", "mean", "IoU", "25.00"]
    assert lines[-2].split() == ["car", "-"]
    assert lines[-1] == "without shapes, left out of the means: cap, car"


def test_seeds_have_their_mean_and_sample_deviation() -> None:
    table = mean_std_table([{"voxel mean_iou": 0.70}, {"voxel mean_iou": 0.74}])
    line = table.splitlines()[1].split()
    assert line[:4] == ["voxel", "mean_iou", "72.00", "2.83"]  # sqrt(2) * 2
    assert mean_std_table([{"a": 0.5}]).splitlines()[1].split()[:3] == ["a", "50.00", "-"]


def test_a_figure_that_a_run_lacks_has_no_mean() -> None:
    table = mean_std_table([{"a": 0.5, "b": 0.25}, {"a": math.nan, "b": 0.75}])
    assert table.splitlines()[1].split() == ["a", "-", "-", "50.00", "-"]
    assert table.splitlines()[2].split() == ["b", "50.00", "35.36", "25.00", "75.00"]


def test_runs_that_do_not_compare_are_refused() -> None:
    with pytest.raises(InputError, match="different scores: a and b"):
        mean_std_table([{"a": 0.5}, {"b": 0.5}])
    with pytest.raises(InputError, match="no runs"):
        mean_std_table([])
