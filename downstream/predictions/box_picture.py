"""Pictures of boxes over their cloud: a window, a PNG of ground truth and detections, PLY lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from downstream.boxes.geometry import EDGES, corners
from downstream.predictions.class_colors import UNLABELLED, palette_of
from downstream.predictions.legend import with_legend
from downstream.types import DetectedBoxes, LabelledCloud
from pointcontrast.files import atomic_file
from pointcontrast.pictures.cameras import Camera, look_at, look_from_behind
from pointcontrast.pictures.colored_points import ColoredPoints, write_ply
from pointcontrast.pictures.drawing import Window, draw
from pointcontrast.pictures.scene_clouds import below_ceiling

UP = np.array([0.0, 0.0, 1.0])
LINES_PER_BOX = len(EDGES) + 1

_SIZE = (900, 675)
_PALENESS = 0.4  # of the points, so that lines stand out
_PLAIN = 150  # grey of points without colour
_TILT = 25.0  # degrees below the view of the sensor
_ELEVATION = 65.0  # degrees above the horizon, for rooms
_MARGIN = 0.96  # fraction of the picture to fill
_REACH = 0.4  # fraction of the cloud's longest side; boxes farther out may leave the picture

# The renderer draws lines 1.5 pixels wide; these shifted copies make them 2.5, and the rim 4.7
_DIRECTIONS = np.array([(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)])
_CORE = np.concatenate([0.5 * _DIRECTIONS[::2], [(0, 0)]])
_RIM = 1.6 * _DIRECTIONS / np.linalg.norm(_DIRECTIONS, axis=1, keepdims=True)
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_LIGHT = 140  # luma, 0..255, from which the rim of a line is dark
_DARK_RIM, _WHITE_RIM = 60, 255


def show_boxes(
    cloud: LabelledCloud,
    detected: DetectedBoxes,
    class_names: tuple[str, ...],
    *,
    png: Path | None = None,
    window: Window = "auto",
    world_from_camera: NDArray[np.float64] | None = None,
    cut_ceiling: float = 0.2,
) -> None:
    """Show detections, and ground truth if it is known, over the points.

    Boxes have the colours of their classes, and a line from the centre to the front.

    Args:
        cloud: Cloud with z up.
        detected: Boxes to show; filter them by score first.
        class_names: Names of the classes.
        png: PNG to write, with a legend; its folder is made.
        window: See :func:`pointcontrast.pictures.drawing.draw`.
        world_from_camera: (4, 4) pose of the sensor if the cloud is the view of one sensor: the
            camera is then behind and above the sensor. None: outside and above the cloud.
        cut_ceiling: Fraction of the height that is cut off, to look into rooms.

    Raises:
        InputError: there is no point, or a window is requested without a display.
    """
    shown = below_ceiling(cloud.points, UP, cut_ceiling)
    points, colors = cloud.points[shown], _pale(cloud)[shown]
    sets = _box_sets(cloud, detected)
    panels = []
    for what, (boxes, classes) in sets.items():
        segments, segment_colors = box_lines(boxes, classes, class_names)
        caption = f"{cloud.name}: {what}, {len(boxes)} box{'' if len(boxes) == 1 else 'es'}"
        panels.append(ColoredPoints(points, colors, caption, segments, segment_colors))
    everything = np.concatenate([corners(boxes) for boxes, _ in sets.values()]).reshape(-1, 3)
    cameras = [_camera(points, everything, world_from_camera)] * len(panels)
    if png is not None:
        thick = [_with_thick_lines(panel, cameras[0]) for panel in panels]
        classes = np.unique(np.concatenate([classes for _, classes in sets.values()]))
        with atomic_file(png) as partial:
            draw(thick, cameras=cameras, png=partial, window="never", size=_SIZE)
            with_legend(partial, classes, class_names).save(partial, format="PNG")
    if png is None or window == "always":
        draw(panels, cameras=cameras, window=window, size=_SIZE)


def write_boxes_ply(
    folder: Path, cloud: LabelledCloud, detected: DetectedBoxes, class_names: tuple[str, ...]
) -> list[Path]:
    """Write ``<name>_detected.ply`` and, if ground truth is known, ``<name>_truth.ply``.

    Each holds the cloud as vertices and the boxes as edges, in the colours of the classes and the
    frame of the cloud's source.

    Returns:
        Paths of the files.
    """
    plain = np.full((len(cloud), 3), _PLAIN, np.uint8)
    colors = plain if cloud.colors is None else cloud.colors.round().astype(np.uint8)
    written = []
    for what, (boxes, classes) in _box_sets(cloud, detected).items():
        segments, segment_colors = box_lines(boxes, classes, class_names)
        path = folder / f"{cloud.name}_{what}.ply"
        points, segments = cloud.in_source_frame(cloud.points), cloud.in_source_frame(segments)
        write_ply(path, ColoredPoints(points, colors, "", segments, segment_colors))
        written.append(path)
    return written


def box_lines(
    boxes: NDArray[np.floating], classes: NDArray[np.int64], class_names: Sequence[str]
) -> tuple[NDArray[np.floating], NDArray[np.uint8]]:
    """Compute the edges of boxes, and a line from each centre to the middle of the front.

    Args:
        boxes: (K, >= 7).
        classes: (K,) rows of ``class_names``; -1 is grey.
        class_names: Names of the classes, which determine their colours.

    Returns:
        (13 K, 2, 3) float32 metres and (13 K, 3) RGB, box after box.
    """
    return lines_of_corners(corners(boxes).astype(np.float32), classes, class_names)


def lines_of_corners(
    box_corners: NDArray[np.floating], classes: NDArray[np.int64], class_names: Sequence[str]
) -> tuple[NDArray[np.floating], NDArray[np.uint8]]:
    """The lines of :func:`box_lines` from corners (K, 8, 3), in their frame and precision."""
    front = box_corners[:, [1, 2, 5, 6]].mean(axis=1)
    headings = np.stack([box_corners.mean(axis=1), front], axis=1)[:, None]
    lines = np.concatenate([box_corners[:, EDGES], headings], axis=1)  # (K, 13, 2, 3)
    palette = np.vstack([palette_of(class_names), UNLABELLED]).astype(np.uint8)
    colors = np.repeat(palette[classes], LINES_PER_BOX, axis=0)  # -1: the last row
    return lines.reshape(-1, 2, 3), colors


def _box_sets(
    cloud: LabelledCloud, detected: DetectedBoxes
) -> dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Boxes and classes of the ground truth, if it is known, and of the detections."""
    sets = {}
    if cloud.boxes is not None:
        sets["truth"] = (cloud.boxes, cloud.boxes[:, 7].astype(np.int64))
    return {**sets, "detected": (detected.boxes, detected.classes)}


