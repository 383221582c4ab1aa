from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from downstream import seeds
from downstream.seeds import _take_run_dir, run_seeds, take_seeds
from pointcontrast.errors import InputError
from pointcontrast.files import write_json


def test_seeds_are_taken_out_of_the_arguments() -> None:
    assert take_seeds(["--config", "a", "--seeds", "0,4", "--x=1"]) == (
        [0, 4],
        ["--config", "a", "--x=1"],
    )
    assert take_seeds(["--seeds=7"]) == ([7], [])
    assert take_seeds(["--x", "1"]) == (None, ["--x", "1"])
    with pytest.raises(InputError, match="--seeds sets --seed_everything"):
        take_seeds(["--seeds", "0,1", "--seed_everything=3"])


def test_the_folder_has_the_experiments_name(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("name: s3dis\n")
    folder, rest = _take_run_dir(["--config", str(config), "--x", "1"])
    assert folder.parent == Path("runs/s3dis_seeds")
    assert rest == ["--config", str(config), "--x", "1"]
    folder, rest = _take_run_dir([f"--config={config}", "--name", "mine"])
    assert folder.parent == Path("runs/mine_seeds")
    assert rest == [f"--config={config}", "--name", "mine"]
    folder, rest = _take_run_dir(["--run_dir=here", "-c", "nothing.yaml"])
    assert (folder, rest) == (Path("here"), ["-c", "nothing.yaml"])
    assert _take_run_dir([])[0].parent == Path("runs/finetune_seeds")


def test_a_finished_seed_is_run_again_under_another_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run itself then compares its settings, and refuses them or has nothing to do."""
    run = tmp_path / "seed_4"
    run.mkdir()
    own = ["--seed_everything", "4", "--run_dir", str(run), "--ckpt_path", "auto"]
    write_json(run / "run.json", {"command": ["--data.voxel_size", "0.1", *own]})
    write_json(run / "scores.json", {"voxel": {"mean_iou": 0.5}})
    started = []

    def start(command: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, 2)

    monkeypatch.setattr(seeds.subprocess, "run", start)
    given = ["--run_dir", str(tmp_path), "--data.voxel_size"]
    assert run_seeds([4], [*given, "0.1"]) == 0
    assert started == []
    assert run_seeds([4], [*given, "0.2"]) == 2
    assert started[0][3:] == ["--data.voxel_size", "0.2", *own]
