"""Parallel work on many scenes with Dask, one task per scene.

With one worker, everything runs in this process and Dask is not imported. With more, a local
cluster of processes is started for the duration of the run, or the scenes are sent to the scheduler
of an existing cluster (``docs/cluster.md``), which must see the same files under the same paths.

The results do not depend on the number of workers, except for their order.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from pointcontrast.errors import NO_ROOM, InputError, file_problem
from pointcontrast.preparation.cluster_client import existing_cluster, local_cluster

if TYPE_CHECKING:
    from distributed import Client, Future

Task = TypeVar("Task")
Result = TypeVar("Result")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SceneFailure:
    """The reason why a scene has no result.

    Attributes:
        reason: Reason in one line.
    """

    reason: str


def run_scenes(
    function: Callable[[Task], Result],
    tasks: Mapping[str, Task],
    *,
    num_workers: int = 1,
    scheduler: str | None = None,
    memory_limit: str = "auto",
) -> Generator[tuple[str, Result | SceneFailure], None, None]:
    """Call a function for each scene; a scene that fails does not stop the others.

    A scene whose worker dies is given to another worker. If its workers die repeatedly (it may need
    too much memory), it is tried once more, alone, after all others: another scene on the same
    worker would have looked the same. Then it counts as a failure.

    Dask may give a scene to a second worker while the first, whose connection was lost, still works
    on it. ``function`` must tolerate that: write to a temporary name, then rename.

    Args:
        function: Function to call; it, its argument and its result must be picklable.
        tasks: Scene -> argument of the function.
        num_workers: Number of processes on this machine, with one thread each.
        scheduler: Address of an existing Dask scheduler to use instead.
        memory_limit: Memory limit of each local process
            (:func:`~pointcontrast.preparation.cluster_client.local_cluster`). With any value but
            "auto", a single worker runs in a process of its own, too.

    Yields:
        Scene and result, or :class:`SceneFailure`, in the order of completion.

    Raises:
        InputError: Wrong settings, or the scheduler does not answer.
        OSError: A disk is full; no further scene is started.
    """
    if stays_here(num_workers, scheduler, memory_limit):
        for name, task in tasks.items():
            yield name, _unwrap(name, _attempt(function, task))
    elif tasks:
        cluster = (
            local_cluster(num_workers, memory_limit)
            if scheduler is None
            else existing_cluster(scheduler)
        )
        with cluster as client:
            yield from _run_on(client, function, tasks)


def stays_here(num_workers: int, scheduler: str | None, memory_limit: str = "auto") -> bool:
    """Return whether :func:`run_scenes` works in the calling process with these settings."""
    if num_workers < 1:
        raise InputError(f"--num-workers must be at least 1; got {num_workers}")
    return scheduler is None and num_workers == 1 and memory_limit == "auto"


def default_num_workers(num_scenes: int) -> int:
    """Return the number of cores of this machine, container or job, at most one per scene."""
    from dask.system import CPU_COUNT

    return max(1, min(CPU_COUNT, num_scenes))


@dataclass(frozen=True)
class _Attempt(Generic[Result]):
    """Result of one call; exceptions are sent as text, because not all can be pickled."""

    result: Result | None = None
    reason: str | None = None
    trace: str | None = None
    disk_full: tuple[Any, ...] | None = None


def _attempt(function: Callable[[Task], Result], task: Task) -> _Attempt[Result]:
    try:
        return _Attempt(result=function(task))
    except InputError as error:
        return _Attempt(reason=str(error))
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return _Attempt(disk_full=(error.errno, error.strerror, error.filename))
        if isinstance(error, OSError) and error.filename is not None:
            return _Attempt(reason=file_problem(error))
        return _Attempt(reason=_one_line(error), trace=traceback.format_exc())


def _unwrap(name: str, attempt: _Attempt[Result]) -> Result | SceneFailure:
    if attempt.disk_full:
        raise OSError(*attempt.disk_full)
    if attempt.trace:
        _LOG.error("%s failed unexpectedly:\n%s", name, attempt.trace)
    if attempt.reason is not None:
        return SceneFailure(attempt.reason)
    return attempt.result  # pyright: ignore[reportReturnType] (None only where Result is)


def _run_on(
    client: Client, function: Callable[[Task], Result], tasks: Mapping[str, Task]
) -> Iterator[tuple[str, Result | SceneFailure]]:
    from distributed import KilledWorker

    deaths: dict[str, int] = {}
    for name, outcome in _submit(client, function, tasks):
        if isinstance(outcome, KilledWorker):
            deaths[name] = outcome.allowed_failures + 1
        else:
            yield name, outcome
    for name in sorted(deaths):
        for _, outcome in _submit(client, function, {name: tasks[name]}):
            if isinstance(outcome, KilledWorker):
                num_deaths = deaths[name] + outcome.allowed_failures + 1
                outcome = SceneFailure(
                    f"its worker died {num_deaths} times, most likely out of memory: raise "
                    "--memory-limit (with fewer --num-workers)"
                )
            yield name, outcome


def _submit(
    client: Client, function: Callable[[Task], Result], tasks: Mapping[str, Task]
) -> Iterator[tuple[str, Any]]:
    """Yield results and failures as they arrive, and KilledWorker if workers died."""
    from distributed import as_completed

    run = f"scene_{uuid4().hex}"  # results of another run may still be on the scheduler
    names = {(run, number): name for number, name in enumerate(tasks)}
    # One map, not many submits: the scheduler then assigns tasks as workers become free, and only
    # the one or two tasks of a worker that dies are marked as suspicious.
    futures = client.map(
        partial(_attempt, function), list(tasks.values()), key=list(names), pure=False
    )
    waiting = set(futures)
    del futures  # only ``waiting`` keeps results on the cluster
    try:
        for future in as_completed(list(waiting), loop=client.loop):
            waiting.discard(future)
            name = names[future.key]  # pyright: ignore[reportArgumentType]
            yield name, _outcome(name, future)
    finally:
        if waiting:
            with suppress(Exception):  # the scheduler itself may be lost
                client.cancel(list(waiting), force=True)


def _outcome(name: str, future: Future) -> Any:
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        attempt = future.result()  # computed again if it was lost with its worker
    except KilledWorker as error:
        return error
    except (CancelledError, CommClosedError):
        raise InputError(
            "the Dask scheduler was lost or restarted; run the same command again: finished "
            "scenes are kept"
        ) from None
    except Exception as error:  # not caught by _attempt: not found, or not unpickled
        return SceneFailure(_one_line(error))
    return _unwrap(name, attempt)


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
