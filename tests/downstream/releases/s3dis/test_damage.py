"""Damaged rooms: repaired with a note, or an error that names the line."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from downstream.releases.grid import GridSettings
from downstream.releases.s3dis.rooms import convert_room, convert_rooms, find_rooms
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene
from tests.releases.s3dis.damage import DAMAGES, damage_room, edit_line

ALL = GridSettings()

MENDED = {
    "lost_space": r"ceiling_1\.txt, line 3: b'.*\\x00.*' read as b'[-.0-9 ]*'",
    "lost_digit": r"ceiling_1\.txt, line 3: b'.*\\x1[0-9] .*' read as b'[-.0-9 ]*'",
    "second_copy": r"ceiling_1 \(1\)\.txt is left out as a copy of ceiling_1\.txt; "
    "their content is the same",
    "trailing_text": r"ceiling_1_old\.txt read as ceiling_1\.txt",
}
"""Damage -> note; the points are those of the undamaged room."""

IGNORED = {"misspelt_class": r"staris_1\.txt read as stairs_1\.txt", "stairs": ""}

LINE = r"ceiling_1\.txt, line {}: .* is not `x y z r g b`"
WRONG_LINES = (
    "stray_byte",
    "far_digit",
    "missing_column",
    "extra_column",
    "letter",
    "nan",
    "infinite",
    "too_bright",
    "negative_color",
    "fractional_color",
)
WRONG = {
    **dict.fromkeys(WRONG_LINES, LINE.format(3)),
    "truncated": LINE.format(r"\d+"),
    "empty_file": r"ceiling_1\.txt is empty",
    "unknown_class": r"spaceship_1\.txt: the name has no known class",
    "no_number": r"ceiling\.txt: the name has no known class",
    "no_files": r"office_1 has no annotations",
    "no_folder": r"office_1 has no annotations",
}
"""Damage -> error."""


def convert(room: Path, output: Path) -> tuple[LabelledScene, tuple[str, ...]]:
    summary = convert_room(room, output, ALL)
    return read_labelled_scene(output / summary.scene), summary.notes


def test_every_damage_is_here() -> None:
    assert MENDED.keys() | IGNORED.keys() | WRONG.keys() | {"hidden_files"} == DAMAGES.keys()


@pytest.mark.parametrize("how", [*MENDED, "hidden_files"])
def test_repairable_damage_is_noted(room: Path, tmp_path: Path, how: str) -> None:
    whole, notes = convert(room, tmp_path / "whole")
    assert notes == ()
    damage_room(room, how)
    found, notes = convert(room, tmp_path / "out")
    for name, array in whole.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], array)
    if how in MENDED:
        (note,) = notes
        assert re.fullmatch(MENDED[how], note)
        assert found.details["notes"] == [note]
    else:
        assert notes == ()


def test_a_second_copy_may_be_another(room: Path, ceiling: Path, tmp_path: Path) -> None:
    whole, _ = convert(room, tmp_path / "whole")
    damage_room(room, "second_copy")
    copy = room / "Annotations" / "ceiling_1 (1).txt"
    edit_line(copy, 1, lambda words: b" ".join([*words[:5], b"x" * len(words[5])]))
    times = ceiling.stat().st_atime_ns, ceiling.stat().st_mtime_ns
    os.utime(copy, ns=times)  # same size and time, other content
    found, (note,) = convert(room, tmp_path / "out")
    assert found.details["objects"] == whole.details["objects"]
    assert note.endswith("their content is not the same")
    np.testing.assert_array_equal(found.coord, whole.coord)
    ceiling.unlink()  # then it is the only one, and read
    with pytest.raises(InputError, match=r"ceiling_1 \(1\)\.txt, line 1"):
        convert(room, tmp_path / "third")


@pytest.mark.parametrize("how", IGNORED)
def test_stairs_are_ignored_and_noted(room: Path, ceiling: Path, tmp_path: Path, how: str) -> None:
    count = ceiling.read_text().count("\n")
    whole, _ = convert(room, tmp_path / "whole")
    damage_room(room, how)
    found, notes = convert(room, tmp_path / "out")
    assert len(found) == len(whole)
    assert whole.semantic is not None
    assert found.semantic is not None
    assert found.instance is not None
    assert (found.semantic == -1).sum() == (whole.semantic == 0).sum() == count
    assert len(np.unique(found.instance[found.semantic == -1])) == 1, "still an object"
    stem = "staris_1" if how == "misspelt_class" else "stairs_1"
    assert notes[-1] == f"{stem}.txt: {count} points of an ignored class"
    assert list(notes[:-1]) == ([r"staris_1.txt read as stairs_1.txt"] if IGNORED[how] else [])


@pytest.mark.parametrize("how", WRONG)
def test_what_is_wrong_is_named(room: Path, tmp_path: Path, how: str) -> None:
    damage_room(room, how)
    with pytest.raises(InputError, match=WRONG[how]):
        convert_room(room, tmp_path / "out", ALL)
    assert not list((tmp_path / "out").rglob("*.npy"))


def test_a_room_that_fails_stops_no_other(room: Path, tmp_path: Path) -> None:
    for name, how in (("office_0", "no_files"), ("office_2", "nan"), ("office_3", "lost_space")):
        shutil.copytree(room, room.with_name(name))
        damage_room(room.with_name(name), how)
    finished, failures = convert_rooms(find_rooms(tmp_path / "raw"), tmp_path / "out", ALL)
    assert [scene.scene for scene in finished] == ["Area_5/office_1", "Area_5/office_3"]
    assert [len(scene.notes) for scene in finished] == [0, 1]
    assert list(failures) == ["Area_5/office_0", "Area_5/office_2"]
    assert "has no annotations" in failures["Area_5/office_0"]
    assert "ceiling_1.txt, line 3" in failures["Area_5/office_2"]


def test_damage_that_cannot_be_done(room: Path, ceiling: Path) -> None:
    with pytest.raises(InputError, match="'hammer' is no known damage"):
        damage_room(room, "hammer")
    ceiling.unlink()
    with pytest.raises(InputError, match=r"ceiling_1\.txt does not exist"):
        damage_room(room, "nan")
