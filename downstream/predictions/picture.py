"""A picture of a cloud in its colours, in those of its labels and in those of its predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from downstream.predictions.class_colors import UNLABELLED, palette_of
from downstream.predictions.legend import with_legend
from downstream.predictor import CloudPrediction
from downstream.types import LabelledCloud
from pointcontrast.files import atomic_file
from pointcontrast.pictures.cameras import look_at
from pointcontrast.pictures.colored_points import ColoredPoints
from pointcontrast.pictures.drawing import draw
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
    """Draw a cloud from outside and above, a panel each for colours, ground truth and prediction.

    Args:
        path: PNG to write, with a legend of the classes in it; its folder is made. None shows an
            Open3D window instead.
        cloud: Cloud with z up; panels of colours or labels that it lacks are left out.
        prediction: Prediction with the classes of its points.
        class_names: Names of the classes; they have the same colours as in prediction PLYs.
        cut_ceiling: Fraction of the height that is cut off, to look into rooms.
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
        panels.append(
            panel(palette[np.maximum(cloud.labels, -1)], "ground truth")
        )  # -1: the last row
    panels.append(panel(palette[prediction.point_classes], "prediction"))
    camera = look_at(cloud.points[shown], UP, elevation=60.0, aspect=_SIZE[0] / _SIZE[1])
    cameras = [camera] * len(panels)
    if path is None:
        draw(panels, cameras=cameras, window="always", size=_SIZE)
        return
    known = [] if cloud.labels is None else [cloud.labels[shown]]
    classes = np.unique(np.concatenate([prediction.point_classes[shown], *known]))
    with atomic_file(path) as partial:
        draw(panels, cameras=cameras, png=partial, window="never", size=_SIZE)
        with_legend(partial, classes, class_names).save(partial, format="PNG")
