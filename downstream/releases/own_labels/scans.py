"""One scan with its labels, as its files hold them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.releases.own_labels.label_fields import (
    INSTANCE_NAMES,
    LABEL_NAMES,
    described,
    find_field,
    only_labels,
    title_of,
)
from downstream.releases.own_labels.scan_files import (
    ANNOTATIONS,
    OwnScan,
    object_class,
    object_files,
)
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene_forms import whole_numbers
from pointcontrast.recordings.point_files import StoredPoints, read_point_file

LAS_LABELS = "classification"

# what the reader says about columns that are read here after all
_LEFT_OUT = re.compile(
    r"(?:^|; )(?:no colours; )?(?:columns?|arrays)\b[^;(]*\bleft out\b[^;(]*?(?= \(|;|$)"
)


@dataclass(frozen=True, kw_only=True)
class RawScan:
    """Points of a scan with labels that have no meaning yet. N points, all finite.

    Attributes:
        points: (N, 3) float64 in the frame and unit of the files.
        colors: (N, 3) uint8 RGB, or None.
        normals: (N, 3) float32 unit vectors, or None.
        labels: (N,) int32 labels, -1 for none, or names of classes; None if there are no labels.
        instance: (N,) int32 numbers of objects, -1 for none; or None.
        label_field: Where the labels are from, for people; empty if there are none.
        unit: Metres per unit, if the file states it.
        is_mesh: Whether the points are vertices of a mesh.
        notes: What was guessed or left out.
    """

    points: NDArray[np.float64]
    colors: NDArray[np.uint8] | None = None
    normals: NDArray[np.float32] | None = None
    labels: NDArray[np.int32] | NDArray[np.str_] | None = None
    instance: NDArray[np.int32] | None = None
    label_field: str = ""
    unit: float | None = None
    is_mesh: bool = False
    notes: tuple[str, ...] = ()


def read_raw_scan(scan: OwnScan, label_field: str | None, instance_field: str | None) -> RawScan:
    """Read a scan.

    Args:
        scan: One of :func:`scan_files.find_scans`.
        label_field: Name of the column with the labels; None takes the one whose name says so.
        instance_field: Name of the column with the numbers of objects, likewise.

    Raises:
        InputError: A file is damaged, the stated column is not there, or labels are not whole
            numbers or of another number than the points.
    """
    if scan.path.is_dir():
        return _read_room(scan)
    stored = read_point_file(scan.path)
    try:
        raw = _with_labels(scan, stored, label_field, instance_field)
    except InputError as error:
        text = str(error)
        if any(str(path) in text for path in scan.files):
            raise
        separator = ": " if text.startswith("column") else " "
        raise InputError(f"{scan.path}{separator}{text}") from None
    return _without_missing_points(raw, scan.path.suffix.lower() == ".bin")


def _with_labels(
    scan: OwnScan, stored: StoredPoints, label_field: str | None, instance_field: str | None
) -> RawScan:
    raw = RawScan(
        points=stored.points,
        colors=stored.colors,
        normals=stored.normals,
        unit=stored.unit,
        is_mesh=stored.faces is not None,
        notes=_notes(stored),
    )
    instance = find_field(stored.fields, instance_field, INSTANCE_NAMES, "--instance-field")
    if instance is not None:
        values, _ = _numbers(stored.fields[instance], title_of(instance))
        raw = replace(raw, instance=values)
    if scan.labels is not None and label_field is None:
        return _with_label_file(raw, scan.labels)
    others = {name: values for name, values in stored.fields.items() if name != instance}
    field = find_field(others, label_field, LABEL_NAMES, "--label-field") or only_labels(others)
    if field is None:
        return raw
    values = others[field]
    if values.dtype.kind in "US":
        return replace(raw, labels=values.astype(np.str_), label_field=field)
    labels, num_missing = _numbers(values, title_of(field))
    notes = (f"{num_missing:,} points without a value of {field} have no label",)
    return replace(
        raw,
        labels=labels,
        label_field=field,
        notes=raw.notes + (notes if num_missing else ()),
    )


def labels_are_missing(scan: OwnScan) -> str:
    """Describe that a scan has no labels, with what it has, for a message."""
    text = f"{scan.path} has no column of labels"
    if scan.path.is_file():
        fields = read_point_file(scan.path).fields
        text += f": {described(fields)}; name it by --label-field" if fields else ""
    return f"{text}. A scan without labels is for tools/predict.py, which takes it as it is"


def _numbers(values: NDArray[Any], what: str) -> tuple[NDArray[np.int32], int]:
    """Convert a column to whole numbers; NaN, no value, becomes -1. Returns the number of NaN."""
    if values.dtype.kind not in "fiub":
        raise InputError(f"{what} holds words, not numbers")
    if values.dtype.kind != "f":
        return whole_numbers(values, what), 0
    missing = np.isnan(values)
    return whole_numbers(np.where(missing, -1, values), what), int(missing.sum())


def _notes(stored: StoredPoints) -> tuple[str, ...]:
    notes = [_LEFT_OUT.sub("", note).strip(" ;") for note in stored.notes]
    notes = [note for note in notes if note and not note.startswith("(")]
    if stored.faces is not None:
        notes.append("is a mesh: its vertices are the points")
    return tuple(notes)


def _with_label_file(raw: RawScan, path: Path) -> RawScan:
    """Add the labels of a file with one number a point."""
    if path.suffix == ".label":
        if path.stat().st_size % 4:
            raise InputError(f"{path} is {path.stat().st_size} bytes, not four (uint32) a point")
        values = np.fromfile(path, dtype="<u4")
        _check_count(path, len(values), len(raw.points))
        labels = (values & 0xFFFF).astype(np.int32)
        is_object = values >> 16 > 0
        instance = np.full(len(values), -1, np.int32)
        instance[is_object] = np.unique(values[is_object], return_inverse=True)[1]
        return replace(raw, labels=labels, instance=instance, label_field=f"{path.suffix} files")
    try:
        values = np.loadtxt(path, ndmin=1)
    except ValueError as error:
        raise InputError(f"{path} is not one number a line ({error})") from None
    if values.ndim != 1:
        raise InputError(f"{path} has {values.shape[1]} numbers a line, not one")
    _check_count(path, len(values), len(raw.points))
    return replace(raw, labels=_numbers(values, str(path))[0], label_field=f"{path.suffix} files")


def _check_count(path: Path, found: int, wanted: int) -> None:
    if found != wanted:
        raise InputError(f"{path} has {found:,} labels, its scan {wanted:,} points")


def _without_missing_points(raw: RawScan, has_returns: bool) -> RawScan:
    """Leave out points that are not finite, and those at 0 0 0 of a sweep, its missing returns."""
    keep = np.isfinite(raw.points).all(axis=1)
    if has_returns:
        keep &= raw.points.any(axis=1)
    if keep.all():
        return raw
    if not keep.any():
        raise InputError("holds no point with finite coordinates")
    note = f"{int((~keep).sum()):,} points without a place are left out"
    arrays = {name: getattr(raw, name) for name in ("colors", "normals", "labels", "instance")}
    kept = {name: array[keep] for name, array in arrays.items() if array is not None}
    return replace(raw, points=raw.points[keep], notes=(*raw.notes, note), **kept)


def _read_room(scan: OwnScan) -> RawScan:
    """Read a folder of objects; the class is in the name of each file."""
    files, strange = object_files(scan.path)
    if not files:
        raise InputError(f"{scan.path / ANNOTATIONS} holds no CLASS_NUMBER.txt")
    parts = [_without_missing_points(_plain(read_point_file(path)), False) for path in files]
    counts = [len(part.points) for part in parts]
    notes = list(dict.fromkeys(note for part in parts for note in part.notes))
    notes += [f"{path.name} is left out: its name is not CLASS_NUMBER.txt" for path in strange]
    return RawScan(
        points=np.concatenate([part.points for part in parts]),
        colors=_joined([part.colors for part in parts]),
        normals=_joined([part.normals for part in parts]),
        labels=np.repeat(np.array([object_class(path) for path in files]), counts),
        instance=np.repeat(np.arange(len(files), dtype=np.int32), counts),
        label_field=f"names in {ANNOTATIONS}",
        notes=tuple(notes),
    )


def _plain(stored: StoredPoints) -> RawScan:
    return RawScan(
        points=stored.points,
        colors=stored.colors,
        normals=stored.normals,
        notes=_notes(stored),
    )


def _joined(parts: Sequence[NDArray[Any] | None]) -> Any:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None
