"""Labels, boxes and classes that are there and wrong, where a network is trained on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pointcontrast.files import read_json
from pointcontrast.labelled_scene import write_labelled_scene
from tests.inputs.makers_scans import CLASSES
from tests.inputs.makers_training import finetune, overwrite, room, table_box, write_rooms
from tests.inputs.row import Row

HALF = ("--data.benchmark.init_args.validation_fraction", "0.5")


def _with_classes(*class_names: str) -> Callable[[Path], Sequence[object]]:
    """Four rooms, of which the second has other classes."""

    def make(folder: Path) -> Sequence[object]:
        changed = {2: {"class_names": class_names}}
        return finetune(write_rooms(folder / "scenes", 4, changed), *HALF)

    return make


def _written(name: str, array: Callable[[], np.ndarray], boxes: bool) -> Callable[..., Any]:
    """Two rooms; an array of the first is one that the writer of scenes would refuse."""

    def make(folder: Path) -> Sequence[object]:
        write_rooms(folder / "scenes", 2)
        overwrite(folder / "scenes", 1, name, array())
        return finetune(folder / "scenes", *HALF, boxes=boxes)

    return make


def _changed_box(column: int, value: float) -> Callable[[], np.ndarray]:
    def make() -> np.ndarray:
        boxes = table_box()
        boxes[:, column] = value
        return boxes

    return make


def _no_sizes() -> np.ndarray:
    """A box of which only the centre, the heading and the class were written."""
    boxes = table_box()
    boxes[:, 3:6] = 0
    return boxes


def _labels(value: float, dtype: type) -> Callable[[], np.ndarray]:
    return lambda: np.full(len(room(0.26)), value, dtype)


def _no_colors(folder: Path) -> Sequence[object]:
    write_rooms(folder / "scenes", 2)
    (folder / "scenes" / "room_1" / "color.npy").unlink()
    return finetune(folder / "scenes", *HALF)


def _normals(folder: Path) -> Sequence[object]:
    return finetune(write_rooms(folder / "scenes", 2), *HALF, "--data.features", "[normal]")


def _one_class(folder: Path) -> Sequence[object]:
    for number in (1, 2):
        scene = room(0.25 + 0.01 * number)
        write_labelled_scene(
            folder / "scenes" / f"room_{number}",
            room(
                0.25 + 0.01 * number,
                semantic=np.zeros(len(scene), np.int32),
                class_names=("room",),
                boxes=None,
            ),
        )
    return finetune(folder / "scenes", *HALF)


def _perfect(folder: Path, said: str) -> None:
    assert read_json(folder / "run" / "scores.json")["voxel"]["mean_iou"] == 1.0


ROWS = [
    Row(
        name="one-class-only",
        kind="G",
        make=_one_class,
        says=("there is one class only, room",),
        check=_perfect,
    ),
    Row(
        name="scenes-of-one-folder-in-two-orders",
        kind="G",
        make=_with_classes(*CLASSES[::-1]),
        status=2,
        says=("room_2 lists its classes in another order (table, wall, floor, ceiling)",
              "write all scenes of a folder with one class_names"),
        absent=("run",),
    ),
    Row(
        name="a-scene-with-other-classes",
        kind="G",
        make=_with_classes("ceiling", "floor", "wall", "desk"),
        status=2,
        says=("room_2 has 4 classes (ceiling, floor, wall, desk)",
              "write all scenes of a folder with one class_names"),
        absent=("run",),
    ),
    Row(
        name="labels-beyond-the-classes",
        kind="G",
        make=_written("semantic", _labels(7, np.int32), boxes=False),
        status=2,
        says=("room_1/semantic.npy holds 7..7, not -1..3",),
    ),
    Row(
        name="labels-that-are-floats",
        kind="B",
        make=_written("semantic", _labels(5.6, np.float32), boxes=False),
        status=2,
        says=("room_1/semantic.npy holds float32", "not int32"),
    ),
    Row(
        name="boxes-with-yaw-in-degrees",
        kind="B",
        make=_written("boxes", _changed_box(6, 90), boxes=True),
        status=2,
        says=("room_1/boxes.npy holds the yaw 90 in row 0; give radians, not degrees",),
    ),
    Row(
        name="boxes-that-are-not-numbers",
        kind="G",
        make=_written("boxes", _changed_box(1, np.nan), boxes=True),
        status=2,
        says=("room_1/boxes.npy holds NaN or infinite values",),
    ),
    Row(
        name="boxes-without-sizes",
        kind="G",
        make=_written("boxes", _no_sizes, boxes=True),
        status=2,
        says=("room_1/boxes.npy holds boxes whose sizes are all 0",),
    ),
    Row(
        name="scenes-without-colours",
        kind="G",
        make=_no_colors,
        status=2,
        says=("room_1/color.npy is missing",),
    ),
    Row(
        name="normals-that-the-scenes-lack",
        kind="G",
        make=_normals,
        status=2,
        says=("features asks for 'normal' but the cloud has no normals",),
    ),
]  # fmt: skip
