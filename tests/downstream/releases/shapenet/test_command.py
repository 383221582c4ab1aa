"""The command lines of ShapeNet: the converter and the generator."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from downstream.shapes.shape_set import read_shape_set
from tests.helpers.converters import Command, command_of
from tests.releases.shapenet.release import main as generate
from tests.releases.shapenetpart.release import main as generate_parts

MUG, TABLE = "03797390", "04379243"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    return command_of("shapenet.py", monkeypatch)


def test_shapes_and_verify(
    command: Command, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    options = ("--num-workers", 1, "--num-points", 20, "--seed", 9)
    assert command("shapes", release, "-o", tmp_path, *options) == 0
    out = capsys.readouterr().out
    assert "found 3 of the 55 categories; the others are skipped" in out
    assert "3 categories (0 finished before), 23 shapes (0 left out), 460 points, " in out
    assert " points per second" in out
    settings = read_shape_set(tmp_path / MUG).settings
    assert (settings["num_points"], settings["seed"]) == (20, 9)
    assert command("verify", tmp_path) == 0
    assert "3 of 3 shape sets are whole" in capsys.readouterr().out


def test_the_split_file_may_lie_elsewhere(
    command: Command, copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.move(copied / "all.csv", tmp_path / "mine.csv")
    options = ("--num-workers", 1, "--num-points", 20)
    assert command("shapes", copied, "-o", tmp_path / "out", *options) == 2
    assert "all.csv does not exist" in capsys.readouterr().err
    options = (*options, "--split-file", tmp_path / "mine.csv")
    assert command("shapes", copied, "-o", tmp_path / "out", *options) == 0


def test_what_is_left_out_is_named(
    command: Command, copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    models = sorted((copied / TABLE).iterdir())
    for model in models[:7]:
        shutil.rmtree(model)
    (copied / MUG / "stranger").mkdir()
    options = ("--num-workers", 1, "--num-points", 20)
    assert command("shapes", copied, "-o", tmp_path / "out", *options) == 0
    out = capsys.readouterr().out
    assert out.count(f"left out: {TABLE}/") == 5
    assert f"left out: {TABLE}/{models[0].name}: it has neither" in out
    assert f"left out: 2 more of {TABLE}: see its meta.json" in out
    assert "16 shapes (7 left out)" in out
    assert "skipped 1 shapes that are in no split" in out


def test_the_generators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    words = ["release.py", str(tmp_path / "a"), "--num-shapes", "1", "--version", "v1"]
    monkeypatch.setattr(sys, "argv", words)
    generate()
    assert len(list((tmp_path / "a").glob("*/*/model.obj"))) == 8 * 5
    words = ["release.py", str(tmp_path / "b"), "--num-shapes", "1", "--num-points", "60"]
    monkeypatch.setattr(sys, "argv", words)
    generate_parts()
    assert len(list((tmp_path / "b").glob("*/*.txt"))) == 16
