"""Names of a release: copies and files of the system are told, and listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from downstream.releases.file_names import (
    in_any_case,
    is_of_the_system,
    left_out_lines,
    others_in,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".DS_Store", True), ("._wall_1.txt", True), ("Thumbs.db", True), ("desktop.ini", True),
        ("DESKTOP.INI", True), ("Icon\r", True), ("wall_1.txt", False), (".wall_1.txt", False),
        ("wall_1.txt~", False),
    ],
)  # fmt: skip
def test_files_of_the_system(name: str, expected: bool) -> None:
    assert is_of_the_system(Path(name)) is expected


@pytest.mark.parametrize("stored", ["scan.labels.ply", "scan.labels.PLY", "SCAN.LABELS.PLY"])
def test_names_may_be_in_upper_case(tmp_path: Path, stored: str) -> None:
    (tmp_path / stored).touch()
    assert in_any_case(tmp_path / "scan.labels.ply") == tmp_path / stored


def test_a_name_that_is_absent_stays(tmp_path: Path) -> None:
    (tmp_path / "other.ply").touch()
    for path in (tmp_path / "scan.ply", tmp_path / "nowhere" / "scan.ply"):
        assert in_any_case(path) == path


def test_names_left_out_are_listed_and_counted(tmp_path: Path) -> None:
    for number in range(23):
        (tmp_path / f"room {number:02d}").mkdir()
    for name in ("room_1", ".DS_Store", "Thumbs.db"):
        (tmp_path / name).mkdir()
    others = others_in(tmp_path, lambda path: path.name == "room_1")
    assert len(others) == 25
    lines = left_out_lines(tmp_path, others, "room_<number>")
    assert lines[0] == "left out: room 00: its name is not room_<number>"
    assert len(lines) == 22
    assert lines[-2] == "left out: 3 more with other names"
    assert lines[-1] == ("left out: 2 files of the operating system, such as .DS_Store, Thumbs.db")
    assert others_in(tmp_path / "nowhere", lambda path: True) == []
