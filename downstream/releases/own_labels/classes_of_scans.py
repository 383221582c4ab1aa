"""The list of classes of a folder, where no file states it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from downstream.releases.own_labels.box_files import read_boxes
from downstream.releases.own_labels.class_list import (
    ASPRS,
    UNLABELLED,
    ClassList,
    make_class_list,
)
from downstream.releases.own_labels.scan_files import OwnScan, object_class, object_files
from downstream.releases.own_labels.scans import (
    LAS_LABELS,
    RawScan,
    labels_are_missing,
    read_raw_scan,
)
from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats import SURVEY_SUFFIXES, format_of


def classes_of(
    scans: Sequence[OwnScan],
    label_field: str | None,
    instance_field: str | None,
    unlabelled: Iterable[int] = (),
) -> ClassList:
    """Find the classes of scans whose labels have names of their own.

    These are objects in files named by their class, words in a column, boxes, and the
    classification of LAS files, by the ASPRS specification.

    Args:
        scans: Scans, at least one; the first decides what their labels are.
        label_field: As of ``scenes.OwnSettings``.
        instance_field: Likewise.
        unlabelled: Labels that mean no label.

    Raises:
        InputError: Labels are numbers without names, or the first scan has none.
    """
    first = scans[0]
    if first.path.is_dir():
        rooms = [scan for scan in scans if scan.path.is_dir()]
        files = [path for scan in rooms for path in object_files(scan.path)[0]]
        return _of_names((object_class(path) for path in files), "the names of the objects' files")
    raw = read_raw_scan(first, label_field, instance_field)
    if raw.labels is None and first.boxes is None:
        raise InputError(labels_are_missing(first))
    if raw.labels is None:
        boxes = [scan.boxes for scan in scans if scan.boxes is not None]
        return _of_names((name for path in boxes for name in read_boxes(path).classes), "the boxes")
    if raw.labels.dtype.kind == "U":
        words = {str(w) for w in _every(scans, raw, label_field, instance_field)}
        return _of_names(words, f"column {raw.label_field}")
    if format_of(first.path) in SURVEY_SUFFIXES[:2] and raw.label_field == LAS_LABELS:
        numbers = {int(str(x)) for x in _every(scans, raw, label_field, instance_field)}
        names = {x: ASPRS.get(x, f"class_{x}") for x in sorted(numbers)}
        return make_class_list(names, "the ASPRS classes of LAS", unlabelled)
    labels, counts = np.unique(raw.labels, return_counts=True)
    shown = ", ".join(
        f"{label} ({count:,} points)"
        for label, count in zip(labels[:12].tolist(), counts[:12].tolist(), strict=True)
    )
    raise InputError(
        f"{first.path}: its labels ({raw.label_field}) are the numbers {shown}"
        f"{' and others' if len(labels) > 12 else ''}; name them by --classes FILE, with a label "
        "and a name a line"
    )


def _every(
    scans: Sequence[OwnScan], first: RawScan, label_field: str | None, instance_field: str | None
) -> Iterable[object]:
    """Labels of all scans; one that cannot be read fails in its conversion."""
    assert first.labels is not None
    yield from np.unique(first.labels).tolist()
    for scan in scans[1:]:
        try:
            labels = read_raw_scan(scan, label_field, instance_field).labels
        except InputError:
            continue
        if labels is not None and labels.dtype.kind == first.labels.dtype.kind:
            yield from np.unique(labels).tolist()


def _of_names(names: Iterable[str], source: str) -> ClassList:
    known = sorted({name.strip() for name in names} - {""})
    found = [name for name in known if name.lower() not in UNLABELLED]
    return make_class_list(dict(enumerate(found)), source)
