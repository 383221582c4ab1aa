"""Work on many scenes at once: one task a scene, on Dask.

With one worker everything happens in this process and Dask is not imported. With more, a local
cluster of processes is started for the time of the run; or the scenes go to the scheduler of a
cluster that exists (``docs/cluster.md``), which must see the same files under the same paths.

What comes back is the same whatever the number of workers, except for the order.
"""

from __future__ import annotations

import errno
import logging
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from pointcontrast.errors import InputError
from pointcontrast.preparation.cluster_client import existing_cluster, local_cluster

if TYPE_CHECKING:
    from distributed import Client, Future

Task = TypeVar("Task")
Result = TypeVar("Result")

_LOG = logging.getLogger(__name__)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class SceneFailure:
    """Why a scene has no result.

    Attributes:
        reason: one line.
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
    """Call a function for each scene; one that fails does not stop the others.

    A scene whose worker dies is given to another. One whose workers die again and again (it needs
    more memory than there is, say) is tried once more when all others are done, alone, because
    a bystander on the same worker would look the same; then it is a failure.

    Dask may give a scene to a second worker while a first that it lost sight of is still at it:
    ``function`` must bear that (write to a temporary name, then rename).

    Args:
        function: what to do; picklable by name, as is what it takes and gives.
        tasks: scene -> the argument.
        num_workers: processes on this machine, each with one thread.
        scheduler: address of an existing Dask scheduler to use instead.
        memory_limit: of each local process
            (:func:`~pointcontrast.preparation.cluster_client.local_cluster`). With anything but
            "auto" one worker is a process of its own too.

    Yields:
        Scene and result, or :class:`SceneFailure`, in the order in which they are done.

    Raises:
        InputError: wrong settings, or the scheduler does not answer (any more).
        OSError: a disk is full; no further scene is begun.
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
    """Whether :func:`run_scenes` works in this very process with these settings."""
    if num_workers < 1:
        raise InputError(f"--num-workers must be at least 1; got {num_workers}")
    return scheduler is None and num_workers == 1 and memory_limit == "auto"


def default_num_workers(num_scenes: int) -> int:
    """As many as this machine (or the container, or the job on it) has cores, or scenes."""
    from dask.system import CPU_COUNT

    return max(1, min(CPU_COUNT, num_scenes))


@dataclass(frozen=True)
class _Attempt(Generic[Result]):
    """What came of one call: exceptions travel as text, for not every one can be pickled."""

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
        if isinstance(error, OSError) and error.errno in _DISK_FULL:
            return _Attempt(disk_full=(errno.ENOSPC, error.strerror, error.filename))
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
    """Results and failures as they come, and KilledWorker where workers died."""
    from distributed import as_completed

    run = f"scene_{uuid4().hex}"  # results of another run may still be on the scheduler
    names = {(run, number): name for number, name in enumerate(tasks)}
    # One map, not many submits: the scheduler then hands out tasks as workers become free, and
    # a worker that dies has only the one or two with it that are marked as suspicious.
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
            with suppress(Exception):  # the scheduler may be what was lost
                client.cancel(list(waiting), force=True)


def _outcome(name: str, future: Future) -> Any:
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        attempt = future.result()  # made again first where it was lost with its worker
    except KilledWorker as error:
        return error
    except (CancelledError, CommClosedError):
        raise InputError(
            "the Dask scheduler was lost or restarted; run the same command again: what is "
            "finished is kept"
        ) from None
    except Exception as error:  # what _attempt cannot catch: it was not found or not unpickled
        return SceneFailure(_one_line(error))
    return _unwrap(name, attempt)


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
