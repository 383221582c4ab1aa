from __future__ import annotations

from pathlib import Path

import pytest

from downstream.seeds import _take_run_dir, take_seeds
from pointcontrast.errors import InputError


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
