from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from downstream.predictions.class_colors import class_colors
from downstream.predictions.picture import draw_prediction
from downstream.predictor import CloudPrediction
from downstream.types import LabelledCloud

CLASSES = ("left", "right", "nowhere")
LEGEND = 40


def half_and_half() -> tuple[LabelledCloud, CloudPrediction]:
    """A floor whose halves have classes of their own, predicted as one."""
    grid = np.stack(np.meshgrid(np.linspace(0, 4, 120), np.linspace(0, 3, 90)), -1).reshape(-1, 2)
    points = np.column_stack([grid, np.zeros(len(grid))]).astype(np.float32)
    labels = (points[:, 0] > 2).astype(np.int32)
    cloud = LabelledCloud(
        name="area/floor",
        points=points,
        colors=np.full((len(points), 3), 200, np.float32),
        labels=labels,
    )
    classes = np.zeros(len(points), np.int64)
    return cloud, CloudPrediction(
        voxel_classes=classes,
        voxel_labels=labels.astype(np.int64),
        point_classes=classes,
        point_labels=labels.astype(np.int64),
    )


def share(picture: np.ndarray, color: np.ndarray) -> float:
    return float((np.abs(picture.astype(int) - color).max(axis=-1) < 40).mean())


def test_colours_truth_and_prediction_stand_side_by_side(tmp_path: Path) -> None:
    cloud, prediction = half_and_half()
    draw_prediction(tmp_path / "a" / "b.png", cloud, prediction, CLASSES)
    picture = np.asarray(Image.open(tmp_path / "a" / "b.png").convert("RGB"))
    panels = np.array_split(picture[:-LEGEND], 3, axis=1)
    left, right, nowhere = class_colors(3).astype(int)
    assert share(panels[0], left) == share(panels[0], right) == 0
    assert min(share(panels[1], left), share(panels[1], right)) > 0.1
    assert share(panels[2], left) > 0.2
    assert share(panels[2], right) == 0
    legend = picture[-LEGEND:]
    assert min(share(legend, left), share(legend, right)) > 0
    assert share(legend, nowhere) == 0  # only classes that are in the picture


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    cloud, prediction = half_and_half()
    widths = []
    for known in (cloud, replace(cloud, labels=None), replace(cloud, labels=None, colors=None)):
        draw_prediction(tmp_path / "c.png", known, prediction, CLASSES)
        with Image.open(tmp_path / "c.png") as picture:
            widths.append(picture.width)
    assert widths[0] > widths[1] > widths[2]
