"""Conversion of rooms to labelled scenes.

Points, colours and labels come from the annotations, as in the authors' preprocessing
(SpatioTemporalSegmentation ``lib/datasets/preprocessing/stanford.py``). ``<room>.txt`` holds the
same points without labels and is not read: reading it would double the time on disk, it is misnamed
in one room (``Area_6/copyRoom_1/copy_Room_1.txt``), and it has two of the four damaged lines of the
release.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.releases.file_names import left_out_lines, others_in
from downstream.releases.grid import GridSettings, thin_to_grid
from downstream.releases.s3dis.annotation_files import ANNOTATIONS, find_annotations
from downstream.releases.s3dis.classes import CLASS_NAMES, AnnotationName
from downstream.releases.s3dis.text import TextPoints, read_points
from downstream.releases.scene_size import check_scene_size
from pointcontrast.colors import as_uint8_colors
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene
from pointcontrast.preparation.scene_conversion import (
    ConvertedScene,
    convert_all,
    make_scene,
    source_fingerprint,
)
from pointcontrast.preparation.workers import THIS_PROCESS, Workers

_RECIPE = 2  # increased when the same files would give other scenes

NUM_ROOMS: dict[int, int] = {1: 44, 2: 40, 3: 23, 4: 49, 5: 68, 6: 48}
"""Area -> number of rooms in the release, 272 in total. Areas 1, 3, 4 and 5 agree with the logs in
issues 39 and 141 of HuguesTHOMAS/KPConv-PyTorch."""

AREAS = tuple(NUM_ROOMS)

_ROOM = re.compile(r"[A-Za-z]+_\d+", re.ASCII)
_AREA = re.compile(r"Area_\d+", re.ASCII)
_SMALLEST, _LARGEST = 0.2, 300.0  # metres across; the halls of the release are some tens of metres


def find_rooms(release: Path, areas: Collection[int] = AREAS) -> list[Path]:
    """Find the folders of the rooms of some areas, sorted.

    A room is named ``<room>_<number>``; :func:`names_left_out` lists other folders.

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
        if _is_room(room)
    ]
    if not rooms and next(release.glob("Area_*/*.pth"), None):
        raise InputError(
            f"{release} holds rooms as .pth, which another program prepared (Pointcept) and which "
            "are not read; give the release as text"
        )
    if not rooms:
        raise InputError(
            f"{release} holds no room; it must have folders Area_1/office_1/{ANNOTATIONS} and so on"
        )
    return sorted(rooms)


def names_left_out(release: Path, areas: Collection[int] = AREAS) -> list[str]:
    """Return lines that list the folders that are neither areas nor rooms by their names."""
    lines = left_out_lines(release, others_in(release, _may_be_beside_areas), "Area_<number>")
    for area in sorted(areas):
        others = others_in(release / f"Area_{area}", lambda path: _is_room(path) or path.is_file())
        lines += left_out_lines(release, others, "<room>_<number>")
    return lines


def _is_room(path: Path) -> bool:
    return _ROOM.fullmatch(path.name) is not None and path.is_dir()


def _may_be_beside_areas(path: Path) -> bool:
    return _AREA.fullmatch(path.name) is not None or "area" not in path.name.lower()


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
    files, notes = find_annotations(room)
    wanted = {"recipe": _RECIPE, "grid": settings.grid, "files": source_fingerprint(files)}
    if settings.unit is not None:
        wanted["unit"] = settings.unit
    return make_scene(
        output, room_name(room), wanted, lambda: _read_room(room, files, notes, settings)
    )


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


def _read_room(
    room: Path, names: Mapping[Path, AnnotationName], notes: Sequence[str], settings: GridSettings
) -> LabelledScene:
    """Read a room in the frame of the release, that of its building, about an origin."""
    unit = 1.0 if settings.unit is None else settings.unit
    parts: list[TextPoints] = []
    for path in names:  # all relative to the origin of the first
        parts.append(read_points(path, unit, parts[0].origin if parts else None))
    coord, origin = np.concatenate([part.coord for part in parts]), parts[0].origin
    check_scene_size(coord, str(room), smallest=_SMALLEST, largest=_LARGEST, unit=unit)
    counts = [len(part.coord) for part in parts]
    classes = [name.row for name in names.values()]
    more = [note for part in parts for note in part.notes]
    more += [
        f"{path.name}: {count} points of an ignored class"
        for path, row, count in zip(names, classes, counts, strict=True)
        if row == -1
    ]
    color, form = _colors(room, names, parts)
    arrays: dict[str, Any] = {
        "coord": coord,
        "color": color,
        "semantic": np.repeat(np.array(classes, np.int32), counts),
        "instance": np.repeat(np.arange(len(parts), dtype=np.int32), counts),
    }
    del parts, coord, color
    if settings.grid:
        arrays = thin_to_grid(arrays, settings.grid)
    return LabelledScene(
        **arrays,
        class_names=CLASS_NAMES,
        origin=origin,
        source={"dataset": "S3DIS", "room": room_name(room)},
        details={"notes": [*notes, *more, *form], "objects": [path.stem for path in names]},
    )


def _colors(
    room: Path, files: Iterable[Path], parts: Sequence[TextPoints]
) -> tuple[NDArray[np.uint8], list[str]]:
    """Join the colours of a room's objects; their form is that of the whole room.

    A white wall of 1 1 1 alone could be either of 0..1 and 0..255.
    """
    colors: NDArray[Any] = np.concatenate([part.color for part in parts])
    if colors.dtype == np.uint8:
        return colors, []
    found = as_uint8_colors(colors, f"{room}: its annotations")
    form = "0..1" if colors.max() <= 1 else "0..255 with fractions"
    path = next(p for p, part in zip(files, parts, strict=True) if part.color.dtype != np.uint8)
    return found, [f"colours are {form}, as {path.name} shows: read as 0..255"]
