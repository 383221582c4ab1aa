"""Readers of a scan's annotations: NYU40 ids per vertex, and annotated objects.

``segs.json`` assigns each vertex to a small segment. An object of ``aggregation.json`` is a list of
segments with a raw category in words. The label map of the release gives each category its NYU40
id. ``_vh_clean_2.labels.ply`` has the resulting id per vertex, which the benchmark evaluates.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.releases.scannet.classes import BOGUS_IDS, NUM_NYU40
from pointcontrast.errors import InputError
from pointcontrast.files import read_json


@dataclass(frozen=True)
class Objects:
    """Annotated objects of a scan.

    Attributes:
        instance: Object id of each vertex (N,) int32, -1 for none.
        categories: Object id -> raw category.
        notes: Irregularities of the files, for the scene's ``meta.json``.
    """

    instance: NDArray[np.int32]
    categories: dict[int, str]
    notes: tuple[str, ...]


def checked_labels(
    labels: NDArray[np.integer], scan: str, path: Path
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Check the labels of a scan.

    Three scans are known to have one invalid id each (``classes.BOGUS_IDS``), which becomes 0.

    Args:
        labels: Labels (N,) of ``labels.ply``.
        scan: Id of the scan.
        path: Path of the file, for messages.

    Returns:
        NYU40 ids (N,) int64, 0 where nothing is annotated; and notes.

    Raises:
        InputError: Any other id is outside 0..40.
    """
    notes: tuple[str, ...] = ()
    labels = labels.astype(np.int64)
    if scan in BOGUS_IDS:
        bogus = labels == BOGUS_IDS[scan]
        labels[bogus] = 0
        notes = (f"label {BOGUS_IDS[scan]} of {int(bogus.sum())} vertices is outside NYU40: 0",)
    strange = np.unique(labels[(labels < 0) | (labels > NUM_NYU40)])
    if len(strange):
        raise InputError(
            f"{path}: the scan {scan} has the label {strange[0]}, which is not one of NYU40's "
            f"0..{NUM_NYU40}; download it again"
        )
    return labels, notes


def read_objects(segments_path: Path, aggregation_path: Path, num_vertices: int) -> Objects:
    """Read the object of each vertex.

    If two objects share a segment, the later one gets it, as in VoteNet's loader
    (facebookresearch/votenet, scannet/load_scannet_data.py). An object that repeats an earlier one
    is left out: scene0217_00 lists all its objects twice, and VoteNet's rule would turn the first
    of each pair into an empty box.

    Args:
        segments_path: Path of ``_vh_clean_2.0.010000.segs.json``.
        aggregation_path: Path of ``.aggregation.json``.
        num_vertices: Number of vertices of the scan's mesh.

    Raises:
        InputError: A file is missing, not JSON, incomplete or of another mesh, or it names segments
            that do not exist.
    """
    segment_ids, segment_of_vertex = _read_segments(segments_path, num_vertices)
    object_of_segment = np.full(len(segment_ids), -1, dtype=np.int32)
    categories: dict[int, str] = {}
    seen: set[tuple[str, bytes]] = set()
    notes: list[str] = []
    for number, category, segments in _read_groups(aggregation_path):
        rows = np.minimum(np.searchsorted(segment_ids, segments), len(segment_ids) - 1)
        absent = segments[segment_ids[rows] != segments]
        if len(absent):
            raise InputError(
                f"{aggregation_path}: object {number} ({category!r}) names segment {absent[0]}, "
                f"which {segments_path.name} does not have; download both again"
            )
        key = (category, np.unique(rows).tobytes())
        if key in seen:
            notes.append(f"object {number} ({category!r}) repeats another: left out")
            continue
        if number in categories:
            raise InputError(f"{aggregation_path} has two objects {number}; download it again")
        seen.add(key)
        categories[number] = category
        object_of_segment[rows] = number
    return Objects(object_of_segment[segment_of_vertex], categories, tuple(notes))


