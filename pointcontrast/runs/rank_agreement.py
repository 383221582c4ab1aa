"""Agreement of ranks that were started apart: all of them run the same thing, or none does.

Processes under torchrun, SLURM or started by hand parse their own command line and read their own
disk. Before they train, each tells the others what it will run, or why it cannot, through the
key-value store by which a process group is made anyway (``torch.distributed.TCPStore``). So a
rank that differs or fails ends all of them with one message, where collectives would wait.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from torch.distributed.rendezvous import rendezvous

from pointcontrast.errors import InputError

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

WAIT = timedelta(minutes=30)
"""For ranks that are still starting, or whose data is being made; the same as Lightning's."""
LINGER = timedelta(seconds=10)
"""For others to read what rank 0 wrote, which may hold the store."""
MAX_VALUE = 80
"""Characters of a value that a message quotes."""
_FAILED = "failed"
_WAITED = "waited for a rank that failed"

Statement = Mapping[str, Any]
"""What a rank runs: a JSON value by key. Ranks may differ in keys that start with ``_``."""


class Ranks:
    """This process among all that train together, and the store that they share."""

    def __init__(self, rank: int, world_size: int, node_rank: int = 0, local_rank: int = 0) -> None:
        """Meet the others, two or more in all; MASTER_ADDR and MASTER_PORT say where.

        Raises:
            InputError: They did not come in time.
        """
        self.rank, self.world_size = rank, world_size
        self.node_rank, self.local_rank = node_rank, local_rank
        try:
            store, _, _ = next(rendezvous("env://", rank=rank, world_size=world_size, timeout=WAIT))
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"rank {rank} cannot meet the others at {os.environ.get('MASTER_ADDR')}:"
                f"{os.environ.get('MASTER_PORT')}: {str(error).splitlines()[0]}"
            ) from error
        self._store: Store = store

    def agree(self, statement: Statement) -> Statement:
        """Compare what all ranks run.

        Returns:
            The statement of rank 0.

        Raises:
            InputError: On every rank, where one differs or has failed; the message names the rank
                and the difference.
        """
        first, verdict = self._exchange(statement)
        if verdict:
            raise InputError(verdict)
        return first

    def fail(self, reason: str) -> str:
        """Tell the others that this rank cannot run, in place of :meth:`agree`.

        Returns:
            The message that all ranks get.
        """
        self._store.set(_key("any_failed"), "yes")
        return self._exchange({_FAILED: reason})[1]

    def first_of_node_is_done(self) -> None:
        """Say that the first process of this node has done the node's work."""
        self._store.set(_key(f"node {self.node_rank}"), "done")

    def wait_for_first_of_node(self) -> None:
        """Wait until the first process of this node has done the node's work.

        Raises:
            InputError: A rank has failed meanwhile; pass it to :meth:`fail`.
        """
        while not self._store.check([_key(f"node {self.node_rank}")]):
            if self._store.check([_key("any_failed")]):
                raise InputError(_WAITED)
            time.sleep(0.05)

    def _exchange(self, statement: Statement) -> tuple[Statement, str]:
        """Write a statement; rank 0 reads all and writes its own and the verdict for all."""
        store, ranks = self._store, range(self.world_size)
        store.set(_key(f"statement {self.rank}"), json.dumps(statement, default=str))
        if self.rank == 0:
            statements = [json.loads(store.get(_key(f"statement {rank}"))) for rank in ranks]
            store.set(_key("verdict"), json.dumps([statements[0], difference(statements)]))
        first, verdict = json.loads(store.get(_key("verdict")))
        store.set(_key(f"read {self.rank}"), "yes")
        if self.rank == 0:
            with suppress(RuntimeError):  # the time is up: a rank was killed
                store.wait([_key(f"read {rank}") for rank in ranks], LINGER)
        return first, verdict


def _key(name: str) -> str:
    return f"pointcontrast/{name}"


