"""The labels of a scan put on its scene: classes, instances, boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from downstream.releases.scannet.annotations import (
    Objects,
    checked_labels,
    commonest_labels,
    object_labels,
    read_label_map,
    read_objects,
)
from downstream.releases.scannet.classes import class_rows
from downstream.releases.scannet.mesh import read_vertex_labels
from downstream.releases.scannet.release import AGGREGATION, LABELS, SEGMENTS, scan_file
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene


def labelled(
    scene: LabelledScene, scan: Path, map_path: Path, vertices: NDArray[np.float32]
) -> LabelledScene:
    """Add classes to a scene and, where the files are there, objects and their boxes.

    The classes are those of ``labels.ply``, which the benchmark is scored on, or of the objects
    where that is missing. An object's class is its category's, by the label map; without the map
    it is that of most of its vertices.

    Args:
        scene: of the scan, without labels.
        scan: the scan's folder.
        map_path: of the map from raw categories to NYU40; it need not be there if the labels are.
        vertices: (N, 3) of the scan's mesh, in its own frame.

    Raises:
        InputError: no labels, or a file that is missing or wrong; the message names it.
    """
    labels_path, aggregation = scan_file(scan, LABELS), scan_file(scan, AGGREGATION)
    has_objects = aggregation.exists() or scan_file(scan, SEGMENTS).exists()
    if not (labels_path.exists() or has_objects):
        raise InputError(
            f"{scan} has no labels: download {labels_path.name}, or {scan.name}{SEGMENTS} and "
            f"{aggregation.name}; or pass --no-labels"
        )
    objects, ids = None, {}
    if has_objects:
        objects = read_objects(scan_file(scan, SEGMENTS), aggregation, len(vertices))
    if labels_path.exists():
        labels = read_vertex_labels(labels_path, vertices)
        nyu40, notes = checked_labels(labels, scan.name, labels_path)
    else:
        nyu40, notes = np.zeros(len(vertices), dtype=np.int64), ()
    if objects is not None:
        if map_path.exists() or not labels_path.exists():
            ids = object_labels(objects, read_label_map(map_path), aggregation)
        else:
            ids = commonest_labels(objects, nyu40)
        notes += objects.notes
    if objects is not None and not labels_path.exists():
        by_object = np.zeros(max(ids, default=-1) + 2, dtype=np.int64)  # the last is for -1
        by_object[list(ids)] = list(ids.values())
        nyu40 = by_object[objects.instance]
    scene = replace(
        scene,
        semantic=class_rows(nyu40),
        details={**scene.details, "notes": list(notes), "labels_from": _origin(labels_path)},
    )
    return scene if objects is None else _with_boxes(scene, objects, ids)


def _with_boxes(scene: LabelledScene, objects: Objects, ids: dict[int, int]) -> LabelledScene:
    """The scene with instances and the axis-aligned box about each, whatever its class."""
    inside = np.flatnonzero(objects.instance >= 0)
    order = inside[np.argsort(objects.instance[inside], kind="stable")]
    instances, starts = np.unique(objects.instance[order], return_index=True)
    boxes = np.zeros((len(instances), 8), dtype=np.float32)
    nyu40 = np.array([ids[number] for number in instances.tolist()], dtype=np.int64)
    if len(instances):
        points = scene.coord[order].astype(np.float64)
        low, high = (extreme.reduceat(points, starts) for extreme in (np.minimum, np.maximum))
        boxes[:, :3], boxes[:, 3:6] = (low + high) / 2, high - low
        boxes[:, 7] = class_rows(nyu40)
    lost = sorted(set(objects.categories) - set(instances.tolist()))
    notes = [f"object {number} has no vertex of its own: no box" for number in lost]
    return replace(
        scene,
        instance=objects.instance,
        boxes=boxes,
        box_instances=instances.astype(np.int32),
        details={
            **scene.details,
            "notes": [*scene.details["notes"], *notes],
            "box_nyu40_ids": nyu40.tolist(),
            "box_categories": [objects.categories[number] for number in instances.tolist()],
        },
    )


def _origin(labels_path: Path) -> str:
    return LABELS if labels_path.exists() else f"{SEGMENTS} and {AGGREGATION}"
