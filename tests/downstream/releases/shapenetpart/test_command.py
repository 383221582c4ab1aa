"""The command line datasets/shapenetpart.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.converters import Command, command_of

MUG, TABLE = "03797390", "04379243"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    return command_of("shapenetpart.py", monkeypatch)


def test_shapes_and_verify(
    command: Command, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ("shapes", release, "-o", tmp_path, "--num-workers", 1)
    assert command(*words) == 0
    out = capsys.readouterr().out
    assert "found 2 of the 16 categories; the others are skipped" in out
    assert "2 categories (0 finished before), 8 shapes (0 left out), " in out
    assert " points per second" in out
    assert command(*words) == 0
    again = capsys.readouterr().out
    assert "2 categories (2 finished before)" in again
    assert "per second" not in again
    assert command("verify", tmp_path) == 0
    out = capsys.readouterr().out
    assert "2 of 2 shape sets are whole" in out
    assert "train: 4 shapes, validation: 2 shapes, test: 2 shapes" in out
    assert command("verify", tmp_path / MUG) == 0
    assert "1 of 1 shape sets are whole" in capsys.readouterr().out


def test_verify_names_what_is_wrong(
    command: Command, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    command("shapes", release, "-o", tmp_path, "--num-workers", 1)
    (tmp_path / MUG / "part.npy").unlink()
    (tmp_path / "splits.json").unlink()
    assert command("verify", tmp_path) == 1
    captured = capsys.readouterr()
    assert "1 of 2 shape sets are whole" in captured.out
    assert f"error: {MUG}: " in captured.err
    assert "part.npy is missing" in captured.err
    assert "error: splits: " in captured.err


def test_failures_set_the_exit_status(
    command: Command, copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (copied / MUG / "stranger.txt").touch()
    empty = next((copied / TABLE).iterdir())
    empty.write_text("")
    assert command("shapes", copied, "-o", tmp_path / "out", "--num-workers", 1) == 1
    captured = capsys.readouterr()
    assert "skipped 1 shapes that are in no split" in captured.out
    assert f"error: {TABLE}/{empty.stem}: {empty} is empty" in captured.err
    assert command("shapes", tmp_path / "absent", "-o", tmp_path / "out") == 2
    assert "give the folder of the release" in capsys.readouterr().err
    options = ("--scheduler", "tcp://127.0.0.1:1", "--num-workers", 2)
    assert command("shapes", copied, "-o", tmp_path / "out", *options) == 2
