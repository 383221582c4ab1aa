"""Predictions of scans without labels, and submissions to a benchmark."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from plyfile import PlyData

from downstream.releases.scannet.classes import CLASS_NAMES
from pointcontrast.files import read_json
from pointcontrast.labelled_scene import write_labelled_scene
from tests.helpers.fork_server import output_of
from tests.inputs.makers_runs import FINETUNE_SMALL, copied, finetuned_run, labelled_rooms
from tests.inputs.makers_scans import CLASSES
from tests.inputs.makers_training import room, write_rooms
from tests.inputs.row import EVALUATE, Row


def _own_scans(named: bool) -> Callable[[Path], Sequence[object]]:
    """Five scans without labels, as a user predicts them; their files name classes, or do not."""

    def make(folder: Path) -> Sequence[object]:
        names = CLASSES if named else ()
        changes = {"semantic": None, "boxes": None, "class_names": names}
        write_rooms(folder / "scans", 5, {number: changes for number in range(1, 6)})
        return [EVALUATE, finetuned_run(), "--root", "scans", "--predictions", "ply",
                "--output", "out"]  # fmt: skip

    return make


def _all_five(folder: Path, said: str) -> None:
    found = sorted((folder / "out").rglob("*.ply"))
    assert [path.stem for path in found] == [f"room_{number}" for number in range(1, 6)]
    for number, path in enumerate(found, start=1):
        vertices = PlyData.read(path)["vertex"]
        assert len(vertices) == len(room(0.25 + 0.01 * number))


def _some_labelled(folder: Path) -> Sequence[object]:
    """Three labelled scenes of the network's, and two scans without labels."""
    root = copied(labelled_rooms(), folder)
    for name in ("hall_1", "hall_2"):  # before the others in the order of names
        write_labelled_scene(root / name, room(0.3, semantic=None, boxes=None))
    return [EVALUATE, finetuned_run(), "--root", root, "--predictions", "ply", "--output", "out"]


def _the_same_scenes_are_held_out(folder: Path, said: str) -> None:
    (scores,) = (folder / "out").rglob("scores.json")
    trained = read_json(finetuned_run() / "scores.json")
    assert read_json(scores)["num_clouds"] == trained["num_clouds"]
    names = {path.stem for path in (folder / "out").rglob("*.ply")}
    assert {"hall_1", "hall_2"} <= names
    assert len(names) == trained["num_clouds"] + 2


@cache
def _scannet_run() -> Path:
    """A run on scenes in ScanNet's layout, which two of its official test scans join."""
    folder = Path(tempfile.mkdtemp(prefix="inputs-scannet-"))
    for name in ("scene0191_00", "scene0011_00", "scene0707_00", "scene0708_00"):
        labels = {"semantic": None} if name.startswith("scene07") else {}
        scene = room(0.3, class_names=CLASS_NAMES, boxes=None, **labels)
        write_labelled_scene(folder / "scenes" / name, scene)
    output_of([
        *FINETUNE_SMALL, "--data.benchmark=downstream.benchmarks.ScanNet",
        "--data.benchmark.init_args.root", folder / "scenes", "--run_dir", folder / "run",
    ])  # fmt: skip
    return folder / "run"


def _submission(folder: Path, *more: object) -> Sequence[object]:
    return [EVALUATE, _scannet_run(), "--split", "test", "--predictions", "scannet",
            "--output", "out", *more]  # fmt: skip


def _two_scans_packed(folder: Path, said: str) -> None:
    (packed,) = (folder / "out").rglob("*.zip")
    with zipfile.ZipFile(packed) as file:
        assert file.namelist() == ["scene0707_00.txt", "scene0708_00.txt"]
        lines = file.read("scene0707_00.txt").splitlines()
    assert len(lines) == len(room(0.3))


def _stale_submission(folder: Path) -> Sequence[object]:
    """A file of an earlier evaluation, of a scan that is no longer there."""
    old = folder / "out" / "test" / "predictions" / "scene0800_00.txt"
    old.parent.mkdir(parents=True)
    old.write_text("1\n")
    return _submission(folder, "--partial-submission")


ROWS = [
    Row(
        name="predict-own-scans-without-labels",
        kind="C",
        make=_own_scans(named=True),
        says=("5 of the 5 clouds of the test split have no labels: they are predicted, not",),
        check=_all_five,
    ),
    Row(
        name="predict-own-scans-that-name-no-classes",
        kind="C",
        make=_own_scans(named=False),
        says=("5 of the 5 clouds of the test split have no labels",),
        check=_all_five,
    ),
    Row(
        name="predict-scans-beside-labelled-scenes",
        kind="C",
        make=_some_labelled,
        check=_the_same_scenes_are_held_out,
    ),
    Row(
        name="submission-of-two-of-a-hundred-scans",
        kind="C",
        make=_submission,
        status=2,
        says=("holds 2 of the 100 scans of the test split", "--partial-submission"),
        absent=("out",),
    ),
    Row(
        name="submission-that-says-it-is-partial",
        kind="C",
        make=lambda folder: _submission(folder, "--partial-submission"),
        check=_two_scans_packed,
    ),
    Row(
        name="submission-beside-files-of-an-earlier-one",
        kind="C",
        make=_stale_submission,
        check=_two_scans_packed,
    ),
]  # fmt: skip