def difference(statements: list[Statement]) -> str:
    """Name the ranks that cannot run or run something else than rank 0; empty if none does."""
    reasons: dict[str, list[int]] = {}
    for rank, statement in enumerate(statements):
        if _FAILED in statement:
            reasons.setdefault(statement[_FAILED], []).append(rank)
    reasons.pop(_WAITED, None)
    if reasons:
        return "; ".join(f"{_ranks(ranks)}: {reason}" for reason, ranks in reasons.items())
    first = statements[0]
    for rank, statement in enumerate(statements):
        for key in sorted({*first, *statement}):
            if not key.startswith("_") and statement.get(key) != first.get(key):
                return (
                    f"ranks do not run the same: {key} is {_quoted(statement.get(key))} on rank "
                    f"{rank} and {_quoted(first.get(key))} on rank 0; start all with one command "
                    "and the same data"
                )
    return ""


def prepare_and_agree(
    trainer: pl.Trainer,
    prepare: Callable[[], None],
    check: Callable[[], None],
    state: Callable[[], Statement],
) -> tuple[Ranks | None, Statement]:
    """Prepare and check this process's part of a run, start the others, and agree with them.

    Args:
        trainer: Trainer of the run; it knows the processes, and may start them itself.
        prepare: Work that one process does for its node, before the others check.
        check: Check that raises where this process cannot run.
        state: Function that returns this process's statement, called after the check.

    Returns:
        The ranks, None where there is one (keep them during the run: rank 0 may hold the store),
        and the statement of rank 0.

    Raises:
        InputError: On every rank, where one cannot run or runs something else.
    """
    is_checked = not _started_by_others(trainer)
    if is_checked:
        prepare()
        check()  # before processes are started in vain
    ranks = _processes_of(trainer)
    if ranks is None:
        if not is_checked:
            prepare()
            check()
        return None, state()
    try:
        if ranks.local_rank == 0:
            prepare()
            ranks.first_of_node_is_done()
        else:
            ranks.wait_for_first_of_node()
        check()
    except InputError as error:
        raise InputError(ranks.fail(str(error))) from error
    except Exception as error:
        ranks.fail(f"{type(error).__name__}: {error}")
        raise
    return ranks, ranks.agree(state())


def _processes_of(trainer: pl.Trainer) -> Ranks | None:
    """Start the trainer's processes, where it starts them itself, and meet them; None for one.

    Raises:
        InputError: They start from this process's memory (spawn, fork, notebook): each process of
            a command line must start anew.
    """
    started = _number("WORLD_SIZE") if "RANK" in os.environ else None
    if started is not None and started != trainer.world_size:
        raise tell_of_failure(
            InputError(
                f"trainer.devices x trainer.num_nodes is {trainer.world_size}, but {started} "
                "processes were started; make them equal"
            )
        )
    if trainer.world_size == 1:
        return None
    launcher = trainer.strategy.launcher
    environment: Any = getattr(trainer.strategy, "cluster_environment", None)
    if environment is None or not isinstance(launcher, _SubprocessScriptLauncher | None):
        raise InputError("trainer.strategy must be one that starts each process anew, such as ddp")
    if launcher is not None:
        launcher.launch(lambda: None)  # when training starts, Lightning finds them started
    os.environ["MASTER_ADDR"] = environment.main_address
    os.environ["MASTER_PORT"] = str(environment.main_port)
    return Ranks(
        trainer.global_rank, trainer.world_size, trainer.node_rank, environment.local_rank()
    )


def _started_by_others(trainer: pl.Trainer) -> bool:
    """Return whether others started the processes: torchrun, SLURM, or a user by hand."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return environment is not None and environment.creates_processes_externally


def tell_of_failure(error: InputError) -> InputError:
    """Tell the other ranks of an error before this rank has met them.

    Returns:
        The error to end with: this one where this process is alone or cannot reach the others.
    """
    if SLURMEnvironment.detect():
        slurm = SLURMEnvironment()
        rank, world_size = slurm.global_rank(), slurm.world_size()
        os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = (
            slurm.main_address,
            str(slurm.main_port),
        )
    else:
        rank, world_size = _number("RANK"), _number("WORLD_SIZE")
    if rank is None or world_size in (None, 1) or "MASTER_PORT" not in os.environ:
        return error
    return InputError(Ranks(rank, world_size).fail(str(error)))


def _number(variable: str) -> int | None:
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() else None


def _ranks(ranks: list[int]) -> str:
    return f"rank {ranks[0]}" if len(ranks) == 1 else "ranks " + ", ".join(map(str, ranks))


def _quoted(value: Any) -> str:
    words = "not given" if value is None else str(value)
    return words if len(words) <= MAX_VALUE else f"{words[:MAX_VALUE]}..."
