from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from downstream.boxes.statistics import (
    STATISTICS,
    measure_boxes,
    read_box_statistics,
    write_box_statistics,
)
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, write_labelled_scene

CLASSES = ("chair", "table", "lamp")


def scene(folder: Path, boxes: list[list[float]] | None) -> Path:
    found = None
    if boxes is not None:
        found = np.array([[0, 0, 0, *b[:3], 0, b[3]] for b in boxes], np.float32).reshape(-1, 8)
    write_labelled_scene(
        folder,
        LabelledScene(
            coord=np.zeros((1, 3), np.float32),
            color=np.zeros((1, 3), np.uint8),
            boxes=found,
            class_names=CLASSES,
        ),
    )
    return folder


def test_means_and_counts_are_of_the_classes_asked_for(tmp_path: Path) -> None:
    folders = [
        scene(tmp_path / "a", [[1, 2, 3, 0], [3, 4, 5, 0], [9, 9, 9, -1]]),
        scene(tmp_path / "b", [[1, 1, 1, 2]]),
        scene(tmp_path / "c", []),
        scene(tmp_path / "d", None),
    ]
    found = measure_boxes(folders, ("table", "chair"))
    assert found.num_boxes == (0, 2)
    assert found.num_scenes == 4
    np.testing.assert_allclose(found.mean_sizes, [[2, 3, 4], [2, 3, 4]])  # no table: of all
    everything = measure_boxes(folders, CLASSES)
    np.testing.assert_allclose(everything.mean_sizes[2], 1)
    np.testing.assert_allclose(everything.mean_sizes[1], np.array([5, 7, 9]) / 3)
    path = tmp_path / STATISTICS
    write_box_statistics(path, everything)
    back = read_box_statistics(path)
    assert back.class_names == CLASSES
    assert back.num_boxes == (2, 0, 1)
    np.testing.assert_array_equal(back.of_classes(["lamp", "chair"]), [[1, 1, 1], [2, 3, 4]])
    with pytest.raises(InputError, match="no class 'sofa'"):
        back.of_classes(["sofa"])


def test_without_a_box_there_is_nothing_to_measure(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the 1 scenes have no box of chair"):
        measure_boxes([scene(tmp_path / "a", [[1, 1, 1, 2]])], ("chair",))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format_version", 9, "format version 9"),
        ("classes", {"chair": {"num_boxes": 1}}, "is damaged"),
        ("classes", {"chair": {"num_boxes": 1, "mean_size": [1, 0, 1]}}, "must be positive"),
        ("classes", {"chair": {"num_boxes": 1, "mean_size": [1, 2]}}, "must be positive"),
        ("classes", [], "is damaged"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, key: str, value: object, message: str) -> None:
    path = tmp_path / STATISTICS
    write_box_statistics(path, measure_boxes([scene(tmp_path / "a", [[1, 1, 1, 2]])], CLASSES))
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, key: value}))
    with pytest.raises(InputError, match=message):
        read_box_statistics(path)
