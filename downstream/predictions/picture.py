"""A picture of what was predicted for a cloud: its colours, what is true, what was predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from downstream.predictions.class_colors import UNLABELLED, palette_of
from downstream.predictor import CloudPrediction
from downstream.types import LabelledCloud
from pointcontrast.pictures.cameras import look_at
from pointcontrast.pictures.colored_points import ColoredPoints
from pointcontrast.pictures.drawing import Window, draw
from pointcontrast.pictures.scene_clouds import below_ceiling

UP = np.array([0.0, 0.0, 1.0])
_SIZE = (640, 480)


def draw_prediction(
    path: Path | None,
    cloud: LabelledCloud,
    prediction: CloudPrediction,
    class_names: tuple[str, ...],
    *,
    cut_ceiling: float = 0.2,
) -> None:
    """Draw a cloud from outside and above, a panel each for colours, truth and prediction.

    Args:
        path: the PNG; its folder is made. None: show an Open3D window instead.
        cloud: points with z up; panels of what it lacks are left out.
        prediction: of its points.
        class_names: give the classes their colours, the same as in prediction PLYs.
        cut_ceiling: the part of the height that is taken off, to look into rooms.
    """
    assert prediction.point_classes is not None
    shown = below_ceiling(cloud.points, UP, cut_ceiling)
    palette = np.vstack([palette_of(class_names), UNLABELLED]).astype(np.uint8)

    def panel(colors: NDArray[np.uint8], caption: str) -> ColoredPoints:
        return ColoredPoints(cloud.points[shown], colors[shown], f"{cloud.name}: {caption}")

    panels = []
    if cloud.colors is not None:
        panels.append(panel(cloud.colors.round().astype(np.uint8), "colour"))
    if cloud.labels is not None:
        panels.append(panel(palette[np.maximum(cloud.labels, -1)], "truth"))  # -1: the last row
    panels.append(panel(palette[prediction.point_classes], "prediction"))
    camera = look_at(cloud.points[shown], UP, elevation=60.0, aspect=_SIZE[0] / _SIZE[1])
    window: Window = "always" if path is None else "never"
    draw(panels, cameras=[camera] * len(panels), png=path, window=window, size=_SIZE)
