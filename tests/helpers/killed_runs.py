"""Runs of the real tools as processes: started, killed at chosen moments, gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pointcontrast.runs.folder import read_metrics
from tests.helpers.fork_server import Forked
from tests.helpers.repository import REPOSITORY

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
Process = subprocess.Popen[str] | Forked


def start(
    tool: str,
    *arguments: object,
    fresh: bool = False,
    preexec: Callable[[], None] | None = None,
    **environment: str,
) -> Process:
    """Start ``tools/<tool>.py``, the leader of a process group of its own.

    Args:
        tool: its name.
        arguments: of its command line.
        fresh: in an interpreter of its own rather than a fork; so it is with ``preexec``.
        preexec: called before the program.
        environment: variables to add.
    """
    command = [str(REPOSITORY / "tools" / f"{tool}.py"), *map(str, arguments)]
    variables = {**ENVIRONMENT, **environment}
    if not fresh and preexec is None:
        return Forked(command, None, variables)
    return subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, env=variables, preexec_fn=preexec,
    )  # fmt: skip


def finish(process: Process, status: int, seconds: float = 120) -> str:
    """What the process said, once it has ended with this status."""
    output, _ = process.communicate(timeout=seconds)
    assert process.returncode == status, output
    return output


def wait_for_lines(process: Process, folder: Path, count: int) -> None:
    """Wait until the run has logged ``count`` losses."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if len(losses(folder)) >= count:
            return
        time.sleep(0.005)
    process.kill()
    raise AssertionError(f"no {count} losses in {folder}: {process.communicate()[0]}")


def losses(folder: Path) -> list[tuple[int, float]]:
    """(step, loss) of each line that has one."""
    lines = read_metrics(folder) if folder.exists() else []
    return [(line["step"], line["train/loss"]) for line in lines if "train/loss" in line]


def num_steps(folder: Path) -> int:
    """Steps that the run has logged."""
    return max((step + 1 for step, _ in losses(folder)), default=0)


def figures(folder: Path) -> list[dict[str, float]]:
    """All that was logged, without what depends on the clock."""
    return [
        {name: value for name, value in line.items() if "per_second" not in name}
        for line in read_metrics(folder)
    ]


@dataclass(frozen=True)
class Moment:
    """When a process is killed.

    Attributes:
        steps: Losses to log after the ones before until the kill; 0: the start of the process.
        delay: seconds after that.
    """

    steps: int
    delay: float


THREE = [Moment(1, 0.1), Moment(2, 0.3), Moment(2, 0.0)]


def random_moments(count: int, seed: int) -> list[Moment]:
    """Moments at which a run is at work, and some at which it only starts or resumes."""
    rng = np.random.default_rng(seed)
    return [
        Moment(0, rng.uniform(0, 8)) if rng.random() < 0.25
        else Moment(int(rng.integers(1, 3)), rng.uniform(0, 0.6))
        for _ in range(count)
    ]  # fmt: skip


def run_with_kills(
    tool: str,
    arguments: Sequence[object],
    folder: Path,
    moments: Sequence[Moment],
    after_kill: Callable[[int], None] = lambda _: None,
    *,
    fresh: bool = False,
) -> list[int]:
    """Run, SIGKILL at each moment, resume with the same command and ``--ckpt_path last``.

    Args:
        tool: ``pretrain`` or ``finetune``.
        arguments: of the run, without folder and checkpoint.
        folder: of the run.
        moments: of the kills; those left when the run ends are not used.
        after_kill: called with the number of each kill, counted from 0.
        fresh: see :func:`start`.

    Returns:
        How many steps had been logged at each kill.
    """
    found: list[int] = []
    for number, moment in enumerate(moments):
        resumed = ("--ckpt_path", "last") if (folder / "run.json").exists() else ()
        process = start(tool, *arguments, "--run_dir", folder, *resumed, fresh=fresh)
        wanted = (found[-1] if found else 0) + moment.steps
        while moment.steps and process.poll() is None and num_steps(folder) < wanted:
            time.sleep(0.005)
        time.sleep(moment.delay)
        if process.poll() is not None:
            finish(process, 0)
            return found
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        found.append(num_steps(folder))
        after_kill(number)
    resumed = ("--ckpt_path", "last") if (folder / "run.json").exists() else ()
    finish(start(tool, *arguments, "--run_dir", folder, *resumed, fresh=fresh), 0, 600)
    return found


def assert_same_runs(first: Path, second: Path) -> None:
    """Weights, optimiser, counts and figures of two runs are equal, bit for bit."""
    one, two = (torch.load(folder / "last.ckpt", weights_only=True) for folder in (first, second))
    _assert_equal(one, two, "")
    assert figures(first) == figures(second)


def _assert_equal(one: object, two: object, where: str) -> None:
    if isinstance(one, dict) and isinstance(two, dict):
        assert one.keys() == two.keys(), where
        for key in one:
            if "val_loop" in str(key) or key == "validate_loop":
                continue  # Lightning counts the batches that were validated, those in vain too
            _assert_equal(one[key], two[key], f"{where}/{key}")
    elif isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        assert torch.equal(one, two), where
    elif isinstance(one, list | tuple) and isinstance(two, list | tuple):
        assert len(one) == len(two), where
        for place, pair in enumerate(zip(one, two, strict=True)):
            _assert_equal(*pair, f"{where}/{place}")
    else:
        assert one == two, f"{where}: {one} and {two}"