def read_label_map(path: Path) -> dict[str, int]:
    """Read the label map of the release, from raw categories to NYU40 ids.

    Returns:
        Category -> id, 0 if the map has none.

    Raises:
        InputError: The file is missing, lacks a column, or has an id outside 1..40.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist; download it (--label_map of the official script)"
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a table of text ({error}); download it again") from None
    label_map: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        category, value = row.get("raw_category"), row.get("nyu40id")
        if category is None or value is None:
            raise InputError(f"{path}, line {line}: no raw_category or nyu40id; download it again")
        if value.strip() and not (value.isdecimal() and 1 <= int(value) <= NUM_NYU40):
            raise InputError(f"{path}, line {line}: {value!r} is not an NYU40 id (1..{NUM_NYU40})")
        label_map[category] = int(value) if value.strip() else 0
    if not label_map:
        raise InputError(f"{path} is empty; download it again")
    return label_map


def object_labels(objects: Objects, label_map: Mapping[str, int], path: Path) -> dict[int, int]:
    """Return the NYU40 id of each object, by its category.

    Args:
        objects: Objects of the scan.
        label_map: Raw category -> NYU40 id.
        path: Path of the aggregation, for messages.

    Raises:
        InputError: A category is not in the map.
    """
    for number, category in objects.categories.items():
        if category not in label_map:
            raise InputError(
                f"{path}: object {number} is a {category!r}, which the label map does not have; "
                "use the map of the same release"
            )
    return {number: label_map[category] for number, category in objects.categories.items()}


def commonest_labels(objects: Objects, labels: NDArray[np.int64]) -> dict[int, int]:
    """Return the most common NYU40 id of each object's vertices, in the absence of a label map."""
    inside = objects.instance >= 0
    num_ids = NUM_NYU40 + 1
    size = (max(objects.categories, default=-1) + 1) * num_ids
    cells = objects.instance[inside].astype(np.int64) * num_ids + labels[inside]
    votes = np.bincount(cells, minlength=size).reshape(-1, num_ids)
    return {number: int(votes[number].argmax()) for number in objects.categories}


def _read_segments(path: Path, num_vertices: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read the sorted ids of the segments, and the row among them of each vertex."""
    content = read_json(path)
    value = content.get("segIndices") if isinstance(content, dict) else None
    segments = _integers(value)
    if segments is None:
        raise InputError(f"{path} has no list of integers 'segIndices'; download it again")
    if len(segments) != num_vertices:
        raise InputError(
            f"{path} has segments of {len(segments)} vertices, the scan's mesh has "
            f"{num_vertices}: they do not belong together; download both again"
        )
    return np.unique(segments, return_inverse=True)


def _read_groups(path: Path) -> list[tuple[int, str, NDArray[np.int64]]]:
    """Read id, category and segments of each object, in the order of the file."""
    content = read_json(path)
    groups = content.get("segGroups") if isinstance(content, dict) else None
    if not isinstance(groups, list):
        raise InputError(f"{path} has no list 'segGroups'; download it again")
    found = []
    for position, group in enumerate(groups):
        fields = group if isinstance(group, dict) else {}
        number, category = fields.get("objectId"), fields.get("label")
        segments = _integers(fields.get("segments"))
        good = isinstance(number, int) and 0 <= number < 2**20 and isinstance(category, str)
        if not good or segments is None or not len(segments):
            raise InputError(
                f"{path}: entry {position} of 'segGroups' lacks an objectId, a label or segments; "
                "download it again"
            )
        found.append((number, category, segments))
    return found


def _integers(value: Any) -> NDArray[np.int64] | None:
    """Convert a JSON list of integers to an array; None for any other value."""
    if not isinstance(value, list):
        return None
    try:
        array = np.array(value)
    except ValueError:  # nested lists of unequal lengths
        return None
    if array.ndim != 1 or (len(array) and array.dtype.kind != "i"):
        return None
    return array.astype(np.int64)
