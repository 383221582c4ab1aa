"""Memory stays flat over a thousand real steps."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import psutil
import pytest

from tests.helpers.killed_runs import finish, num_steps, start

NUM_STEPS = 1000
WARM = 200
"""Steps after which allocators, caches of files and TensorBoard's queue have filled up."""
BOUND = 24e6
"""Bytes by which a process may grow over the 800 steps after that: 30 kB a step. The features of
one batch alone are more than 100 kB, and glibc's arenas come and go by some megabytes."""


def resident(process: psutil.Process) -> list[int]:
    """Bytes of the run, of each of its data workers, and of the process that forks those."""
    found = []
    for each in (process, *process.children(recursive=True)):
        try:
            if "resource_tracker" not in " ".join(each.cmdline()):
                found.append(each.memory_info().rss)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [0, 2])
def test_memory_is_flat(config: Path, num_workers: int) -> None:
    run = start(
        "pretrain", "--config", config, "--run_dir", "run", "--data.num_workers", num_workers,
        "--data.voxel_size", 0.25, "--trainer.max_steps", NUM_STEPS, "--checkpoint_every", 100,
        "--trainer.val_check_interval", 100,
    )  # fmt: skip
    samples: list[tuple[int, int]] = []
    while run.poll() is None and num_steps(Path("run")) < NUM_STEPS:
        sizes = resident(psutil.Process(run.pid))
        if len(sizes) == 1 + num_workers + bool(num_workers):  # workers are forks of a server
            samples.append((num_steps(Path("run")), sum(sizes)))
        time.sleep(0.2)
    finish(run, 0)
    before = statistics.median(size for step, size in samples if WARM <= step < WARM + 100)
    after = statistics.median(size for step, size in samples if step >= NUM_STEPS - 100)
    assert after - before < BOUND * (1 + num_workers), (before, after)
