"""The kill test: a run that is killed again and again ends as one that was left alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pointcontrast.pretrain_cli import main
from pointcontrast.weights.backbone_file import read_weights
from tests.helpers.killed_runs import (
    THREE,
    assert_same_runs,
    finish,
    losses,
    random_moments,
    run_with_kills,
    start,
)


def few(config: Path, engine: str, num_steps: int) -> list[object]:
    return [
        "--config", config, "--model.backbone.engine", engine,
        "--trainer.max_steps", num_steps, "--checkpoint_every", 2,
    ]  # fmt: skip


def truncate_after(number: int, folder: Path) -> Callable[[int], None]:
    """Cut the last checkpoint short after that kill, and after each third from then on.

    Not where it is the only one; nor is it there after a kill between its two renames, or before
    the first checkpoint of a run that has set a damaged one aside.
    """
    last, previous = folder / "last.ckpt", folder / "previous.ckpt"

    def cut(kill: int) -> None:
        if kill % 3 == number and last.exists() and previous.exists():
            os.truncate(last, last.stat().st_size // 2)

    return cut


@pytest.mark.parametrize("engine", ["native", "minkowski"])
def test_three_kills_and_a_truncated_checkpoint_change_nothing(config: Path, engine: str) -> None:
    arguments = few(config, engine, 8)
    whole, killed = Path("whole"), Path("killed")
    finish(start("pretrain", *arguments, "--run_dir", whole), 0)
    found = run_with_kills("pretrain", arguments, killed, THREE, truncate_after(2, killed))
    assert len(found) == 3
    assert found[0] < found[1] < found[2] < 8
    assert (killed / "damaged-last.ckpt").exists()
    assert_same_runs(whole, killed)
    assert [step for step, _ in losses(killed)] == list(range(8))
    one, two = (read_weights(run).state_dict for run in (whole, killed))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_kill_after_the_last_step_loses_no_scores(config: Path) -> None:
    """The last checkpoint is written before the last two validations: both are made up for."""
    arguments = ["--config", str(config), "--trainer.max_steps", "4"]
    assert main([*arguments, "--run_dir", "whole"]) == 0
    killed = Path(shutil.copytree("whole", "killed"))
    for name in ("backbone.safetensors", "backbone.md"):
        (killed / name).unlink()
    assert main([*arguments, "--run_dir", "killed", "--ckpt_path", "last"]) == 0
    assert_same_runs(Path("whole"), killed)
    found, expected = (sorted(p.name for p in run.iterdir()) for run in (killed, Path("whole")))
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("truncates", [False, True])
@pytest.mark.parametrize("engine", ["native", "minkowski"])
def test_twenty_kills_change_nothing(config: Path, engine: str, truncates: bool) -> None:
    arguments = few(config, engine, 80)
    whole, killed = Path("whole"), Path("killed")
    finish(start("pretrain", *arguments, "--run_dir", whole), 0, 600)
    after = truncate_after(2, killed) if truncates else lambda _: None
    found = run_with_kills(
        "pretrain", arguments, killed, random_moments(20, truncates), after, fresh=True
    )
    assert len(found) == 20
    assert_same_runs(whole, killed)
    assert [step for step, _ in losses(killed)] == list(range(80))
