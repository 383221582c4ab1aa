"""The command line datasets/s3dis.py, from a release to verified scenes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointcontrast.labelled_scene import read_labelled_scene
from tests.helpers.converters import Command, command_of
from tests.releases.s3dis.damage import damage_room


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    return command_of("s3dis.py", monkeypatch)


def test_rooms_and_verify(
    command: Command, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert command("rooms", release, "--output", out, "--areas", 5, 3, "--num-workers", 1) == 0
    first = capsys.readouterr().out.splitlines()
    assert first[0] == "found 0 of the 23 rooms of area 3; the others are skipped"
    assert first[1] == "found 1 of the 68 rooms of area 5; the others are skipped"
    assert first[2].startswith("1 scenes (0 finished before), ")
    assert " points per second, at most " in first[3]
    assert len(first) == 4
    assert command("rooms", release, "--output", out, "--num-workers", 1) == 0
    again = capsys.readouterr().out
    assert "2 scenes (1 finished before)" in again
    assert sorted(path.parent.name for path in out.rglob("coord.npy")) == ["office_1"] * 2
    assert command("verify", out) == 0
    assert capsys.readouterr().out == "2 of 2 scenes are whole\n"
    coord = out / "Area_5" / "office_1" / "coord.npy"
    data = bytearray(coord.read_bytes())
    data[-4] ^= 1
    coord.write_bytes(data)
    assert command("verify", out) == 1
    captured = capsys.readouterr()
    assert captured.out == "1 of 2 scenes are whole\n"
    assert captured.err.startswith("error: Area_5/office_1: ")
    assert "coord.npy is damaged" in captured.err


def test_notes_failures_and_the_grid(
    command: Command, room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage_room(room, "lost_digit")
    (room.parent / "office_2").mkdir()
    words = ("rooms", tmp_path / "raw", "-o", tmp_path / "out", "--num-workers", 1)
    assert command(*words, "--grid", 0.2) == 1
    captured = capsys.readouterr()
    assert "note: Area_5/office_1: ceiling_1.txt, line 3: b'" in captured.out
    assert "error: Area_5/office_2: " in captured.err
    assert "office_2 has no annotations" in captured.err
    coarse = len(read_labelled_scene(tmp_path / "out" / "Area_5" / "office_1"))
    assert command(*words) == 1
    assert "note: Area_5/office_1: ceiling_1.txt, line 3: b'" in capsys.readouterr().out
    assert len(read_labelled_scene(tmp_path / "out" / "Area_5" / "office_1")) > coarse


def test_what_the_command_refuses(
    command: Command, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("rooms", tmp_path / "nowhere", "-o", tmp_path / "out") == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
    assert command("rooms", release, "-o", tmp_path / "out", "--grid", -1) == 2
    assert "--grid -1.0 must be" in capsys.readouterr().err
    assert command("rooms", release, "-o", tmp_path / "out", "--areas", 7) == 2
    assert "invalid choice: 7" in capsys.readouterr().err
    words = ("--scheduler", "tcp://127.0.0.1:1", "--num-workers", 2)
    assert command("rooms", release, "-o", tmp_path / "out", *words) == 2
    assert "--num-workers" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
