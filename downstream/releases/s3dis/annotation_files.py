"""Annotation files of a room: one per object, and never a copy of another."""

from __future__ import annotations

import filecmp
from pathlib import Path

from downstream.releases.file_names import is_of_the_system
from downstream.releases.s3dis.classes import AnnotationName, read_annotation_name
from pointcontrast.errors import InputError

ANNOTATIONS = "Annotations"


def find_annotations(room: Path) -> tuple[dict[Path, AnnotationName], list[str]]:
    """Find the annotation files of a room.

    Of several files with the same class and number, the one with the correct name is taken, or the
    first. The release itself has a pair, ``Area_5/office_36/Annotations/wall_3 (1).txt``, which
    others delete (reference: drprojects/superpoint_transformer, ``src/datasets/s3dis.py``).

    Returns:
        File -> parsed name, sorted by file; and notes on what is left out or read under another
        name.

    Raises:
        InputError: The room has no annotation, or a name may be that of an object but has no known
            class.
    """
    folder = room / ANNOTATIONS
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    named: dict[str, list[tuple[Path, AnnotationName]]] = {}
    notes: list[str] = []
    for path in entries:
        name = read_annotation_name(path)
        if name is not None:
            named.setdefault(name.proper, []).append((path, name))
        elif not is_of_the_system(path):
            notes.append(f"{path.name} is left out: its name is not <class>_<number>.txt")
    if not named and (room / "coord.npy").exists():
        raise InputError(
            f"{room} has arrays and no {ANNOTATIONS}: rooms that another program prepared "
            "(Pointcept) are not read; give the release as text"
        )
    if not named:
        raise InputError(
            f"{room} has no annotations: {folder} must have files such as chair_1.txt; copy the "
            "room from the release again"
        )
    chosen: dict[Path, AnnotationName] = {}
    for proper, candidates in named.items():
        candidates.sort(key=lambda each: (each[0].name != proper, each[1].more, each[0].name))
        (path, name), *copies = candidates
        chosen[path] = name
        if path.name != proper:
            notes.append(f"{path.name} read as {proper}")
        for copy, _ in copies:
            same = "the same" if filecmp.cmp(copy, path, shallow=False) else "not the same"
            notes.append(
                f"{copy.name} is left out as a copy of {path.name}; their content is {same}"
            )
    return dict(sorted(chosen.items())), notes
