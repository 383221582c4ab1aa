"""The kill test of finetuning: the best network and its scores too."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from downstream.releases.shapenet.shapes import SamplingSettings, convert_release
from tests.helpers.downstream_small import SMALL
from tests.helpers.killed_runs import (
    THREE,
    Moment,
    assert_same_runs,
    finish,
    losses,
    random_moments,
    run_with_kills,
    start,
)
from tests.helpers.repository import REPOSITORY
from tests.releases.shapenet.release import write_shapenet_release


def finetuning(scenes: Path, num_steps: int) -> list[object]:
    return [
        "--config", REPOSITORY / "configs" / "downstream" / "s3dis_small.yaml", *SMALL,
        "--data.benchmark.init_args.root", scenes, "--data.voxel_size", 0.2,
        "--trainer.max_steps", num_steps, "--checkpoint_every", 2,
    ]  # fmt: skip


def check_finetuning(
    scenes: Path, num_steps: int, moments: list[Moment], *, fresh: bool = False
) -> None:
    arguments = finetuning(scenes, num_steps)
    whole, killed = Path("whole"), Path("killed")
    finish(start("finetune", *arguments, "--run_dir", whole), 0, 600)
    kills = run_with_kills("finetune", arguments, killed, moments, fresh=fresh)
    assert len(kills) == len(moments)
    assert_same_runs(whole, killed)
    assert [step for step, _ in losses(killed)] == list(range(num_steps))
    assert (killed / "scores.json").read_text() == (whole / "scores.json").read_text()


def test_three_kills_of_a_finetuning_change_nothing(
    s3dis_scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_finetuning(s3dis_scenes, 8, THREE)


def test_dropout_leaves_out_the_same_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_shapenet_release(tmp_path / "raw", 4)
    convert_release(tmp_path / "raw", tmp_path / "shapes", SamplingSettings(num_points=600))
    arguments = [
        "--config", REPOSITORY / "configs" / "downstream" / "shapenet_small.yaml", *SMALL,
        "--data.benchmark.init_args.root", tmp_path / "shapes", "--data.voxel_size", 0.1,
        "--trainer.max_steps", 6, "--checkpoint_every", 1,
    ]  # fmt: skip
    whole, killed, other = Path("whole"), Path("killed"), Path("other")
    finish(start("finetune", *arguments, "--run_dir", whole), 0)
    assert len(run_with_kills("finetune", arguments, killed, [Moment(3, 0.05)])) == 1
    assert_same_runs(whole, killed)
    without = ("--model.head.init_args.dropout", 0)
    finish(start("finetune", *arguments, *without, "--run_dir", other), 0)
    assert losses(other) != losses(whole)


def test_a_kill_in_the_last_validation_loses_no_scores(finetune: Any, s3dis_scenes: Path) -> None:
    """Nothing is left to train, but the validation that was owed may find the best network."""
    steps = ("--data.voxel_size", "0.2", "--trainer.max_steps", "2",
             "--trainer.val_check_interval", "2")  # fmt: skip
    whole = finetune("s3dis_small", s3dis_scenes, *steps, folder="whole")
    killed = Path(shutil.copytree(whole, "killed"))
    for path in killed.iterdir():
        if path.name.startswith(("best", "last.safetensors", "scores")):
            path.unlink()
    finetune("s3dis_small", s3dis_scenes, *steps, "--ckpt_path", "last", folder="killed")
    assert_same_runs(whole, killed)
    assert (killed / "best.safetensors").exists()
    assert (killed / "scores.json").read_text() == (whole / "scores.json").read_text()


@pytest.mark.slow
def test_twenty_kills_of_a_finetuning_change_nothing(
    s3dis_scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_finetuning(s3dis_scenes, 60, random_moments(20, 2), fresh=True)