def _pale(cloud: LabelledCloud) -> NDArray[np.uint8]:
    """Colours (N, 3) of the points, brightened towards white."""
    colors = np.full((len(cloud), 3), _PLAIN, np.float32) if cloud.colors is None else cloud.colors
    return (_PALENESS * 255 + (1 - _PALENESS) * colors).round().astype(np.uint8)


def _camera(
    points: NDArray[np.float32],
    box_corners: NDArray[np.float64],
    world_from_camera: NDArray[np.float64] | None,
) -> Camera:
    """Place the camera so that the points (N, 3) and box corners (M, 3) fill the picture."""
    aspect = _SIZE[0] / _SIZE[1]
    if world_from_camera is None:
        camera = look_at(points, UP, elevation=_ELEVATION, aspect=aspect)
    else:
        camera = look_from_behind(world_from_camera, points, UP, tilt=_TILT, aspect=aspect)
    low, high = np.percentile(points, [1, 99], axis=0)
    reach = _REACH * (high - low).max()
    rotation = camera.world_from_camera[:3, :3]
    cloud = points.astype(np.float64) @ rotation
    around = np.clip(box_corners, low - reach, high + reach) @ rotation
    # As pointcontrast.pictures.cameras, but while some points may leave the picture, no corner may
    tangents = _MARGIN * np.array([aspect, 1.0]) / (2 * camera.focal)

    def beyond(sign: int) -> NDArray[np.float64]:
        """Distances (2,) of the camera's left and upper edges (or right and lower)."""
        sides = [sign * local[:, :2] - local[:, 2:] * tangents for local in (cloud, around)]
        return np.vstack([np.percentile(sides[0], 99.7, axis=0), *sides[1]]).max(axis=0)

    high, low = beyond(1), beyond(-1)
    nearest = min(float(np.percentile(cloud[:, 2], 0.3)), float(around[:, 2].min(initial=np.inf)))
    depth = min(-float(np.max((high + low) / (2 * tangents))), nearest - 0.3)
    pose = camera.world_from_camera.copy()
    pose[:3, 3] = rotation @ np.append((high - low) / 2, depth)
    return replace(camera, world_from_camera=pose)


def _with_thick_lines(panel: ColoredPoints, camera: Camera) -> ColoredPoints:
    """Replace each line of the panel by several shifted copies, on copies of a contrasting rim.

    Boxes are sorted from far to near, each with its rims first.
    """
    assert panel.segments is not None
    assert panel.segment_colors is not None
    lines = panel.segments.reshape(-1, LINES_PER_BOX, 2, 3).astype(np.float64)
    colors = panel.segment_colors.reshape(-1, LINES_PER_BOX, 3)
    pose = camera.world_from_camera
    depths = (lines - pose[:3, 3]) @ pose[:3, 2]  # (K, 13, 2)
    order = np.argsort(-depths.mean(axis=(1, 2)), kind="stable")
    lines, colors, depths = lines[order], colors[order], depths[order]
    shifts = np.concatenate([_RIM, _CORE]) @ pose[:3, :2].T  # (S, 3) a pixel at depth 1
    shifts /= camera.focal * _SIZE[1]
    moved = lines[:, None] + shifts[:, None, None] * depths[:, None, ..., None]
    light = (colors @ _LUMA)[..., None] >= _LIGHT
    rims = np.where(light, _DARK_RIM, _WHITE_RIM) + np.zeros_like(colors, dtype=np.int64)
    rims = np.repeat(rims[:, None], len(_RIM), axis=1)
    cores = np.repeat(colors[:, None], len(_CORE), axis=1)
    return replace(
        panel,
        segments=moved.reshape(-1, 2, 3).astype(np.float32),
        segment_colors=np.concatenate([rims, cores], axis=1).reshape(-1, 3).astype(np.uint8),
    )
