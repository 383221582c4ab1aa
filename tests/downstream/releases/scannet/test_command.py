"""The command line datasets/scannet.py, from a generated release to pairs and scenes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from downstream.releases.scannet import scenes
from downstream.releases.scannet.release import LABEL_MAP
from pointcontrast.scenes.pairs import PAIRS_FILE, read_pairs
from tests.helpers.converters import Command, command_of
from tests.releases.scannet.release import write_scannet_release


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    return command_of("scannet.py", monkeypatch)


def test_scenes_and_verify(
    command: Command, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "scenes"
    assert command("scenes", release, "--output", out, "--split", "train") == 0
    assert "found 2 of the 1201 scans of train; the others are skipped" in capsys.readouterr().out
    assert command("scenes", release, "--output", out, "--split", "test") == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "scene0000_00",
        "scene0001_00",
        "scene0707_00",
    ]
    assert command("verify", out) == 0
    assert "3 of 3 scenes are whole" in capsys.readouterr().out
    (out / "scene0001_00" / "color.npy").unlink()
    assert command("verify", out) == 1
    assert "error: scene0001_00: " in capsys.readouterr().err


def test_a_failed_scan_sets_the_exit_status(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    root = tmp_path / "release"
    damaged = {"scene0001_00": "no_txt"}
    write_scannet_release(root, 2, 0, longest_edge=2.0, damaged=damaged)
    assert command("scenes", root, "--output", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "error: scene0001_00: " in error
    assert "scene0001_00.txt does not exist" in error
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["scene0000_00"]
    assert command("scenes", root, "--output", tmp_path / "out", "--no-align") == 0


def test_a_relative_label_map_reaches_workers_with_other_working_folders(
    command: Command, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def elsewhere(function, tasks, workers, *, unit):
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")  # as a worker of a cluster
        return convert_all(function, tasks, workers, unit=unit)

    convert_all = scenes.convert_all
    monkeypatch.setattr(scenes, "convert_all", elsewhere)
    shutil.copy(release / LABEL_MAP, tmp_path / "map.tsv")
    monkeypatch.chdir(tmp_path)
    words = ("scenes", release, "-o", "out", "--split", "train", "--num-workers", 1)
    assert command(*words, "--label-map", "map.tsv") == 0
    assert (tmp_path / "out" / "scene0000_00" / "boxes.npy").exists()


def test_nothing_to_do(
    command: Command, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert command("scenes", release, "-o", tmp_path / "out", "--split", "val") == 2
    assert "none of the 312 scans" in capsys.readouterr().err
    assert command("pairs", release, "-o", tmp_path / "out") == 2
    assert "has a .sens file" in capsys.readouterr().err
    assert command("scenes", release, "-o", tmp_path / "out", "--frame-skip", 2) == 2
    assert not (tmp_path / "out").exists()


def test_downloads(command: Command, capsys: pytest.CaptureFixture[str]):
    assert command("downloads", "--for", "crops", "--split", "val") == 0
    text = capsys.readouterr().out
    assert "312 scans of 2 files" in text
    assert "--type _vh_clean_2.ply" in text


def test_pairs_from_sens_files(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    root, out = tmp_path / "release", tmp_path / "pairs"
    sizes = {"depth_size": (80, 60), "color_size": (96, 72), "longest_edge": 2.0}
    damaged = {"scene0001_00": "sens_version"}
    write_scannet_release(root, 2, 26, damaged=damaged, **sizes)
    # every 25th frame by default: two views
    assert command("pairs", root, "--output", out, "--overlap-threshold", 0.01) == 1
    captured = capsys.readouterr()
    assert "error: scene0001_00: " in captured.err
    assert "2 views" in captured.out
    assert command("pairs", root, "--output", out, "--frame-skip", 5) == 1
    pairs = read_pairs(out / PAIRS_FILE)
    assert {pair.scene for pair in pairs} == {"scene0000_00"}
    assert {pair.view1 for pair in pairs} <= set(range(6))
    assert len(pairs) > 3
