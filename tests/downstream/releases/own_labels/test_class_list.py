"""Lists of classes in every form, and what a label that is not listed does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from downstream.releases.own_labels.class_list import (
    ASPRS,
    UNLABELLED,
    make_class_list,
    read_class_list,
)
from pointcontrast.errors import InputError

NAMES = ("wall", "floor", "cable tray")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "wall\nfloor\n# comment\n\ncable tray\n"),
        ("a.txt", "0 wall\n1 floor\n2 cable tray\n"),
        ("a.txt", "0: wall\r\n1: floor\r\n2: cable tray\r\n"),
        ("a.csv", 'id,name\n0,"wall"\n1,"floor"\n2,"cable tray"\n'),
        ("a.csv", "wall,0\nfloor,1\ncable tray,2\n"),
        ("a.csv", "wall;0\nfloor;1\ncable tray;2"),
        ("a.json", '["wall", "floor", "cable tray"]'),
        ("a.json", '{"0": "wall", "1": "floor", "2": "cable tray"}'),
        ("a.json", '{"wall": 0, "floor": 1, "cable tray": 2}'),
        ("a.json", '{"names": ["wall", "floor", "cable tray"]}'),
        ("a.json", '[{"id": 0, "name": "wall"}, {"id": 1, "name": "floor"}, '
                   '{"id": 2, "name": "cable tray"}]'),
        ("a.yaml", "classes:\n  0: wall\n  1: floor\n  2: cable tray\n"),
        ("a.yaml", "- wall\n- floor\n- cable tray\n"),
    ],
)  # fmt: skip
def test_forms(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode())
    found = read_class_list(tmp_path / name)
    assert found.names == NAMES
    assert found.rows == {0: 0, 1: 1, 2: 2}


def test_labels_keep_the_order_of_the_list_and_merge_by_name(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("9 floor\n4 wall\n5 wall\n0 Unlabelled\n7 Void\n")
    found = read_class_list(path, [255])
    assert found.names == ("floor", "wall")
    labels = np.array([9, 5, 4, 0, 7, 255, -1], np.int32)
    assert found.rows_of(labels, "a").tolist() == [0, 1, 1, -1, -1, -1, -1]
    assert len(found.notes) == 2
    with pytest.raises(
        InputError, match=r"^scan: labels 3 \(2 points\), 8 \(1 points\) are not in .*--unl\w+ 3 8$"
    ):
        found.rows_of(np.array([3, 3, 8, 9], np.int32), "scan")


def test_learning_map_of_semantickitti(tmp_path: Path) -> None:
    path = tmp_path / "semantic-kitti.yaml"
    path.write_text(
        "labels: {0: unlabeled, 1: outlier, 10: car, 252: moving-car, 40: road, 60: lane-marking}\n"
        "learning_map: {0: 0, 1: 0, 252: 2, 10: 2, 40: 1, 60: 1}\n"
        "learning_map_inv: {0: 0, 1: 40, 2: 10}\n"
        "learning_ignore: {0: true, 1: false, 2: false}\n"
    )
    found = read_class_list(path)
    assert found.names == ("road", "car")
    assert found.rows == {0: -1, 1: -1, 40: 0, 60: 0, 252: 1, 10: 1}
    path.write_text("labels: {0: a}\nlearning_map: {0: 5}\nlearning_map_inv: {1: 0}\n")
    with pytest.raises(InputError, match="learning_map does not fit"):
        read_class_list(path)


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("a.txt", "", "is empty"),
        ("a.txt", "1 wall\nfloor\n", "'floor' has no label"),
        ("a.txt", "1 wall\n1 floor\n", "names the label 1 twice"),
        ("a.txt", "0 void\n", "names no class"),
        ("a.json", "[1, 2]", "is no list of classes"),
        ("a.json", "{}", "is no list of classes"),
        ("a.json", '{"1": 2}', "is no list of classes"),
        ("a.json", "[", "is not valid JSON"),
        ("a.yaml", "a: [", "is not valid YAML"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, name: str, text: str, match: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=match):
        read_class_list(tmp_path / name)


def test_words_are_rows() -> None:
    found = make_class_list(dict(enumerate(NAMES)), "a list")
    words = np.array(["floor", " wall", "", "Void"])
    assert found.rows_of_words(words, "scan").tolist() == [1, 0, -1, -1]
    with pytest.raises(InputError, match="scan: the class 'door' is not in a list"):
        found.rows_of_words(np.array(["door"]), "scan")


def test_asprs_classes_have_different_names() -> None:
    names = [name for name in ASPRS.values() if name not in UNLABELLED]
    assert len(set(names)) == len(names) == 21
