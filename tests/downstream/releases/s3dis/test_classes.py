"""Names of annotation files."""

from __future__ import annotations

from pathlib import Path

import pytest

from downstream.releases.s3dis.classes import CLASS_NAMES, read_annotation_name
from pointcontrast.errors import InputError


def test_the_thirteen_classes() -> None:
    for row, name in enumerate(CLASS_NAMES):
        found = read_annotation_name(Path(f"Annotations/{name}_{row + 3}.txt"))
        assert (found.row, found.proper, found.is_copy) == (row, f"{name}_{row + 3}.txt", False)
    assert len(CLASS_NAMES) == 13


@pytest.mark.parametrize(
    ("name", "row", "proper", "is_copy"),
    [
        ("stairs_1.txt", -1, "stairs_1.txt", False),
        ("staris_12.txt", -1, "stairs_12.txt", False),
        ("Chair_2.txt", 8, "chair_2.txt", False),
        ("chair_2_left.txt", 8, "chair_2.txt", False),
        ("chair_2.old.txt", 8, "chair_2.txt", False),
        ("wall_3 (1).txt", 2, "wall_3.txt", True),
        ("wall_3(12).txt", 2, "wall_3.txt", True),
        ("wall_3 (1) b.txt", 2, "wall_3.txt", False),
    ],
)
def test_other_names_that_are_clear(name: str, row: int, proper: str, is_copy: bool) -> None:
    found = read_annotation_name(Path(name))
    assert (found.row, found.proper, found.is_copy) == (row, proper, is_copy)


@pytest.mark.parametrize(
    "name", ["spaceship_1.txt", "chairs_1.txt", "chair.txt", "chair_.txt", "_1.txt", "1.txt"]
)
def test_names_that_are_not(name: str) -> None:
    with pytest.raises(InputError, match=r"has no known class.* ceiling, floor.*clutter, stairs"):
        read_annotation_name(Path(name))
