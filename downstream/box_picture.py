"""Boxes over the cloud that they are in: a window, a PNG of truth and prediction, PLY lines."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from downstream.boxes import EDGES, corners
from downstream.class_colors import palette_of
from downstream.types import DetectedBoxes, LabelledCloud
from pointcontrast.cameras import look_at, look_from_behind
from pointcontrast.colored_points import ColoredPoints, write_ply
from pointcontrast.drawing import draw
from pointcontrast.files import atomic_file
from pointcontrast.visualize import below_ceiling

UP = np.array([0.0, 0.0, 1.0])
_SIZE = (900, 675)
_PALENESS = 0.4  # of the points, so that lines stand out
_PLAIN = 150  # grey of points without colour


def draw_boxes(
    path: Path | None,
    cloud: LabelledCloud,
    detected: DetectedBoxes,
    class_names: tuple[str, ...],
    world_from_camera: NDArray[np.float64] | None = None,
    *,
    cut_ceiling: float = 0.2,
) -> None:
    """Draw what is true, where that is known, and what is detected, over the points.

    Boxes are drawn in the colours of their classes, with a line from the centre to the front.

    Args:
        path: the PNG, with a legend; its folder is made. None: show an Open3D window instead.
        cloud: points with z up.
        detected: the boxes to show; leave out beforehand what is unsure.
        class_names: of both.
        world_from_camera: (4, 4) of the sensor where the cloud is what one sensor saw: it is then
            seen from behind the sensor. None: from outside and above.
        cut_ceiling: the part of the height that is taken off, to look into rooms; none of what one
            sensor saw.

    Raises:
        InputError: a window is asked for where there is no display.
    """
    if world_from_camera is None:
        shown = below_ceiling(cloud.points, UP, cut_ceiling)
        points = cloud.points[shown]
        camera = look_at(points, UP, elevation=65.0, aspect=_SIZE[0] / _SIZE[1])
    else:
        shown = np.ones(len(cloud), dtype=bool)
        points = cloud.points
        camera = look_from_behind(
            world_from_camera, points, UP, tilt=12.0, aspect=_SIZE[0] / _SIZE[1]
        )
    colors = _pale(cloud)[shown]

    def panel(boxes: NDArray[np.floating], classes: NDArray[np.int64], what: str) -> ColoredPoints:
        segments, segment_colors = box_lines(boxes, classes, class_names)
        caption = f"{cloud.name}: {what}, {len(boxes)} box{'' if len(boxes) == 1 else 'es'}"
        return ColoredPoints(points, colors, caption, segments, segment_colors)

    panels, classes = [], [detected.classes]
    if cloud.boxes is not None:
        truth = cloud.boxes[:, 7].astype(np.int64)
        panels.append(panel(cloud.boxes, truth, "truth"))
        classes.append(truth)
    panels.append(panel(detected.boxes, detected.classes, "detected"))
    cameras = [camera] * len(panels)
    if path is None:
        draw(panels, cameras=cameras, window="always", size=_SIZE)
        return
    with atomic_file(path) as partial:
        draw(panels, cameras=cameras, png=partial, window="never", size=_SIZE)
        picture = _with_legend(partial, np.unique(np.concatenate(classes)), class_names)
        picture.save(partial, format="PNG")


def write_boxes_ply(
    folder: Path, cloud: LabelledCloud, detected: DetectedBoxes, class_names: tuple[str, ...]
) -> list[Path]:
    """Write ``<name>_detected.ply`` and, where it is known, ``<name>_truth.ply``.

    Each holds the cloud as vertices and its boxes as edges, in the colours of the classes.

    Returns:
        The files.
    """
    sets = {"detected": (detected.boxes, detected.classes)}
    if cloud.boxes is not None:
        sets["truth"] = (cloud.boxes, cloud.boxes[:, 7].astype(np.int64))
    written = []
    for what, (boxes, classes) in sets.items():
        segments, segment_colors = box_lines(boxes, classes, class_names)
        path = folder / f"{cloud.name}_{what}.ply"
        path.parent.mkdir(parents=True, exist_ok=True)
        plain = np.full((len(cloud), 3), _PLAIN, np.uint8)
        colors = plain if cloud.colors is None else cloud.colors.round().astype(np.uint8)
        write_ply(path, ColoredPoints(cloud.points, colors, "", segments, segment_colors))
        written.append(path)
    return written


def box_lines(
    boxes: NDArray[np.floating], classes: NDArray[np.int64], class_names: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The edges of boxes (K, >= 7), and a line from each centre to the middle of the front.

    Returns:
        (13 K, 2, 3) float32 metres and (13 K, 3) RGB.
    """
    found = corners(boxes)
    front = found[:, [1, 2, 5, 6]].mean(axis=1)
    headings = np.stack([np.asarray(boxes)[:, :3], front], axis=1)[:, None]
    lines = np.concatenate([found[:, EDGES], headings], axis=1)  # (K, 13, 2, 3)
    colors = np.repeat(palette_of(class_names)[classes], lines.shape[1], axis=0)
    return lines.reshape(-1, 2, 3).astype(np.float32), colors


def _pale(cloud: LabelledCloud) -> NDArray[np.uint8]:
    """(N, 3) the points' colours, nearer to white."""
    colors = np.full((len(cloud), 3), _PLAIN, np.float32) if cloud.colors is None else cloud.colors
    return (_PALENESS * 255 + (1 - _PALENESS) * colors).round().astype(np.uint8)


def _with_legend(
    path: Path, classes: NDArray[np.int64], class_names: tuple[str, ...]
) -> Image.Image:
    """The picture with a strip below it that names the classes' colours."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    font = ImageFont.load_default(24)
    sheet = Image.new("RGB", (picture.width, picture.height + 44), (255, 255, 255))
    sheet.paste(picture)
    pen, left, middle = ImageDraw.Draw(sheet), 16, picture.height + 22
    palette = palette_of(class_names)
    for row in classes.tolist():
        name = re.sub(r"\s+", " ", class_names[row])
        pen.rectangle(
            (left, middle - 10, left + 20, middle + 10), fill=tuple(palette[row].tolist())
        )
        pen.text((left + 28, middle), name, fill=(40, 40, 40), font=font, anchor="lm")
        left += 28 + round(pen.textlength(name, font=font)) + 32
    return sheet
