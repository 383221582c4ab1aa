from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY

from downstream.benchmarks import DetectionScenes
from downstream.box_lists import (
    BoxList,
    box_checksum,
    keep_boxes,
    limited_boxes,
    read_box_list,
    write_box_list,
)
from downstream.types import LabelledCloud
from pointcontrast.errors import InputError
from pointcontrast.synthetic.source import write_labelled_rooms


def cloud() -> LabelledCloud:
    boxes = np.arange(32, dtype=np.float32).reshape(4, 8)
    rows = np.array([[0, 0, 0], [1, 2, 1], [2, 3, 3], [-1, -1, -1], [3, 0, 1]], np.int32)
    return LabelledCloud(
        name="room", points=np.zeros((5, 3), np.float32), boxes=boxes, box_rows=rows
    )


def test_votes_for_what_is_gone_go_to_what_is_left() -> None:
    found = keep_boxes(cloud(), (1, 3))
    assert found.boxes.tolist() == cloud().boxes[[1, 3]].tolist()
    assert found.box_rows.tolist() == [
        [-1, -1, -1], [0, 0, 0], [1, 1, 1], [-1, -1, -1], [1, 1, 0]
    ]  # fmt: skip
    nothing = keep_boxes(cloud(), ())
    assert nothing.boxes.shape == (0, 8)
    assert (nothing.box_rows == -1).all()
    everything = keep_boxes(cloud(), range(4))
    np.testing.assert_array_equal(everything.box_rows, cloud().box_rows)


def test_larger_choices_hold_smaller_ones() -> None:
    boxes = np.zeros((9, 8), np.float32)
    chosen = [set(limited_boxes(boxes, n, seed=3, name="a")) for n in (1, 2, 4, 7, 20)]
    assert [len(rows) for rows in chosen] == [1, 2, 4, 7, 9]
    for smaller, larger in zip(chosen, chosen[1:], strict=False):
        assert smaller < larger
    others = {limited_boxes(boxes, 4, seed=s, name=n) for s in range(3) for n in "abc"}
    assert len(others) > 6


def test_a_list_comes_back_and_knows_its_data(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    made = BoxList(
        comment="mine", rows={"room": (1, 3)}, checksums={"room": box_checksum(cloud().boxes)}
    )
    write_box_list(path, made)
    found = read_box_list(path)
    assert found == made
    assert len(found.keep(cloud()).boxes) == 2
    with pytest.raises(InputError, match="other boxes than those"):
        found.keep(replace(cloud(), boxes=cloud().boxes + 1))
    with pytest.raises(InputError, match="has no boxes"):
        found.keep(replace(cloud(), boxes=None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 7}, "format version 1, but of 7"),
        ({"scenes": {}}, "lists no scene"),
        ({"scenes": {"a": {"boxes": [1, 1], "checksum": 0}}}, "a box twice"),
        ({"scenes": {"a": {"boxes": [-1], "checksum": 0}}}, "a box twice"),
        ({"scenes": {"a": {"boxes": [1]}}}, "is damaged"),
        ({"scenes": [1]}, "is damaged"),
    ],
)
def test_bad_lists_are_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "a.json"
    write_box_list(path, BoxList(comment="", rows={"a": (0,)}, checksums={"a": 0}))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=message):
        read_box_list(path)


def test_the_command_lists_boxes_of_the_classes_that_are_detected(tmp_path: Path) -> None:
    rooms = tmp_path / "rooms"
    write_labelled_rooms(rooms, 3, seed=2, density=40.0, progress=False)
    command = [sys.executable, str(REPOSITORY / "datasets" / "label_lists.py")]
    boxes = ["boxes", str(rooms), "--benchmark", "DetectionScenes", "--num-boxes", "1", "3"]
    for words in (
        [*boxes, "--classes", "chair", "bed", "door", "--output", str(tmp_path / "lists")],
        ["show", str(tmp_path / "lists" / "detectionscenes_boxes_3_seed0.json")],
    ):
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "boxes a scene, seed 0" in done.stdout
    found = read_box_list(tmp_path / "lists" / "detectionscenes_boxes_1_seed0.json")
    benchmark = DetectionScenes(str(rooms), ["chair", "bed", "door"])
    assert found.names == tuple(benchmark.names("train"))
    for name in found.names:
        assert len(found.keep(benchmark.read(name)).boxes) == 1
    with pytest.raises(InputError, match="other boxes"):
        found.keep(DetectionScenes(str(rooms)).read(found.names[0]))
