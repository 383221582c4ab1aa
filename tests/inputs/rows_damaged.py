"""Damage that ``test_damage.py`` found to be reported badly, one row each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.inputs.row import Row
from tests.inputs.valid_inputs import INPUTS, copy_of

Command = Sequence[object]


def _damaged(name: str, damage: Callable[[Path], None]) -> Callable[[Path], Command]:
    """A valid input with one kind of damage, and its command."""

    def make(folder: Path) -> Command:
        valid = INPUTS[name]()
        damage(copy_of(valid, folder))
        return valid.command

    return make


def _folder_for(pattern: str) -> Callable[[Path], None]:
    """Put a folder in the place of the first file that fits."""

    def damage(folder: Path) -> None:
        path = min(folder.rglob(pattern))
        path.unlink()
        path.mkdir()

    return damage


def _far_point(folder: Path) -> None:
    points = np.load(folder / "room.npy")
    points[7] = 7.66e37
    np.save(folder / "room.npy", points)


def _enormous_focal_length(folder: Path) -> None:
    path = folder / "scene" / "camera-intrinsics.txt"
    matrix = np.loadtxt(path)
    matrix[1, 1] = 1e300
    np.savetxt(path, matrix)


def _label_beyond(scene: str, label: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / scene / "semantic.npy"
        labels = np.load(path)
        labels[5] = label
        np.save(path, labels)

    return damage


def _nan_coordinate(folder: Path) -> None:
    path = folder / "room_1" / "coord.npy"
    points = np.load(path)
    points[5, 1] = np.nan
    np.save(path, points)


def _utf16_lists(folder: Path) -> None:
    """JSON as Windows editors save it means the same."""
    for path in folder.rglob("shuffled_*_file_list.json"):
        path.write_text(path.read_text(), "utf-16")


def _unknown_argument(folder: Path) -> None:
    """A header of a newer version, or one that lost a bit."""
    path = folder / "best.safetensors"
    data = path.read_bytes()
    assert data.count(b"num_seeds") == 0
    path.write_bytes(data.replace(b"stem_kernel_size", b"stem_kernel_sise", 1))


def _splits_are_whole(folder: Path, _: str) -> None:
    splits = json.loads((folder / "output" / "splits.json").read_text())
    assert len(splits["train"]) > 0


ROWS = [
    Row(name="point-beyond-all-measure", kind="B", make=_damaged("cloud.npy", _far_point),
        status=2, says=("error: input/room.npy: ", "7.66e+37 m", "look for an outlier")),
    Row(name="focal-length-beyond-all-measure", kind="B",
        make=_damaged("seven-scenes", _enormous_focal_length), status=1,
        says=("error: ", "camera-intrinsics.txt is not a pinhole matrix", "1e+300")),
    Row(name="picture-is-a-folder", kind="D", make=_damaged("sunrgbd", _folder_for("0*.jpg")),
        status=1, says=("error: 000001: ", ".jpg: Is a directory", "1 scenes")),
    Row(name="labels-are-a-folder", kind="D",
        make=_damaged("synthia4d", _folder_for("*_label.ply")), status=1,
        says=("error: SYNTHIA-SEQS-01-DAWN/000000: ", "000000_label.ply")),
    Row(name="label-beyond-classes-in-training", kind="D",
        make=_damaged("labelled-finetune", _label_beyond("room_1", 119)), status=2,
        says=("error: input/room_1/semantic.npy holds", "119")),
    Row(name="label-beyond-classes-in-validation", kind="D",
        make=_damaged("labelled-finetune", _label_beyond("room_3", -7)), status=2,
        says=("error: input/room_3/semantic.npy holds", "-7")),
    Row(name="coordinate-is-nan-in-training", kind="D",
        make=_damaged("labelled-finetune", _nan_coordinate), status=2,
        says=("error: input/room_1/coord.npy holds NaN or infinite values",)),
    Row(name="lists-in-utf-16", kind="N", make=_damaged("shapenetpart", _utf16_lists),
        says=("2 categories",), check=_splits_are_whole),
    Row(name="network-with-unknown-argument", kind="M",
        make=_damaged("evaluate", _unknown_argument), status=2,
        says=("error: input/best.safetensors: its Res16UNet has the argument stem_kernel_sise",)),
]  # fmt: skip
