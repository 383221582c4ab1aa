"""Signals and full disks at any moment of a real run: it ends, says how to resume, and resumes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pointcontrast.pretrain_cli import main
from pointcontrast.runs.checkpoints import read_facts
from pointcontrast.runs.stop_signals import StopSignals
from tests.helpers.gloo import free_port
from tests.helpers.killed_runs import (
    Process,
    assert_same_runs,
    finish,
    losses,
    start,
    wait_for_lines,
)

MANY = ("--trainer.max_steps", "24", "--checkpoint_every", "1000")
FEW = ("--trainer.max_steps", "8", "--checkpoint_every", "1000")
RUN = Path("run")


def whole_run(config: Path, *arguments: str) -> Path:
    folder = Path("whole")
    assert main(["--config", str(config), "--run_dir", str(folder), *arguments]) == 0
    return folder


def go_on(config: Path, *arguments: str) -> None:
    given = ["--config", str(config), "--run_dir", str(RUN), "--ckpt_path", "last"]
    assert main([*given, *arguments]) == 0


def signal_group(process: Process, number: int) -> None:
    """As a terminal and SLURM do it: the data workers are signalled too."""
    os.killpg(process.pid, number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_step_ends_the_run_after_it(config: Path, number: signal.Signals) -> None:
    process = start(
        "pretrain", "--config", config, "--run_dir", RUN, *MANY, "--trainer.val_check_interval",
        1000, "--data.num_workers", 2,
    )  # fmt: skip
    wait_for_lines(process, RUN, 2)
    signal_group(process, number)
    output = finish(process, 128 + number)
    assert "resume with the same command and --ckpt_path last" in output
    assert "Traceback" not in output
    steps = read_facts(RUN / "last.ckpt").step
    assert 2 <= steps < 24
    assert len(losses(RUN)) == steps  # the step at hand was finished, and logged
    go_on(config, *MANY, "--trainer.val_check_interval", "1000")
    assert_same_runs(whole_run(config, *MANY, "--trainer.val_check_interval", "1000"), RUN)


def test_a_signal_in_validation_ends_it_at_once_and_it_is_made_up_for(config: Path) -> None:
    # calibration before the scores takes long enough to be met
    arguments = (*FEW, "--trainer.val_check_interval", "3", "--model.calibration_batches", "20")
    process = start("pretrain", "--config", config, "--run_dir", RUN, *arguments)
    deadline = time.monotonic() + 120
    while not (RUN / "last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.005)  # written when the first validation begins
    process.send_signal(signal.SIGTERM)
    output = finish(process, 128 + signal.SIGTERM)
    assert "stopped at step 3 of 8" in output
    assert read_facts(RUN / "last.ckpt").step == 3
    go_on(config, *arguments)
    assert_same_runs(whole_run(config, *arguments), RUN)


@pytest.mark.parametrize("delay", [0.0, 0.5])
def test_a_signal_before_the_first_step_leaves_a_run_that_begins(
    config: Path, delay: float
) -> None:
    arguments = ("--trainer.max_steps", "2", "--model.calibration_batches", "20")
    process = start("pretrain", "--config", config, "--run_dir", RUN, *arguments)
    deadline = time.monotonic() + 120
    while not (RUN / "run.json").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    output = finish(process, 128 + signal.SIGTERM)
    assert "stopped at step 0 of 2" in output
    assert "Traceback" not in output
    assert not (RUN / "last.ckpt").exists()
    go_on(config, *arguments)
    assert len(losses(RUN)) == 2


def test_a_signal_does_not_wait_for_the_calibration_before_the_first_scores(config: Path) -> None:
    arguments = ("--trainer.max_steps", "2", "--model.calibration_batches", "100000")
    process = start("pretrain", "--config", config, "--run_dir", RUN, *arguments)
    deadline = time.monotonic() + 120
    while not (RUN / "run.json").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(2)  # in the calibration, which would take an hour
    process.send_signal(signal.SIGTERM)
    output = finish(process, 128 + signal.SIGTERM, seconds=20)
    assert "stopped at step 0 of 2" in output
    assert "Traceback" not in output


def test_a_signal_while_the_run_makes_its_data(config: Path) -> None:
    source = ("--data.source", "pointcontrast.preparation.sources.SyntheticRooms",
              "--data.root", "made",
              "--data.source.num_rooms", "2", "--data.source.num_frames", "10",
              "--trainer.max_steps", "2")  # fmt: skip
    process = start("pretrain", "--config", config, "--run_dir", RUN, *source)
    deadline = time.monotonic() + 120
    while not Path("made").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    output = finish(process, 128 + signal.SIGTERM)
    assert "stopped at step 0 of 2" in output
    assert "give the same command again" in output
    assert main(["--config", str(config), "--run_dir", str(RUN), *source]) == 0
    assert len(losses(RUN)) == 2


def test_the_first_signal_reaches_all_ranks_through_one(config: Path) -> None:
    """Two processes of one group; the signal goes to the second alone."""
    ports = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    arguments = (
        "--config", config, "--run_dir", RUN, "--trainer.max_steps", 1000,
        "--trainer.val_check_interval", 1000,
        "--trainer.devices", 2, "--trainer.strategy", "ddp",
    )  # fmt: skip
    ranks = [
        start("pretrain", *arguments, **ports, RANK=str(r), LOCAL_RANK=str(r),
              TORCHELASTIC_RUN_ID="test", LOCAL_WORLD_SIZE="2")
        for r in range(2)
    ]  # fmt: skip
    wait_for_lines(ranks[0], RUN, 2)
    ranks[1].send_signal(signal.SIGTERM)
    first, _ = (finish(rank, 128 + signal.SIGTERM) for rank in ranks)
    assert "resume with the same command" in first
    assert read_facts(RUN / "last.ckpt").step == len(losses(RUN)) < 1000


def test_a_signal_while_ranks_agree_is_kept_for_the_next_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ranks wait for one another in this call, so that signals often arrive during it."""
    signals = StopSignals()
    signals.is_gentle = True
    trainer: Any = SimpleNamespace(
        world_size=2, strategy=SimpleNamespace(root_device=torch.device("cpu"))
    )

    def reduce(number: torch.Tensor, _: object) -> None:
        if signals.received is None:
            signals._on_signal(signal.SIGTERM, None)

    monkeypatch.setattr(torch.distributed, "all_reduce", reduce)
    assert signals.agreed(trainer) is None  # the other ranks have not heard of it
    assert signals.agreed(trainer) == signal.SIGTERM


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for two checkpoints and a half."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=11m", "none", str(folder)], check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a file system; see the test with a limit of file sizes")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_the_last_checkpoint(config: Path, small_disk: Path) -> None:
    run = small_disk / "run"
    given = ("--config", config, "--run_dir", run)
    output = finish(start("pretrain", *given), 74)
    assert "No space left on device; free some space" in output
    assert "keeps its checkpoint: resume with the same command and --ckpt_path last" in output
    assert "Traceback" not in output
    assert read_facts(run / "last.ckpt").step == 4
    assert read_facts(run / "previous.ckpt").step == 2
    assert not list(run.glob(".*partial*"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    finish(start("pretrain", *given, "--ckpt_path", "last"), 0)
    assert_same_runs(whole_run(config), run)


def test_a_checkpoint_above_the_largest_file_keeps_the_run_before_it(config: Path) -> None:
    given = ("--config", config, "--run_dir", RUN)
    finish(start("pretrain", *given, "--trainer.max_steps", 2), 0)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))

    limited = start("pretrain", *given, "--ckpt_path", "last", preexec=limit)
    output = finish(limited, 74)
    assert "File too large; free some space" in output
    assert torch.load(RUN / "last.ckpt", weights_only=True)["global_step"] == 2
    go_on(config)
    assert len(losses(RUN)) == 8
