"""Labelled scans as people have them, of the room of ``makers_scans``, and the check of the result.

Labels in the files are 1 to 4 for the rows 0 to 3 of ``CLASSES``, 0 for none, unless a row says
otherwise; ``classes.txt`` names them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement

from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene
from tests.inputs.makers_scans import CLASSES, room_cloud, room_labels
from tests.inputs.row import DATASETS, Row

LABELLED = DATASETS / "labelled.py"
UTM = np.array([450_123.0, 5_201_234.0, 312.0])
SPACING = 0.3
"""Metres between the room's points; 1,100 points."""

CLASS_LINES = "0 unlabelled\n1 ceiling\n2 floor\n3 wall\n4 table\n"


@dataclass(frozen=True)
class Truth:
    """The room: N points on a grid of millimetres, with colours and labels as in the files."""

    points: NDArray[np.float64]
    colors: NDArray[np.uint8]
    labels: NDArray[np.int32]
    rows: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", self.labels - 1)


def truth(spacing: float = SPACING) -> Truth:
    """The room, with every fiftieth point unlabelled."""
    points, colors = room_cloud(spacing)
    labels = room_labels(points) + 1
    labels[::50] = 0
    return Truth(np.rint(points.astype(np.float64) * 1000) / 1000, colors, labels.astype(np.int32))


def save_text(
    path: Path,
    columns: Sequence[NDArray[Any]],
    header: str = "",
    separator: str = " ",
) -> Path:
    """Write columns as text; floats have millimetres."""
    path.parent.mkdir(parents=True, exist_ok=True)
    formats = ["%.3f" if column.dtype.kind == "f" else "%s" for column in columns]
    lines = [
        separator.join(form % value for form, value in zip(formats, row, strict=True))
        for row in zip(*(column.tolist() for column in columns), strict=True)
    ]
    path.write_text((header + "\n" if header else "") + "\n".join(lines) + "\n")
    return path


def text_columns(room: Truth) -> list[NDArray[Any]]:
    """The columns x y z red green blue label."""
    return [*room.points.T, *room.colors.T, room.labels]


def save_ply(path: Path, columns: dict[str, NDArray[Any]], text: bool = False) -> Path:
    """Write columns as the properties of a PLY's vertices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = np.empty(
        len(next(iter(columns.values()))), [(n, c.dtype.str) for n, c in columns.items()]
    )
    for name, column in columns.items():
        table[name] = column
    PlyData([PlyElement.describe(table, "vertex")], text=text).write(str(path))
    return path


def ply_columns(room: Truth, kind: str = "<f4", offset: NDArray[np.float64] | None = None) -> Any:
    """The properties x y z red green blue."""
    points = room.points if offset is None else room.points + offset
    places = {axis: points[:, i].astype(kind) for i, axis in enumerate("xyz")}
    names = ("red", "green", "blue")
    return {**places, **{name: room.colors[:, i] for i, name in enumerate(names)}}


def command(*options: object, classes: bool = True) -> list[object]:
    """The conversion of ``scans`` to ``out``."""
    given = ["--classes", "classes.txt"] if classes else []
    return [LABELLED, "scenes", "scans", "--output", "out", "--num-workers", "1", "--pictures", "0",
            *given, *options]  # fmt: skip


def make(
    write: Callable[[Path, Truth], object],
    *options: object,
    classes: str | None = CLASS_LINES,
    list_name: str = "classes.txt",
) -> Callable[[Path], Sequence[object]]:
    """A row's ``make``: ``write`` puts scans into the folder ``scans``."""

    def made(folder: Path) -> Sequence[object]:
        (folder / "scans").mkdir()
        write(folder / "scans", truth())
        if classes is None:
            return command(*options, classes=False)
        (folder / list_name).write_text(classes)
        return command("--classes", list_name, *options, classes=False)

    return made


def scene_of(folder: Path, name: str = "room") -> LabelledScene:
    return read_labelled_scene(folder / "out" / name)


def check_room(
    *,
    name: str = "room",
    colors: bool = True,
    offset: NDArray[np.float64] | None = None,
    classes: tuple[str, ...] = CLASSES,
    rows: NDArray[np.int32] | None = None,
) -> Callable[[Path, str], None]:
    """A row's ``check``: the scene has the room's places, colours and labels, in order."""

    def check(folder: Path, _: str) -> None:
        room, scene = truth(), scene_of(folder, name)
        expected = room.points if offset is None else room.points + offset
        np.testing.assert_allclose(scene.source_points, expected, rtol=0, atol=1e-4)
        assert scene.class_names == classes
        np.testing.assert_array_equal(scene.semantic, room.rows if rows is None else rows)
        if colors:
            np.testing.assert_array_equal(scene.color, room.colors)

    return check


def row(name: str, kind: str, made: Callable[[Path], Sequence[object]], **rest: Any) -> Row:
    """A row about ``datasets/labelled.py``; one that fails must leave no scene."""
    if rest.get("status"):
        rest.setdefault("absent", ("out/room",))
    return Row(name=f"labelled-{name}", kind=kind, make=made, **rest)
