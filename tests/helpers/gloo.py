"""Several real processes that train together over gloo."""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from tests.helpers.fork_server import Forked
from tests.helpers.repository import REPOSITORY

LIMIT = 300
"""Seconds after which a test says that something hangs."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def in_ranks(function: Callable[..., Any], num_ranks: int, folder: Path, *arguments: Any) -> list:
    """What ``function(rank, *arguments)`` returns on each rank of a group of processes."""
    calls = folder / "ranks"
    calls.mkdir()
    (calls / "call").write_bytes(pickle.dumps((function, arguments)))
    script = REPOSITORY / "tests" / "helpers" / "one_rank.py"
    results = [calls / f"{rank}.pt" for rank in range(num_ranks)]
    processes = by_hand([[script, calls / "call", result] for result in results], folder)
    for process, said in zip(processes, ended(processes), strict=True):
        assert process.returncode == 0, said
    return [torch.load(result, weights_only=False) for result in results]


def by_hand(
    commands: Sequence[Sequence[object]],
    folder: Path,
    *,
    folders: Sequence[str] | None = None,
    delay: float = 0.0,
) -> list[Forked]:
    """Each command as one rank, each rank a node of its own, one ``delay`` after another."""
    port = str(free_port())
    processes = []
    for rank, command in enumerate(commands):
        time.sleep(delay if rank else 0.0)
        processes.append(
            start(
                command,
                folder / (folders[rank] if folders else "."),
                RANK=str(rank),
                LOCAL_RANK="0",
                NODE_RANK=str(rank),
                WORLD_SIZE=str(len(commands)),
                MASTER_ADDR="127.0.0.1",
                MASTER_PORT=port,
            )
        )
    return processes


def start(command: Sequence[object], folder: Path, **environment: str) -> Forked:
    """A Python program with one thread in ``folder``."""
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), **environment}
    return Forked(command, folder, variables)


def ended(processes: Sequence[Forked], limit: float = LIMIT) -> list[str]:
    """What each has said, once all have ended; their exit status is in ``returncode``."""
    try:
        return [process.communicate(timeout=limit)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
