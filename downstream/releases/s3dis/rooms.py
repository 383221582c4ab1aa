"""Conversion of rooms to labelled scenes.

Points, colours and labels come from the annotations, as in the authors' preprocessing
(SpatioTemporalSegmentation ``lib/datasets/preprocessing/stanford.py``). ``<room>.txt`` holds the
same points without labels and is not read: reading it would double the time on disk, it is misnamed
in one room (``Area_6/copyRoom_1/copy_Room_1.txt``), and it has two of the four damaged lines of the
release.
"""

from __future__ import annotations

import filecmp
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from downstream.releases.grid import GridSettings, thin_to_grid
from downstream.releases.s3dis.classes import CLASS_NAMES, AnnotationName, read_annotation_name
from downstream.releases.s3dis.text import read_points
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene
from pointcontrast.preparation.scene_conversion import (
    ConvertedScene,
    convert_all,
    fingerprint,
    make_scene,
)
from pointcontrast.preparation.workers import THIS_PROCESS, Workers

_RECIPE = 2  # increased when the same files would give other scenes

NUM_ROOMS: dict[int, int] = {1: 44, 2: 40, 3: 23, 4: 49, 5: 68, 6: 48}
"""Area -> number of rooms in the release, 272 in total. Areas 1, 3, 4 and 5 agree with the logs in
issues 39 and 141 of HuguesTHOMAS/KPConv-PyTorch."""

AREAS = tuple(NUM_ROOMS)
ANNOTATIONS = "Annotations"


def find_rooms(release: Path, areas: Collection[int] = AREAS) -> list[Path]:
    """Find the folders of the rooms of some areas, sorted.

    Args:
        release: Folder with ``Area_1`` and so on.
        areas: Areas to search; some may be missing.

    Raises:
        InputError: The folder does not exist or has no room.
    """
    if not release.is_dir():
        raise InputError(f"{release} is not a folder; give the folder with Area_1, Area_2, ...")
    rooms = [
        room
        for area in sorted(areas)
        if (release / f"Area_{area}").is_dir()
        for room in (release / f"Area_{area}").iterdir()
        if room.is_dir() and not room.name.startswith(".")
    ]
    if not rooms:
        raise InputError(
            f"{release} holds no room; it must have folders Area_1/office_1/{ANNOTATIONS} and so on"
        )
    return sorted(rooms)


def room_name(room: Path) -> str:
    """Return the name of a room, such as ``Area_5/office_1``."""
    return f"{room.parent.name}/{room.name}"


def convert_room(room: Path, output: Path, settings: GridSettings) -> ConvertedScene:
    """Convert a room, unless it is finished.

    Args:
        room: Folder of the room in the release.
        output: Folder of the scenes. The scene is written to ``output/Area_5/office_1``,
            atomically.
        settings: Settings of the conversion.

    Raises:
        InputError: A file of the room is missing or wrong.
    """
    files = annotation_files(room)
    wanted = {"recipe": _RECIPE, "grid": settings.grid, "files": fingerprint(files)}
    return make_scene(output, room_name(room), wanted, lambda: _read_room(room, files, settings))


def convert_rooms(
    rooms: Sequence[Path],
    output: Path,
    settings: GridSettings,
    workers: Workers = THIS_PROCESS,
) -> tuple[list[ConvertedScene], dict[str, str]]:
    """Convert rooms in parallel; each process holds one room at a time.

    Args:
        rooms: Folders of the rooms in the release.
        output: Folder of the scenes.
        settings: Settings of the conversion.
        workers: Worker processes.

    Returns:
        Finished rooms, and failures (name -> reason), both in the order of ``rooms``.
    """
    tasks = {room_name(room): (room.absolute(), output.absolute(), settings) for room in rooms}
    return convert_all(convert_room, tasks, workers, unit="room")


def annotation_files(room: Path) -> list[Path]:
    """Find the annotation files of a room, sorted; hidden files are skipped.

    Raises:
        InputError: The room has none.
    """
    folder = room / ANNOTATIONS
    files = sorted(
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.suffix == ".txt" and not path.name.startswith(".")
    )
    if not files:
        raise InputError(
            f"{room} has no annotations: {folder} must have files such as chair_1.txt; copy the "
            "room from the release again"
        )
    return files


def _read_room(room: Path, files: Sequence[Path], settings: GridSettings) -> LabelledScene:
    """Read a room in the frame of the release, that of its building."""
    names = {path: read_annotation_name(path) for path in files}  # before the points are read
    notes = [note for path, name in names.items() if (note := _name_note(path, name))]
    objects = {path: name for path, name in names.items() if not _is_second_copy(path, name)}
    parts = [read_points(path) for path in objects]
    counts = [len(part.coord) for part in parts]
    classes = [name.row for name in objects.values()]
    notes += [note for part in parts for note in part.notes]
    notes += [
        f"{path.name}: {count} points of an ignored class"
        for path, row, count in zip(objects, classes, counts, strict=True)
        if row == -1
    ]
    arrays: dict[str, Any] = {
        "coord": np.concatenate([part.coord for part in parts]),
        "color": np.concatenate([part.color for part in parts]),
        "semantic": np.repeat(np.array(classes, np.int32), counts),
        "instance": np.repeat(np.arange(len(parts), dtype=np.int32), counts),
    }
    del parts
    if settings.grid:
        arrays = thin_to_grid(arrays, settings.grid)
    return LabelledScene(
        **arrays,
        class_names=CLASS_NAMES,
        source={"dataset": "S3DIS", "room": room_name(room)},
        details={"notes": notes, "objects": [path.stem for path in objects]},
    )


def _is_second_copy(path: Path, name: AnnotationName) -> bool:
    """Return whether the file is a copy of another file, which is then used.

    The release has one, ``Area_5/office_36/Annotations/wall_3 (1).txt``. Others delete it
    (reference: drprojects/superpoint_transformer, ``src/datasets/s3dis.py``).
    """
    return name.is_copy and path.with_name(name.proper).exists()


def _name_note(path: Path, name: AnnotationName) -> str | None:
    proper = path.with_name(name.proper)
    if _is_second_copy(path, name):
        same = "the same" if filecmp.cmp(path, proper, shallow=False) else "not the same"
        return f"{path.name} is left out as a copy of {proper.name}; their content is {same}"
    return None if path.name == proper.name else f"{path.name} read as {proper.name}"
