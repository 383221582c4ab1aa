"""Labels of a scan as classes, instances and boxes of its scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from downstream.releases.scannet.annotations import (
    Objects,
    checked_labels,
    commonest_labels,
    object_labels,
    read_label_map,
    read_objects,
)
from downstream.releases.scannet.classes import class_rows
from downstream.releases.scannet.mesh import Mesh, read_vertex_labels
from downstream.releases.scannet.release import AGGREGATION, LABELS, SEGMENTS, scan_file
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene


def add_labels(scene: LabelledScene, scan: Path, map_path: Path, mesh: Mesh) -> LabelledScene:
    """Add classes to a scene and, if the files exist, objects and their boxes.

    Classes come from ``labels.ply``, which the benchmark evaluates, or from the objects if that
    file is missing. The class of an object is that of its category in the label map, or the most
    common class of its vertices without a label map.

    Args:
        scene: Scene of the scan, without labels.
        scan: Folder of the scan.
        map_path: Path of the label map; it may be missing if ``labels.ply`` exists.
        mesh: Mesh of the scan.

    Raises:
        InputError: There are no labels, or a file is missing or wrong.
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
        objects = read_objects(scan_file(scan, SEGMENTS), aggregation, len(mesh.vertices))
    if labels_path.exists():
        labels = read_vertex_labels(labels_path, mesh)
        nyu40, notes = checked_labels(labels, scan.name, labels_path)
    else:
        nyu40, notes = np.zeros(len(mesh.vertices), dtype=np.int64), ()
    if objects is not None:
        if map_path.exists() or not labels_path.exists():
            ids = object_labels(objects, read_label_map(map_path), aggregation)
        else:
            ids = commonest_labels(objects, nyu40)
        notes += objects.notes
    if objects is not None and not labels_path.exists():
        by_object = np.zeros(
            max(ids, default=-1) + 2, dtype=np.int64
        )  # the last entry is for id -1
        by_object[list(ids)] = list(ids.values())
        nyu40 = by_object[objects.instance]
    scene = replace(
        scene,
        semantic=class_rows(nyu40),
        details={**scene.details, "notes": list(notes), "labels_from": _origin(labels_path)},
    )
    return scene if objects is None else _with_boxes(scene, objects, ids)


def _with_boxes(scene: LabelledScene, objects: Objects, ids: dict[int, int]) -> LabelledScene:
    """Add instances and the axis-aligned box of each, whatever its class."""
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
