"""Lists of few labels as others publish them, on all of a dataset or on a part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from downstream.releases.scannet.scenes import SceneSettings, convert_scans
from tests.helpers.downstream_small import SMALL
from tests.helpers.repository import REPOSITORY
from tests.inputs.makers_releases import SCANS, scannet
from tests.inputs.makers_runs import FINETUNE_SMALL, copied, labelled_rooms
from tests.inputs.row import DATASETS, FINETUNE, Row

CASES = REPOSITORY.parent / "shared" / "cases"
ABSENT = {f"scene{number:04d}_00": [0, 1] for number in range(3, 1201)}
"""What a published list has beside the scenes that are there."""


def shown(value: Any, *, legacy: bool = False) -> Callable[[Path], Sequence[object]]:
    """A list saved by PyTorch, described by the command."""

    def make(folder: Path) -> Sequence[object]:
        torch.save(value, folder / "list", _use_new_zipfile_serialization=not legacy)
        return [DATASETS / "label_lists.py", "show", "list"]

    return make


def segmentation(option: str, write: Callable[[Path], Path]) -> Callable[[Path], Sequence[object]]:
    """Two steps on labelled rooms, of which ``room_1`` is trained on."""

    def make(folder: Path) -> Sequence[object]:
        rooms = copied(labelled_rooms(), folder)
        listed = write(folder)
        return [
            *FINETUNE_SMALL, "--data.benchmark.init_args.root", rooms, option, listed,
            "--run_dir", folder / "run",
        ]  # fmt: skip

    return make


def detection(value: Any) -> Callable[[Path], Sequence[object]]:
    """Two steps of detection on ScanNet scenes with a published list of boxes."""

    def make(folder: Path) -> Sequence[object]:
        # scene0011_00 is of the official validation split
        scannet(folder, [*SCANS, "scene0011_00"])
        scans = sorted((folder / "raw" / "scans").iterdir())
        convert_scans(scans, folder / "scenes", SceneSettings())
        torch.save(value, folder / "bbox_1")
        return [
            FINETUNE,
            "--config", REPOSITORY / "configs" / "downstream" / "scannet_detection_small.yaml",
            "--data.benchmark.init_args.root", folder / "scenes", "--data.voxel_size", "0.2",
            *SMALL, "--model.backbone.init_args.width", "0.125", "--trainer.max_steps", "1",
            "--data.box_list", folder / "bbox_1", "--run_dir", folder / "run",
        ]  # fmt: skip

    return make


def scene_list(folder: Path) -> Path:
    (folder / "part.txt").write_text("room_1\nroom_8\nroom_9\n")
    return folder / "part.txt"


def strange_list(folder: Path) -> Path:
    (folder / "part.txt").write_text("hall_8\nhall_9\n")
    return folder / "part.txt"


def point_list(folder: Path) -> Path:
    torch.save({"room_1": [5, 9], "room_2": np.arange(20), **ABSENT}, folder / "points20")
    return folder / "points20"


def points_outside(folder: Path) -> Path:
    torch.save({"room_1": [5, 10**7]}, folder / "points20")
    return folder / "points20"


def shared_list(name: str) -> Callable[[Path], Sequence[object]]:
    def make(folder: Path) -> Sequence[object]:
        (folder / name).write_bytes((CASES / name).read_bytes())
        return [DATASETS / "label_lists.py", "show", name]

    return make


POINTS: dict[str, Any] = {
    "numpy-integers": [np.int64(7), np.int64(2), np.int64(300)],
    "small-numpy-integers": [np.int32(7), np.uint8(2), np.int16(300)],
    "an-array": np.array([7, 2, 300]),
    "a-list": [7, 2, 300],
}
BOXES: dict[str, Any] = {
    "lists": ([4, 0], [7, 3]),
    "arrays": (np.array([4, 0]), np.array([7, 3])),
    "numpy-integers": ([np.int64(4), np.int64(0)], [np.int64(7), np.int64(3)]),
    "tensors": (torch.tensor([4, 0]), torch.tensor([7, 3])),
    "lists-of-two-lists": [[4, 0], [7, 3]],
}

ROWS = [
    *(
        Row(
            name=f"point-list-of-{name}", kind="H",
            make=shown({"scene0000_00": value}, legacy=name == "numpy-integers"),
            says=("3 points, 3 to 3 per scene", "1 scene: scene0000_00"),
            source="facebookresearch/ContrastiveSceneContexts datasets/scannet.py",
        )
        for name, value in POINTS.items()
    ),
    *(
        Row(
            name=f"box-list-of-{name}", kind="H",
            make=shown({"scene0000_00": value}, legacy=name == "arrays"),
            says=("2 boxes, 2 to 2 per scene", "1 scene: scene0000_00"),
            source="facebookresearch/ContrastiveSceneContexts issue 26",
        )
        for name, value in BOXES.items()
    ),
    Row(
        name="point-list-with-code", kind="G", make=shown({"scene0000_00": Path("x")}), status=2,
        says=("list is not a complete list",),
    ),
    Row(
        name="point-list-of-all-scenes-on-a-part", kind="D",
        make=segmentation("--data.point_list", point_list),
        says=("1199 of the 1200 scenes of", "the other 1 are taken", "training on 1 of 1 clouds"),
    ),
    Row(
        name="point-list-of-other-points", kind="D",
        make=segmentation("--data.point_list", points_outside), status=2,
        says=("names the point 10000000 of 'room_1'",),
    ),
    Row(
        name="scene-list-of-all-scenes-on-a-part", kind="D",
        make=segmentation("--data.scene_list", scene_list),
        says=("2 of the 3 scenes of", "such as 'room_8'", "training on 1 of 1 clouds"),
    ),
    Row(
        name="scene-list-of-another-dataset", kind="D",
        make=segmentation("--data.scene_list", strange_list), status=2,
        says=("names 'hall_8', which the training data does not have", "any other of its 2"),
    ),
    Row(
        name="scenes-chosen-from-a-published-list", kind="D",
        make=lambda folder: _chosen(folder),
        says=("note: 2 of the 3 scenes of part.txt are absent", "1 of 1 in"),
    ),
    Row(
        name="box-list-of-all-scans-on-a-part", kind="D",
        make=detection({name: ([0], [1]) for name in [*SCANS, *ABSENT]}),
        says=("1198 of the 1201 scenes of", "training on 3 of 3 clouds"),
    ),
    Row(
        name="box-list-of-other-boxes", kind="D",
        make=detection({name: ([0, 5], [1, 6]) for name in SCANS}), status=2,
        says=("names box 5 of", "which has 1 boxes"),
    ),
    Row(
        name="box-list-that-is-a-list", kind="G", make=shown([1, 2]),
        status=2, says=("list holds a list, not rows by scene",),
    ),
]  # fmt: skip

if CASES.is_dir():
    ROWS += [
        Row(
            name="shared-case-of-a-box-list", kind="D", make=shared_list("csc-box-list"),
            says=("6 boxes, 2 to 2 per scene", "3 scenes: scene0000_00 to scene0000_02"),
            source="facebookresearch/ContrastiveSceneContexts issue 26",
        ),
        Row(
            name="shared-case-of-a-point-list", kind="H",
            make=shared_list("csc-point-list-numpy-scalars"), says=("points, ", "3 scenes"),
        ),
    ]  # fmt: skip


def _chosen(folder: Path) -> Sequence[object]:
    rooms = copied(labelled_rooms(), folder)
    scene_list(folder)
    return [
        DATASETS / "label_lists.py", "scenes", rooms, "--scenes-from", "part.txt",
        "--fraction", "1", "--output", "lists",
    ]  # fmt: skip
