"""Checkpoints that a run cannot resume from: one message with both values, before training."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pointcontrast.backbones import Res16UNet
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.pretrain_cli import main
from pointcontrast.runs.checkpoints import FACTS, read_facts
from pointcontrast.runs.folder import read_metrics
from pointcontrast.weights.backbone_file import load_backbone, save_backbone


@pytest.fixture(scope="module")
def finished(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four steps; copy it."""
    import yaml

    from tests.helpers.small_run import CONFIG

    folder = tmp_path_factory.mktemp("finished")
    config = folder / "small.yaml"
    value = {**CONFIG, "data": {**CONFIG["data"], "root": str(prepared), "holdout_fraction": 0}}
    config.write_text(yaml.safe_dump(value))
    given = ["--config", str(config), "--run_dir", str(folder / "run"), "--trainer.max_steps=4"]
    assert main(given) == 0
    return folder / "run"


@pytest.fixture
def attempt(config: Path, finished: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Go on with a copy of the run; returns the one message that it ends with."""
    shutil.copytree(finished, "run")

    def go_on(*arguments: str, checkpoint: str = "last") -> str:
        before = {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")}
        given = ["--config", str(config), "--run_dir", "run", "--ckpt_path", checkpoint]
        assert main([*given, *arguments]) == 2
        assert {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")} == before
        said = capsys.readouterr().err
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, said
        return errors[0]

    return go_on


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--model.backbone.width=0.5", "model.backbone.init_args.width 0.25, here 0.5"),
        ("--model.backbone.variant=14B", "model.backbone.init_args.variant '14A', here '14B'"),
        ("--model.backbone.out_channels=8", "model.backbone.init_args.out_channels 16, here 8"),
        ("--model.optimizer=torch.optim.AdamW",
         "optimizer.class_path 'torch.optim.SGD', here 'torch.optim.AdamW'"),
        ("--data.features=[ones]", "data.features ['color'], here ['ones']"),
        ("--model.loss.learn_temperature=true", "learn_temperature False, here True"),
    ],
)  # fmt: skip
def test_another_architecture(attempt: Callable[..., str], argument: str, said: str) -> None:
    message = attempt(argument)
    assert "run/last.ckpt is of another network or optimiser" in message
    assert said in message


def test_what_may_change_goes_on(config: Path, finished: Path) -> None:
    shutil.copytree(finished, "run")
    given = ["--config", str(config), "--run_dir", "run", "--ckpt_path", "last",
             "--trainer.max_steps=5", "--data.holdout_fraction=0",
             "--model.backbone.engine=minkowski",
             "--model.backbone.checkpoint_activations=true"]  # fmt: skip
    assert main(given) == 0
    assert len([m for m in read_metrics(Path("run")) if "train/loss" in m]) == 5


def test_other_settings_are_named_before_anything_is_touched(attempt: Callable[..., str]) -> None:
    message = attempt("--data.voxel_size=0.2", "--seed_everything=3", "--trainer.max_steps=5")
    for words in ("data.voxel_size 0.15, here 0.2", "seed_everything 0, here 3",
                  "data.holdout_fraction 0.0, here 0.2"):  # fmt: skip
        assert words in message


def test_allowed_changes_are_in_the_card_and_in_the_next_checkpoint(
    config: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished, "run")
    same = ["--config", str(config), "--run_dir", "run", "--data.holdout_fraction=0",
            "--ckpt_path", "last"]  # fmt: skip
    other = [*same, "--data.voxel_size=0.2", "--trainer.max_steps=5"]
    assert main([*other, "--allow-changed", "data.voxel_size"]) == 0
    assert "changed after step 4: data.voxel_size was 0.15, is 0.2" in capsys.readouterr().out
    change = {"key": "data.voxel_size", "was": 0.15, "now": 0.2, "step": 4}
    assert read_facts(Path("run/last.ckpt")).changes == [change]
    _, metadata = load_backbone(Path("run"))
    assert metadata.provenance["changes"] == [change]
    assert "| 4 | data.voxel_size | 0.15 | 0.2 |" in Path("run/backbone.md").read_text()
    assert main(other) == 0  # the changed settings are now the run's
    said = capsys.readouterr().out
    assert "nothing to do: the 5 steps of the run in run are done" in said
    assert main([*same, "--trainer.max_steps=5"]) == 2
    assert "data.voxel_size 0.2, here 0.15" in capsys.readouterr().err


def test_steps_that_are_passed_leave_everything_as_it_is(
    config: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished, "run")
    before = {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")}
    for steps in (3, 4):
        given = ["--config", str(config), "--run_dir", "run", "--ckpt_path", "last",
                 "--data.holdout_fraction=0", f"--trainer.max_steps={steps}"]  # fmt: skip
        assert main(given) == 0
        assert "nothing to do: " in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")} == before


def test_a_checkpoint_without_facts_is_held_against_the_network(
    attempt: Callable[..., str],
) -> None:
    checkpoint = torch.load("run/last.ckpt", weights_only=True)
    del checkpoint[FACTS]  # as before there were any
    torch.save(checkpoint, "run/last.ckpt")
    message = attempt("--model.backbone.width=0.5")
    assert "model.backbone.init_args.width 0.25, here 0.5" in message  # of config.yaml beside it
    Path("run/config.yaml").unlink()
    message = attempt("--model.backbone.width=0.5")
    assert "backbone.conv0p1s1.kernel (27, 3, 8), here (27, 3, 16)" in message


def test_a_newer_format(attempt: Callable[..., str]) -> None:
    checkpoint = torch.load("run/last.ckpt", weights_only=True)
    checkpoint[FACTS]["format_version"] = 7
    torch.save(checkpoint, "run/last.ckpt")
    for given in ("last", "run/last.ckpt"):
        message = attempt(checkpoint=given)
        assert "run/last.ckpt has format version 7, this program reads up to 1" in message


@pytest.mark.parametrize(("size", "said"), [(0, "is empty"), (1000, "is cut short or damaged")])
def test_damaged_files(attempt: Callable[..., str], size: int, said: str) -> None:
    os.truncate("run/last.ckpt", size)
    message = attempt(checkpoint="run/last.ckpt")
    assert f"run/last.ckpt {said}" in message
    assert "run/previous.ckpt, which is whole and holds step 2" in message
    os.truncate("run/previous.ckpt", size)
    assert "no whole checkpoint is left in run" in attempt()
    assert "its folder has no whole one" in attempt(checkpoint="run/last.ckpt")
    assert "does not exist" in attempt(checkpoint="run/gone.ckpt")


def test_a_backbone_that_finds_no_room_is_said_to(tmp_path: Path) -> None:
    backbone = Res16UNet(3, 8, "14A", engine="native", width=0.25)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_backbone(tmp_path / "b.safetensors", backbone, NetworkInput(), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())
