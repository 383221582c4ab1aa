"""Data workers start at once, compute the same numbers, and end with their run."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
from torch.utils.data import Dataset

from pointcontrast.data.loading import make_loader
from tests.helpers.killed_runs import start, wait_for_lines

STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1}


class OwnProcess(Dataset[tuple[int, int, int]]):
    """Tells of the process that it is asked in."""

    def __getitem__(self, key: tuple[int, int]) -> tuple[int, int, int]:
        status = Path("/proc/self/status").read_text()
        blocked = int(status.split("SigBlk:")[1].split()[0], 16)
        return os.getpid(), os.getppid(), blocked


def test_all_loaders_fork_from_one_server_that_stop_signals_do_not_reach() -> None:
    first, second = (
        list(make_loader(OwnProcess(), [[(0, i)] for i in range(4)], list, 2)) for _ in range(2)
    )
    found = np.array([item for batch in (*first, *second) for item in batch])
    workers, parents, blocked = found.T
    assert len(set(workers)) == 4
    assert len(set(parents)) == 1
    assert parents[0] != os.getpid()
    assert all(mask >> (number - 1) & 1 for mask in blocked for number in STOPPING)


def test_workers_of_a_killed_run_end(config: Path) -> None:
    run = start(
        "pretrain", "--config", config, "--run_dir", "run", "--data.num_workers", 2,
        "--trainer.max_steps", 1000, "--trainer.val_check_interval", 1000,
    )  # fmt: skip
    wait_for_lines(run, Path("run"), 2)
    others = psutil.Process(run.pid).children(recursive=True)
    assert len(others) >= 3  # the server and its two forks
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(psutil.Process.is_running, others)):
        time.sleep(0.05)
    assert not [other for other in others if other.is_running()]
