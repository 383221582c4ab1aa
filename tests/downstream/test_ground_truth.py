"""Which clouds are trained and scored on: absent ground truth, empty ground truth, digests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from downstream.augmentation import BoxAugmentation
from downstream.benchmarks import DetectionScenes, LabelledScenes, ShapeNetPart
from downstream.data import FinetuneDataModule
from downstream.shapes.shape_set import Shape, ShapeSetInfo
from downstream.shapes.splits import write_splits
from downstream.shapes.writer import write_shape_set
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, write_labelled_scene

CLASSES = ("floor", "table")


def scene(**changes: Any) -> LabelledScene:
    rng = np.random.default_rng(0)
    whole = LabelledScene(
        coord=rng.random((40, 3)).astype(np.float32),
        color=np.zeros((40, 3), np.uint8),
        semantic=(np.arange(40) % 2).astype(np.int32),
        boxes=np.array([[0.5, 0.5, 0.5, 0.2, 0.2, 0.2, 0, 1]], np.float32),
        class_names=CLASSES,
    )
    return replace(whole, **changes)


def rooms(folder: Path, *changes: dict[str, Any]) -> str:
    for number, change in enumerate(changes):
        write_labelled_scene(folder / f"room_{number}", scene(**change))
    return str(folder)


WHOLE: dict[str, Any] = {}
UNLABELLED: dict[str, Any] = {"semantic": None}
UNBOXED: dict[str, Any] = {"boxes": None}
NO_OBJECT: dict[str, Any] = {"boxes": np.empty((0, 8), np.float32)}


def test_the_held_out_fraction_is_one_of_the_labelled_scenes(tmp_path: Path) -> None:
    root = rooms(tmp_path, WHOLE, UNLABELLED, WHOLE, WHOLE, UNLABELLED, WHOLE)
    benchmark = LabelledScenes(root, 0.5)
    assert benchmark.names("validation") == ["room_3", "room_5"]
    assert benchmark.names("test") == ["room_1", "room_3", "room_4", "room_5"]
    data = FinetuneDataModule(benchmark)
    data.setup("fit")
    assert data.train_dataset.names == ["room_0", "room_2"]
    assert any("2 of the 4 training clouds" in note for note in data.notes)
    assert any("left out: room_1, room_4" in note for note in data.notes)


def test_where_nothing_is_labelled_everything_is_predicted(tmp_path: Path) -> None:
    benchmark = LabelledScenes(rooms(tmp_path, *[UNLABELLED | {"boxes": None}] * 3), 0.5)
    assert benchmark.names("test") == ["room_0", "room_1", "room_2"]
    with pytest.raises(InputError, match=r"none of the 1 training clouds .* has labels"):
        FinetuneDataModule(benchmark).setup("fit")


def test_a_test_list_is_kept_to(tmp_path: Path) -> None:
    root = rooms(tmp_path / "rooms", WHOLE, UNLABELLED, WHOLE, WHOLE)
    (tmp_path / "test.txt").write_text("room_3\n")
    benchmark = LabelledScenes(root, 0.5, test_list=str(tmp_path / "test.txt"))
    assert benchmark.names("test") == ["room_3"]
    assert benchmark.names("validation") == ["room_2"]


def detection(folder: Path, *changes: dict[str, Any]) -> FinetuneDataModule:
    benchmark = DetectionScenes(rooms(folder, *changes), ["table"], 0.5)
    return FinetuneDataModule(
        benchmark, features=["ones"], batch_size=1, augmentation=BoxAugmentation()
    )


def test_boxes_that_are_absent_are_not_empty(tmp_path: Path) -> None:
    data = detection(tmp_path / "a", WHOLE, UNBOXED, NO_OBJECT, WHOLE)
    data.setup("fit")
    assert data.validation_dataset.names == ["room_2", "room_3"]  # half of the three with boxes
    assert data.train_dataset.names == ["room_0"]
    with pytest.raises(InputError, match=r"boxes of the 2 training clouds .* are all empty"):
        detection(tmp_path / "b", NO_OBJECT, NO_OBJECT, WHOLE, WHOLE).setup("fit")
    last = detection(tmp_path / "c", WHOLE, NO_OBJECT)
    last.setup("fit")
    assert last.notes == [
        f"the boxes of the 1 validation clouds in {tmp_path / 'c'} are all empty (no box is of "
        "its classes): the last network is kept as the best"
    ]


def test_the_digest_follows_the_arrays_and_the_classes(tmp_path: Path) -> None:
    one = LabelledScenes(rooms(tmp_path / "a", WHOLE, WHOLE))
    two = LabelledScenes(rooms(tmp_path / "b", WHOLE, {"class_names": CLASSES[::-1]}))
    three = LabelledScenes(
        rooms(tmp_path / "c", {"semantic": np.zeros(40, np.int32)}, {"source": {"from": "c"}})
    )
    assert one.digest("room_0") == one.digest("room_1") == two.digest("room_0")
    assert one.digest("room_0") != two.digest("room_1")
    assert one.digest("room_0") != three.digest("room_0")
    assert one.digest("room_0") == three.digest("room_1")  # where it is from does not matter


def test_shapes_without_parts_are_not_trained_on(tmp_path: Path) -> None:
    points = np.random.default_rng(0).random((30, 3)).astype(np.float32)
    info = ShapeSetInfo(category=0, category_names=("Mug",), part_names=("Mug 0", "Mug 1"))
    ids = {"train": ["a"], "validation": ["b"], "test": ["c"]}
    shapes = [Shape(id=name, coord=points) for (name,) in ids.values()]
    write_shape_set(tmp_path / "mug", shapes, info)
    write_splits(tmp_path, {split: [f"mug/{name}" for name in ids[split]] for split in ids})
    benchmark = ShapeNetPart(str(tmp_path))
    assert not benchmark.has_truth("mug/a")
    assert benchmark.digest("mug/a") == benchmark.digest("mug/b") != ""
