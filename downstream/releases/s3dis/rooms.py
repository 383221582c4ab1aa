"""Rooms of the release to labelled scenes.

Points, colours and labels come from the annotations, as in the authors' preprocessing
(SpatioTemporalSegmentation ``lib/datasets/preprocessing/stanford.py``). ``<room>.txt``, the same
points without labels, is not read: it would double what is read
from disk, it is misnamed in one room (``Area_6/copyRoom_1/copy_Room_1.txt``), and of the release's
four damaged lines it holds two.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from downstream.releases.grid import thin_to_grid
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

_RECIPE = 2  # raised when the code comes to make other scenes from the same files

NUM_ROOMS: dict[int, int] = {1: 44, 2: 40, 3: 23, 4: 49, 5: 68, 6: 48}
"""Area -> how many rooms the release has, 272 in all. Areas 1, 3, 4 and 5 as in the logs of issues
39 and 141 of HuguesTHOMAS/KPConv-PyTorch."""

AREAS = tuple(NUM_ROOMS)
ANNOTATIONS = "Annotations"


@dataclass(frozen=True, kw_only=True)
class RoomSettings:
    """How rooms become scenes.

    Attributes:
        grid: metres: the first point of each cell of such a grid is kept, files in the order of
            their names; a cell whose labels disagree is ignored. 0 keeps all.
            The authors thin to 0.01 before training.
    """

    grid: float = 0.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: the grid is negative or not finite.
        """
        if not 0 <= self.grid < np.inf:
            raise InputError(f"--grid {self.grid} must be 0 or a positive size in metres")


def find_rooms(release: Path, areas: Collection[int] = AREAS) -> list[Path]:
    """The rooms' folders of some areas, sorted.

    Args:
        release: the folder that holds ``Area_1`` and so on.
        areas: those wanted; some may be missing.

    Raises:
        InputError: there is no such folder, or no room in it.
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
    """``Area_5/office_1``."""
    return f"{room.parent.name}/{room.name}"


def convert_room(room: Path, output: Path, settings: RoomSettings) -> ConvertedScene:
    """Make the labelled scene of one room, unless it is there already.

    Args:
        room: its folder in the release.
        output: the scene becomes ``output/Area_5/office_1``, whole or not at all.
        settings: how.

    Raises:
        InputError: a file of the room is missing or wrong; the message names it.
    """
    files = annotation_files(room)
    wanted = {"recipe": _RECIPE, "grid": settings.grid, "files": fingerprint(files)}
    return make_scene(output, room_name(room), wanted, lambda: _read_room(room, files, settings))


def convert_rooms(
    rooms: Sequence[Path],
    output: Path,
    settings: RoomSettings,
    *,
    num_workers: int | None = 1,
    scheduler: str | None = None,
    memory_limit: str = "auto",
    progress: bool = False,
) -> tuple[list[ConvertedScene], dict[str, str]]:
    """Make the labelled scenes of many rooms; one that fails does not stop the others.

    Each process holds one room at a time. Arguments and result as of
    :func:`pointcontrast.preparation.scene_conversion.convert_all`.
    """
    root = Path(os.path.abspath(output))
    return convert_all(
        _convert,
        {room_name(room): (Path(os.path.abspath(room)), root, settings) for room in rooms},
        num_workers=num_workers,
        scheduler=scheduler,
        memory_limit=memory_limit,
        progress=progress,
        unit="room",
    )


def annotation_files(room: Path) -> list[Path]:
    """The annotation files of a room, sorted; hidden files are passed over.

    Raises:
        InputError: there is none.
    """
    folder = room / ANNOTATIONS
    files = sorted(
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.suffix == ".txt" and not path.name.startswith(".")
    )
    if not files:
        raise InputError(
            f"{room} has no annotations: {folder} must hold files such as chair_1.txt; copy the "
            "room from the release again"
        )
    return files


def _convert(task: tuple[Path, Path, RoomSettings]) -> ConvertedScene:
    return convert_room(*task)


def _read_room(room: Path, files: Sequence[Path], settings: RoomSettings) -> LabelledScene:
    """One room, in the frame of the release: that of its building."""
    names = {path: read_annotation_name(path) for path in files}  # before the points are read
    notes = [note for path, name in names.items() if (note := _name_note(path, name))]
    objects = {path: name for path, name in names.items() if not _is_second_copy(path, name)}
    parts = [read_points(path) for path in objects]
    counts = [len(part.coord) for part in parts]
    classes = [name.row for name in objects.values()]
    notes += [note for part in parts for note in part.notes]
    notes += [
        f"{path.name}: {count} points of a class that is ignored"
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
    """Whether the file is there twice; the one of the proper name then counts.

    Of the release that is ``Area_5/office_36/Annotations/wall_3 (1).txt``; others remove it by
    hand (reference: drprojects/superpoint_transformer, ``src/datasets/s3dis.py``).
    """
    return name.is_copy and path.with_name(name.proper).exists()


def _name_note(path: Path, name: AnnotationName) -> str | None:
    proper = path.with_name(name.proper)
    if _is_second_copy(path, name):
        same = "the same" if filecmp.cmp(path, proper, shallow=False) else "not the same"
        return f"{path.name} is left out as a copy of {proper.name}; their content is {same}"
    return None if path.name == proper.name else f"{path.name} read as {proper.name}"
