"""Conversion of scans with labels to labelled scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.releases.own_labels.box_files import OwnBoxes, read_boxes
from downstream.releases.own_labels.class_list import ClassList
from downstream.releases.own_labels.scan_files import OwnScan
from downstream.releases.own_labels.scans import RawScan, labels_are_missing, read_raw_scan
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import UP_AXES, LabelledScene
from pointcontrast.preparation.scene_conversion import (
    ConvertedScene,
    convert_all,
    make_scene,
    source_fingerprint,
)
from pointcontrast.preparation.workers import THIS_PROCESS, Workers
from pointcontrast.recordings.units import doubt_of_metres

_RECIPE = 1  # increased when the same files would give other scenes


@dataclass(frozen=True, kw_only=True)
class OwnSettings:
    """How scans are read.

    Attributes:
        label_field: Name of the column with the labels; None takes the one whose name says so.
        instance_field: Name of the column with the numbers of objects, likewise.
        unit: Metres per unit; None takes what the file states, or metres if they fit.
        up_axis: Up direction of the scans, a key of ``UP_AXES``.
    """

    label_field: str | None = None
    instance_field: str | None = None
    unit: float | None = None
    up_axis: str = "z"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: The unit is not positive, or the axis unknown.
        """
        if self.unit is not None and not 0 < self.unit < float("inf"):
            raise InputError(f"--unit {self.unit} must be metres per unit, such as 0.001")
        if self.up_axis not in UP_AXES:
            raise InputError(f"--up {self.up_axis!r} must be one of {', '.join(UP_AXES)}")


def convert_scans(
    scans: Sequence[OwnScan],
    output: Path,
    classes: ClassList,
    settings: OwnSettings,
    workers: Workers = THIS_PROCESS,
) -> tuple[list[ConvertedScene], dict[str, str]]:
    """Convert scans in parallel; each process holds one scan at a time.

    Args:
        scans: Scans of :func:`scan_files.find_scans`, with absolute paths.
        output: Folder of the scenes.
        classes: Classes of their labels.
        settings: How they are read.
        workers: Worker processes.

    Returns:
        Finished scans, and failures (name -> reason), both in the order of ``scans``.
    """
    tasks = {scan.name: (scan, output.absolute(), classes, settings) for scan in scans}
    return convert_all(convert_scan, tasks, workers, unit="scan")


def convert_scan(
    scan: OwnScan, output: Path, classes: ClassList, settings: OwnSettings
) -> ConvertedScene:
    """Convert a scan to ``output/<name>``, unless it is finished.

    Raises:
        InputError: A file of the scan is wrong, or it has no labels.
    """
    wanted = {
        "recipe": _RECIPE,
        **asdict(settings),
        "classes": list(classes.names),
        "rows": {str(label): row for label, row in sorted(classes.rows.items())},
        "files": source_fingerprint(scan.files),
    }
    return make_scene(output, scan.name, wanted, lambda: _read_scene(scan, classes, settings))


def _read_scene(scan: OwnScan, classes: ClassList, settings: OwnSettings) -> LabelledScene:
    raw = read_raw_scan(scan, settings.label_field, settings.instance_field)
    found = None if scan.boxes is None else read_boxes(scan.boxes)
    if raw.labels is None and found is None:
        raise InputError(labels_are_missing(scan))
    unit, notes = _unit(scan, raw, settings.unit)
    semantic = _semantic(scan, raw, classes)
    boxes = None if found is None else _boxes(scan, found, classes, unit, settings.up_axis)
    if semantic is not None and (semantic < 0).all():
        notes.append(f"none of its {len(semantic):,} points has a label")
    points = raw.points * unit if unit != 1 else raw.points
    if boxes is not None and len(boxes):
        notes += _empty_boxes(scan, boxes, points)
    arrays: dict[str, Any] = {"coord": points, "boxes": boxes}  # write_labelled_scene converts them
    return LabelledScene(
        **arrays,
        color=raw.colors,
        normal=raw.normals,
        semantic=semantic,
        instance=raw.instance,
        class_names=classes.names,
        up_axis=settings.up_axis,
        source={"scan": scan.path.name, "labels": raw.label_field, "unit": unit},
        details={
            "notes": [*raw.notes, *(found.notes if found is not None else ()), *notes],
            "label_counts": _counts(semantic, classes),
            "num_unlabelled": 0 if semantic is None else int((semantic < 0).sum()),
        },
    )


def _unit(scan: OwnScan, raw: RawScan, stated: float | None) -> tuple[float, list[str]]:
    """Metres per unit: what the user states, what the file states, or metres if they fit."""
    if stated is not None:
        return stated, []
    if raw.unit is not None:
        return raw.unit, [f"its unit is {raw.unit:g} m, as it states"] if raw.unit != 1 else []
    doubt = doubt_of_metres(raw.points, is_mesh=raw.is_mesh)
    if doubt is not None:
        raise InputError(f"{scan.path} {doubt}")
    return 1.0, []


def _semantic(scan: OwnScan, raw: RawScan, classes: ClassList) -> NDArray[np.int32] | None:
    if raw.labels is None:
        return None
    if raw.labels.dtype.kind == "U":
        return classes.rows_of_words(raw.labels.astype(np.str_), str(scan.path))
    return classes.rows_of(raw.labels.astype(np.int32), str(scan.path))


def _boxes(
    scan: OwnScan, found: OwnBoxes, classes: ClassList, unit: float, up_axis: str
) -> NDArray[np.float64]:
    if up_axis != "z" and found.classes:
        raise InputError(f"{scan.boxes}: boxes need scans with z up; rotate them, without --up")
    unknown = [name for name in found.classes if name not in classes.names]
    if unknown:
        raise InputError(
            f"{scan.boxes}: the class {unknown[0]!r} is not in {classes.source} "
            f"({', '.join(classes.names)})"
        )
    rows = np.array([classes.names.index(name) for name in found.classes], dtype=np.float64)
    boxes = np.column_stack([found.boxes, rows])
    boxes[:, :6] *= unit
    return boxes


def _empty_boxes(
    scan: OwnScan, boxes: NDArray[np.float64], points: NDArray[np.float64]
) -> list[str]:
    """A note on boxes without points; all of them without are in another frame or unit."""
    empty = [row for row, box in enumerate(boxes) if not holds_point(box, points)]
    if len(empty) == len(boxes):
        raise InputError(
            f"{scan.boxes}: no box holds a point of {scan.path.name}; give boxes in the frame and "
            "unit of the scan"
        )
    if not empty:
        return []
    numbers = ", ".join(map(str, empty[:8])) + (" and others" if len(empty) > 8 else "")
    return [f"{len(empty)} of {len(boxes)} boxes hold no point: {numbers}"]


def holds_point(box: NDArray[np.float64], points: NDArray[np.float64]) -> bool:
    """Whether an upright box, z up, holds a point."""
    reach = np.linalg.norm(box[3:6]) / 2
    near = points[(np.abs(points - box[:3]) <= reach).all(axis=1)] - box[:3]
    cos, sin = np.cos(box[6]), np.sin(box[6])
    own = near @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return bool((np.abs(own) <= box[3:6] / 2).all(axis=1).any())


def _counts(semantic: NDArray[np.int32] | None, classes: ClassList) -> dict[str, int]:
    if semantic is None:
        return {}
    counts = np.bincount(semantic[semantic >= 0], minlength=len(classes.names))
    return dict(zip(classes.names, counts.tolist(), strict=True))
