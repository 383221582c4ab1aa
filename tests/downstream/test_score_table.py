from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from downstream.confusion_picture import draw_confusion
from downstream.metrics.confusion import segmentation_scores
from downstream.score_table import format_segmentation, mean_std_table


def test_voxels_and_points_stand_side_by_side() -> None:
    voxel = segmentation_scores(torch.tensor([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    point = segmentation_scores(torch.tensor([[1, 1, 0], [0, 2, 0], [0, 0, 0]]))
    lines = format_segmentation(voxel, point, ["wall", "floor", "stove"]).splitlines()
    assert lines[0].split() == ["%", "voxels", "points"]
    assert lines[1].split() == ["mean", "IoU", "77.50", "58.33"]
    assert lines[-1].split() == ["stove", "-", "-"]


def test_seeds_have_their_mean_and_sample_deviation() -> None:
    table = mean_std_table([{"voxel mean_iou": 0.70}, {"voxel mean_iou": 0.74}])
    line = table.splitlines()[1].split()
    assert line[:4] == ["voxel", "mean_iou", "72.00", "2.83"]  # sqrt(2) * 2
    assert mean_std_table([{"a": 0.5}]).splitlines()[1].split()[:3] == ["a", "50.00", "-"]


@pytest.mark.parametrize("num_classes", [1, 13, 50])
def test_a_confusion_matrix_is_drawn(tmp_path: Path, num_classes: int) -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 30, (num_classes, num_classes)) + 200 * np.eye(num_classes, dtype=int)
    counts[0] = 0 if num_classes > 1 else counts[0]  # a class that does not occur
    path = tmp_path / "confusion.png"
    names = [f"class {row}" for row in range(num_classes)]
    draw_confusion(path, torch.from_numpy(counts), names, "ours, test")
    picture = np.asarray(Image.open(path).convert("L"))
    assert min(picture.shape) > 200
    assert picture.std() > 10
