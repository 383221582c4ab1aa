"""Worker processes of a conversion, and the command-line options that choose them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pointcontrast.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Worker processes.

    Attributes:
        num_workers: Number of processes on this machine. None is one per core, at most one per
            task. With more than one, the calling script must guard its body with
            ``if __name__ == "__main__":``, because every process imports it.
        scheduler: Address of an existing Dask scheduler whose workers are used instead
            (``docs/cluster.md``).
        memory_limit: Memory limit of each process, such as "4GB"
            (:func:`pointcontrast.preparation.cluster.run_scenes`).
        progress: Whether to show a progress bar.
    """

    num_workers: int | None = 1
    scheduler: str | None = None
    memory_limit: str = "auto"
    progress: bool = False


THIS_PROCESS = Workers()
"""One task at a time, in the calling process."""


def add_worker_options(parser: argparse.ArgumentParser, unit: str = "scene") -> None:
    """Add the options of :class:`Workers`.

    Args:
        parser: Parser of the command.
        unit: Name of a task in the help texts, such as "scene" or "category".
    """
    add = parser.add_argument_group("workers").add_argument
    add(
        "--num-workers",
        type=int,
        help=f"number of processes on this machine, each working on one {unit} at a time; by "
        f"default one per core, at most one per {unit}",
    )
    add(
        "--memory-limit",
        default="auto",
        help="memory limit of each process, such as 4GB; a process that exceeds it is killed and "
        f"its {unit} is tried again. auto is the memory of this machine divided by --num-workers; "
        "0 is no limit",
    )
    add(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="use the workers of this Dask scheduler, which must see the same files under the same "
        "paths (docs/cluster.md)",
    )


def check_worker_options(arguments: Mapping[str, Any]) -> None:
    """Refuse options of :func:`add_worker_options` that exclude each other.

    Raises:
        InputError: A local setting is given together with a scheduler.
    """
    if arguments["scheduler"] and (
        arguments["num_workers"] is not None or arguments["memory_limit"] != "auto"
    ):
        raise InputError(
            "--num-workers and --memory-limit are for workers on this machine; set those of "
            "--scheduler where its workers are started"
        )


def workers_from(arguments: argparse.Namespace) -> Workers:
    """Return the workers that a command line asks for, with a progress bar.

    Raises:
        InputError: Options exclude each other.
    """
    check_worker_options(vars(arguments))
    return Workers(
        num_workers=arguments.num_workers,
        scheduler=arguments.scheduler,
        memory_limit=arguments.memory_limit,
        progress=True,
    )
