"""A picture of a labelled scene: its colours, if it has any, and its labels with a legend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from downstream.predictions.class_colors import UNLABELLED, palette_of
from downstream.predictions.legend import with_legend
from pointcontrast.files import atomic_file
from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene
from pointcontrast.pictures.cameras import look_at
from pointcontrast.pictures.colored_points import ColoredPoints
from pointcontrast.pictures.drawing import draw
from pointcontrast.pictures.scene_clouds import below_ceiling

_SIZE = (640, 480)
_MAX_POINTS = 1_000_000


def draw_labelled_scene(
    path: Path, scene: LabelledScene, name: str, *, cut_ceiling: float = 0.2
) -> None:
    """Draw a scene from outside and above.

    Args:
        path: PNG to write; its folder is made.
        scene: Scene with labels; more than a million points are thinned.
        name: Name in the captions.
        cut_ceiling: Fraction of the height that is cut off, to look into rooms.
    """
    assert scene.semantic is not None
    step = -(-len(scene) // _MAX_POINTS)
    points = np.asarray(scene.coord[::step])
    shown = below_ceiling(points, scene.up, cut_ceiling)
    points, labels = points[shown], np.asarray(scene.semantic[::step])[shown]
    palette = np.vstack([palette_of(scene.class_names), UNLABELLED]).astype(np.uint8)
    panels = []
    if scene.color is not None:
        colors = np.asarray(scene.color[::step])[shown]
        panels.append(ColoredPoints(points, colors, f"{name}: colour"))
    panels.append(ColoredPoints(points, palette[labels], f"{name}: labels"))  # -1: the last row
    camera = look_at(points, scene.up, elevation=60.0, aspect=_SIZE[0] / _SIZE[1])
    with atomic_file(path) as partial:
        cameras = [camera] * len(panels)
        draw(panels, cameras=cameras, png=partial, window="never", size=_SIZE)
        with_legend(partial, np.unique(labels), scene.class_names).save(partial, format="PNG")


def draw_labelled_scenes(root: Path, names: Sequence[str], count: int) -> list[Path]:
    """Draw the first ``count`` of some scenes that have labels, each to ``root/<name>.png``.

    Returns:
        Paths of the pictures.
    """
    written: list[Path] = []
    for name in names:
        if len(written) == count:
            break
        scene = read_labelled_scene(root / name, check_values=False)
        if scene.semantic is not None:
            path = root / f"{name}.png"
            draw_labelled_scene(path, scene, name)
            written.append(path)
    return written
