"""Names of annotation files."""

from __future__ import annotations

from pathlib import Path

import pytest

from downstream.releases.s3dis.classes import (
    CLASS_NAMES,
    AnnotationName,
    read_annotation_name,
)
from pointcontrast.errors import InputError


def test_the_thirteen_classes() -> None:
    for row, name in enumerate(CLASS_NAMES):
        found = read_annotation_name(Path(f"Annotations/{name}_{row + 3}.txt"))
        assert found == AnnotationName(row, f"{name}_{row + 3}.txt")
    assert len(CLASS_NAMES) == 13


@pytest.mark.parametrize(
    ("name", "row", "proper", "more"),
    [
        ("stairs_1.txt", -1, "stairs_1.txt", ""),
        ("staris_12.txt", -1, "stairs_12.txt", ""),
        ("Chair_2.txt", 8, "chair_2.txt", ""),
        ("CHAIR_2.TXT", 8, "chair_2.txt", ""),
        ("chair_2_left.txt", 8, "chair_2.txt", "_left"),
        ("chair_2.old.txt", 8, "chair_2.txt", ".old"),
        ("wall_3 (1).txt", 2, "wall_3.txt", " (1)"),
        ("wall_3 - Copy.txt", 2, "wall_3.txt", " - Copy"),
        ("wall_3_backup.txt", 2, "wall_3.txt", "_backup"),
    ],
)
def test_other_names_that_are_clear(name: str, row: int, proper: str, more: str) -> None:
    assert read_annotation_name(Path(name)) == AnnotationName(row, proper, more)


@pytest.mark.parametrize("name", ["spaceship_1.txt", "chairs_1.txt", "chair.txt", "chair_.txt"])
def test_names_that_may_be_objects_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"has no known class.* ceiling, floor.*clutter, stairs"):
        read_annotation_name(Path(name))


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt", "1.txt", "Copy of wall_3.txt", "wall_3.txt~", "wall_3.bak", "wall_3.txt.orig",
        "._wall_3.txt", ".wall_3.txt", "#wall_3.txt#", "Thumbs.db", "wall_3",
    ],
)  # fmt: skip
def test_names_of_no_annotation(name: str) -> None:
    assert read_annotation_name(Path(name)) is None
