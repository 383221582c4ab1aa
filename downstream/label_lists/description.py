"""Descriptions of lists, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from downstream.label_lists.boxes import read_box_list
from downstream.label_lists.points import read_point_list
from downstream.label_lists.published import is_pair, is_published, read_dictionary
from downstream.label_lists.scenes import read_scene_list, read_scene_list_comment


def describe_list(path: Path) -> str:
    """Return lines on how a list was made and what it contains.

    Args:
        path: List of scenes (``.txt``), of boxes (``.json``, or a published one) or of points (any
            other).

    Raises:
        InputError: The file is missing, damaged, or not a list.
    """
    if path.suffix == ".txt":
        names = read_scene_list(path)
        return "\n".join([read_scene_list_comment(path) or _unknown(path), _scenes(names)])
    if path.suffix == ".json" or _is_published_boxes(path):
        return _describe_boxes(path)
    return _describe_points(path)


def _is_published_boxes(path: Path) -> bool:
    if not path.is_file() or path.suffix == ".npz" or not is_published(path):
        return False
    return any(is_pair(value) for value in read_dictionary(path, "list").values())


def _describe_boxes(path: Path) -> str:
    boxes = read_box_list(path)
    sizes = [len(scene.rows) for scene in boxes.scenes.values()]
    totals = [scene.num_boxes for scene in boxes.scenes.values() if scene.num_boxes is not None]
    of_all = f" of {sum(totals)}" if totals else ""
    content = f"{sum(sizes)} boxes{of_all}, {min(sizes)} to {max(sizes)} per scene"
    return "\n".join([_made(boxes.meta, path), content, _scenes(boxes.names)])


def _describe_points(path: Path) -> str:
    points = read_point_list(path)
    sizes = [len(rows) for rows in points.points.values()]
    total = sum(points.num_points.values())
    share = f", {sum(sizes) / total:.3%} of all" if points.num_points else ""
    content = f"{sum(sizes)} points{share}, {min(sizes)} to {max(sizes)} per scene"
    return "\n".join([_made(points.meta, path), content, _scenes(points.names)])


def _made(meta: Mapping[str, Any], path: Path) -> str:
    return ", ".join(f"{key} {value}" for key, value in meta.items()) or _unknown(path)


def _unknown(path: Path) -> str:
    return f"{path} does not say how it was made"


def _scenes(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"1 scene: {names[0]}"
    return f"{len(names)} scenes: {names[0]} to {names[-1]}"
