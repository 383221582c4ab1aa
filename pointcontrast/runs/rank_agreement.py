"""Ranks that were started apart: do all of them run the same thing?

Processes under torchrun, SLURM or started by hand parse their own command line and read their own
disk. Before they train, each tells the others what it is about to do, or why it cannot, through
the key-value store by which a process group is made anyway (``torch.distributed.TCPStore``). So a
rank that differs or fails ends all of them with one message, where collectives would wait.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
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
"""For ranks that are still starting, or whose data is being made: as long as Lightning's own."""
LINGER = 10.0
"""Seconds that rank 0, which may hold the store, waits for others to read what it wrote."""
MAX_VALUE = 80
"""Characters of a value that a message quotes."""
_FAILED = "failed"
_WAITED = "waited for a rank that failed"

Statement = Mapping[str, Any]
"""What a rank runs: a JSON value by key."""


class Ranks:
    """This process among all that train together, and the store that they share."""

    def __init__(self, rank: int, world_size: int, node_rank: int, local_rank: int) -> None:
        """Meet the others; MASTER_ADDR and MASTER_PORT say where.

        Raises:
            InputError: they did not come in time.
        """
        self.rank = rank
        self.world_size = world_size
        self.node_rank = node_rank
        self.local_rank = local_rank
        self._round = 0
        if world_size == 1:
            return
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
            What rank 0 runs: also what ranks may differ in, keys that start with ``_``.

        Raises:
            InputError: on every rank, where one differs or has failed; the message says which,
                and in what.
        """
        if self.world_size == 1:
            return statement
        first, verdict = self._exchange(statement)
        if verdict:
            raise InputError(verdict)
        return first

    def fail(self, reason: str) -> str:
        """Tell the others that this rank cannot run, in place of :meth:`agree`.

        Returns:
            What all ranks are told.
        """
        if self.world_size == 1:
            return reason
        return self._exchange({_FAILED: reason})[1]

    def first_of_node_is_done(self) -> None:
        """Say that what one process does for its node is done (the first one of it only)."""
        if self.world_size > 1:
            self._store.set(f"pointcontrast/node/{self.node_rank}", "done")

    def wait_for_first_of_node(self) -> None:
        """Wait until the first process of this node has done what it does for all of it.

        Raises:
            InputError: a rank has failed meanwhile; give it to :meth:`fail`.
        """
        done = f"pointcontrast/node/{self.node_rank}"
        while self.world_size > 1 and not self._store.check([done]):
            if self._store.check([self._key("any_failed")]):
                raise InputError(_WAITED)
            time.sleep(0.05)

    def _exchange(self, statement: Statement) -> tuple[Statement, str]:
        """Rank 0 reads all statements and writes its own and the verdict, which all then read."""
        store = self._store
        if _FAILED in statement:
            store.set(self._key("any_failed"), "yes")
        store.set(self._key(str(self.rank)), json.dumps(statement, default=str))
        if self.rank == 0:
            statements = [
                json.loads(store.get(self._key(str(rank)))) for rank in range(self.world_size)
            ]
            store.set(self._key("verdict"), json.dumps([statements[0], difference(statements)]))
        first, verdict = json.loads(store.get(self._key("verdict")))
        store.add(self._key("read"), 1)
        deadline = time.monotonic() + LINGER
        while self.rank == 0 and time.monotonic() < deadline:
            if store.add(self._key("read"), 0) == self.world_size:
                break
            time.sleep(0.02)
        self._round += 1
        return first, verdict

    def _key(self, name: str) -> str:
        return f"pointcontrast/agreement/{self._round}/{name}"


def difference(statements: list[Statement]) -> str:
    """Which ranks cannot run or do not run what rank 0 does; empty where all agree."""
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
            theirs, ours = statement.get(key), first.get(key)
            if not key.startswith("_") and theirs != ours:
                return (
                    f"ranks do not run the same: {key} is {_quoted(theirs)} on rank {rank} and "
                    f"{_quoted(ours)} on rank 0; start all with one command and the same data"
                )
    return ""


def prepare_and_agree(
    trainer: pl.Trainer,
    prepare: Callable[[], None],
    check: Callable[[], None],
    state: Callable[[], Statement],
) -> tuple[Ranks, Statement]:
    """Prepare and check this process's part of a run, start the others, and agree with them.

    Args:
        trainer: of the run; it says which processes there are, and may start them itself.
        prepare: what one process does for its node, before the others check.
        check: raises where this process cannot run.
        state: what this process is about to run, once it is checked; see :meth:`Ranks.agree`.

    Returns:
        The ranks (keep them as long as the run: rank 0 may hold the store) and what rank 0 runs.

    Raises:
        InputError: on every rank, where one cannot run or runs something else.
    """
    if not _started_by_others(trainer):
        prepare()
        check()  # before processes are started in vain
    ranks = _processes_of(trainer)
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


def _processes_of(trainer: pl.Trainer) -> Ranks:
    """Start the trainer's processes, where it starts them itself, and meet them.

    Raises:
        InputError: they start from this process's memory (spawn, fork, notebook): a command line
            runs ahead in each of its processes.
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
        return Ranks(0, 1, 0, 0)
    launcher = trainer.strategy.launcher
    environment: Any = getattr(trainer.strategy, "cluster_environment", None)
    if environment is None or not isinstance(launcher, _SubprocessScriptLauncher | None):
        raise InputError("trainer.strategy must be one that starts each process anew, such as ddp")
    if launcher is not None:
        launcher.launch(lambda: None)  # a second time, when training starts, it starts none
    os.environ["MASTER_ADDR"] = environment.main_address
    os.environ["MASTER_PORT"] = str(environment.main_port)
    return Ranks(
        trainer.global_rank, trainer.world_size, trainer.node_rank, environment.local_rank()
    )


def _started_by_others(trainer: pl.Trainer) -> bool:
    """Whether the other processes are there already: under torchrun, SLURM, or started by hand."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return environment is not None and environment.creates_processes_externally


def tell_of_failure(error: InputError) -> InputError:
    """The error of a rank that failed before it could meet the others, told to them.

    Returns:
        The error to end with: this one where this process is alone, or nobody can be told.
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
    return InputError(Ranks(rank, world_size, 0, 0).fail(str(error)))


def _number(variable: str) -> int | None:
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() else None


def _ranks(ranks: list[int]) -> str:
    return f"rank {ranks[0]}" if len(ranks) == 1 else "ranks " + ", ".join(map(str, ranks))


def _quoted(value: Any) -> str:
    words = "not given" if value is None else str(value)
    return words if len(words) <= MAX_VALUE else f"{words[:MAX_VALUE]}..."
