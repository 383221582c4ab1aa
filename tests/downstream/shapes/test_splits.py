"""Search for shape sets, and their splits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from downstream.shapes.shape_set import (
    Shape,
    ShapeSetInfo,
    find_shape_sets,
)
from downstream.shapes.splits import read_splits, write_splits
from downstream.shapes.writer import write_shape_set
from pointcontrast.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shapes = [Shape(id=f"shape{i}", coord=np.ones((2, 3), np.float32)) for i in range(3)]
    for category, name in enumerate(("mug", "bag")):
        info = ShapeSetInfo(category=category, category_names=("mug", "bag"))
        write_shape_set(tmp_path / name, shapes, info)
    return tmp_path


def test_sets_are_found(root: Path):
    (root / ".mug.12345678.partial").mkdir()
    (root / ".mug.12345678.partial" / "offsets.npy").touch()
    (root / "other").mkdir()
    assert find_shape_sets(root) == [root / "bag", root / "mug"]
    assert find_shape_sets(root / "mug") == [root / "mug"]
    with pytest.raises(InputError, match="holds no shape set"):
        find_shape_sets(root / "other")
    with pytest.raises(InputError, match="is not a folder"):
        find_shape_sets(root / "absent")


def test_splits_come_back(root: Path):
    with pytest.raises(InputError, match=r"splits.json does not exist; run .* again"):
        read_splits(root)
    write_splits(root, {"train": ["mug/shape2", "bag/shape0"], "test": ["mug/shape1"]})
    assert read_splits(root) == {
        "train": ("bag/shape0", "mug/shape2"),
        "validation": (),
        "test": ("mug/shape1",),
    }


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"val": []}, "unknown split 'val'"),
        ({"train": ["mug/shape9"]}, "train lists 'mug/shape9', which no shape set holds"),
        ({"train": ["shape1"]}, "which no shape set holds"),
        ({"train": ["mug/shape1", "mug/shape1"]}, "train lists 'mug/shape1' twice"),
    ],
)
def test_wrong_splits_are_refused(root: Path, splits: dict[str, list[str]], message: str):
    with pytest.raises(InputError, match=message):
        write_splits(root, splits)
    assert not (root / "splits.json").exists()
    (root / "splits.json").write_text(json.dumps(splits))
    with pytest.raises(InputError, match=message):
        read_splits(root)


@pytest.mark.parametrize("text", ["[]", '{"train": "all"}', '{"train": [1]}'])
def test_a_damaged_split_file_is_named(root: Path, text: str):
    (root / "splits.json").write_text(text)
    with pytest.raises(InputError, match=r"splits.json is damaged"):
        read_splits(root)


def test_a_shape_may_be_in_two_splits(root: Path):
    write_splits(root, {"train": ["mug/shape1"], "test": ["mug/shape1"]})
    assert read_splits(root) == {
        "train": ("mug/shape1",),
        "validation": (),
        "test": ("mug/shape1",),
    }
