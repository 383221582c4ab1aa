"""Labels, boxes and pairs that are absent or empty, where a network is trained on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet

from pointcontrast.labelled_scene import write_labelled_scene
from tests.inputs.makers_runs import (
    PRETRAIN_SMALL,
    copied,
    prepared_scenes,
)
from tests.inputs.makers_training import finetune, room, write_rooms
from tests.inputs.row import Row

ABSENT: dict[str, Any] = {"semantic": None}
NO_BOXES: dict[str, Any] = {"boxes": None}
EMPTY: dict[str, Any] = {"boxes": np.empty((0, 8), np.float32)}
HALF = ("--data.benchmark.init_args.validation_fraction", "0.5")


def _rooms(
    count: int, *numbers: int, detect: bool = False, **changes: Any
) -> Callable[[Path], Sequence[object]]:
    """A finetuning on rooms of which those of these numbers are changed (all, where none is)."""

    def make(folder: Path) -> Sequence[object]:
        changed = {number: changes for number in (numbers or range(1, count + 1))}
        return finetune(write_rooms(folder / "scenes", count, changed), *HALF, boxes=detect)

    return make


def _nothing_labelled(count: int) -> Callable[[Path], Sequence[object]]:
    def make(folder: Path) -> Sequence[object]:
        for number in range(count):
            scene = room(0.25 + 0.01 * number)
            empty = np.full(len(scene), -1, np.int32)
            name = f"room_{number}"
            write_labelled_scene(
                folder / "scenes" / name, room(0.25 + 0.01 * number, semantic=empty)
            )
        return finetune(folder / "scenes", *HALF)

    return make


def _validation_list(detect: bool, **changes: Any) -> Callable[[Path], Sequence[object]]:
    """Three rooms; the third, named to validate on, lacks what it is scored by."""

    def make(folder: Path) -> Sequence[object]:
        write_rooms(folder / "scenes", 3, {3: changes})
        (folder / "validation.txt").write_text("room_3\n")
        return finetune(
            folder / "scenes", "--data.benchmark.init_args.validation_list", "validation.txt",
            boxes=detect,
        )  # fmt: skip

    return make


def _one_scene(folder: Path) -> Sequence[object]:
    return finetune(write_rooms(folder / "scenes", 1), *HALF)


def _no_pairs(folder: Path) -> Sequence[object]:
    root = copied(prepared_scenes(), folder)
    table = parquet.read_table(root / "pairs.parquet")
    parquet.write_table(table.slice(0, 0), root / "pairs.parquet")
    return [*PRETRAIN_SMALL, "--data.root", root, "--run_dir", "run"]


def _pairs_of_one_scene(folder: Path) -> Sequence[object]:
    root = copied(prepared_scenes(), folder)
    table = parquet.read_table(root / "pairs.parquet")
    kept = [name == "raw/room_a" for name in table.column("scene").to_pylist()]
    parquet.write_table(table.filter(kept), root / "pairs.parquet")
    return [*PRETRAIN_SMALL, "--data.root", root, "--run_dir", "run", "--trainer.max_steps=1"]


def _nothing_held_out(folder: Path) -> Sequence[object]:
    return [*PRETRAIN_SMALL, "--data.root", prepared_scenes(), "--run_dir", "run",
            "--data.holdout_fraction=0", "--trainer.max_steps=1"]  # fmt: skip


def _is_file(path: Path) -> None:
    assert path.is_file(), path


ROWS = [
    Row(
        name="train-without-any-label",
        kind="C",
        make=_rooms(2, **ABSENT),
        status=2,
        says=("none of the 1 training clouds in", "has labels to train on, such as room_1"),
        absent=("run",),
    ),
    Row(
        name="train-where-every-label-is-ignored",
        kind="C",
        make=_nothing_labelled(2),
        status=2,
        says=("the labels of the 1 training clouds in", "every label is -1"),
        absent=("run",),
    ),
    Row(
        name="train-where-some-scenes-have-no-labels",
        kind="C",
        make=_rooms(4, 2, **ABSENT),
        says=("1 of the 2 training clouds in", "have no labels and are left out: room_2",
              "training on 1 of 2 clouds"),
    ),
    Row(
        name="validate-without-any-label",
        kind="C",
        make=_validation_list(detect=False, **ABSENT),
        status=2,
        says=("none of the 1 validation clouds in", "has labels to choose the best network by"),
        absent=("run",),
    ),
    Row(
        name="train-without-any-box-file",
        kind="C",
        make=_rooms(2, detect=True, **NO_BOXES),
        status=2,
        says=("boxes", "room_1"),
        absent=("run",),
    ),
    Row(
        name="train-where-some-scenes-have-no-box-file",
        kind="C",
        make=_rooms(4, 2, detect=True, **NO_BOXES),
        says=("1 of the 2 training clouds in", "have no boxes and are left out: room_2"),
    ),
    Row(
        name="train-where-some-scenes-have-no-object",
        kind="C",
        make=_rooms(4, 2, detect=True, **EMPTY),
        says=("training on 2 of 2 clouds",),
    ),
    Row(
        name="validate-without-any-box-file",
        kind="G",
        make=_validation_list(detect=True, **NO_BOXES),
        status=2,
        says=("none of the 1 validation clouds in", "has boxes to choose the best network by"),
        absent=("run",),
    ),
    Row(
        name="validate-where-there-is-no-object",
        kind="G",
        make=_validation_list(detect=True, **EMPTY),
        says=("the boxes of the 1 validation clouds in", "the last network is kept as the best"),
        check=lambda folder, said: _is_file(folder / "run" / "best.safetensors"),
    ),
    Row(
        name="pretrain-without-any-pair",
        kind="C",
        make=_no_pairs,
        status=2,
        says=("leaves no pair to train on",),
        absent=("run",),
    ),
    Row(
        name="pretrain-where-a-scene-has-no-pair",
        kind="C",
        make=_pairs_of_one_scene,
        says=("1 of the 2 scenes in", "have no pair", "raw/room_b"),
    ),
    Row(
        name="pretrain-with-nothing-held-out",
        kind="C",
        make=_nothing_held_out,
        says=("no held-out pairs were scored (data.holdout_fraction is 0",),
    ),
    Row(
        name="more-clouds-in-a-batch-than-there-are",
        kind="C",
        make=_rooms(2),
        says=("a batch of 2 holds the 1 training clouds more than once",),
    ),
    Row(
        name="one-scene-to-train-and-to-validate-on",
        kind="C",
        make=_one_scene,
        status=2,
        says=("leaves no scene for train; it has 1",),
        absent=("run",),
    ),
]  # fmt: skip
