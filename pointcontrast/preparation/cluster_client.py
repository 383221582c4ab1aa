"""The Dask clusters of ``cluster.py``: a local one, or an existing one."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pointcontrast.errors import InputError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

LOCAL_DEATHS = 2
"""Number of workers that a task of a local cluster may kill before Dask gives it up."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_ENVIRONMENT = {
    **dict.fromkeys(_ONE_THREAD, "1"),
    # Dask makes glibc return freed memory immediately (64 KB), so that every decoded image waits
    # for new pages: scenes took twice as long. A worker keeps up to 256 MB instead.
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
}
_CONNECT_SECONDS = 15
_CLOSE_SECONDS = 15


@contextmanager
def local_cluster(num_workers: int, memory_limit: str) -> Iterator[Client]:
    """Start processes on this machine with one thread each, for the duration of the context.

    Args:
        num_workers: Number of processes.
        memory_limit: Memory limit of each process, such as "4GB"; "auto" is the memory of this
            machine divided by ``num_workers``, "0" is no limit. A process that exceeds it is
            killed and started again.

    Raises:
        InputError: ``memory_limit`` is not a size.
    """
    from dask import config
    from distributed import Client, LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": LOCAL_DEATHS - 1,
        # Time to fetch a result from a worker that is dead
        "distributed.comm.timeouts.connect": "10s",
        "distributed.scheduler.worker-saturation": 1.0,  # no scene queues behind a running one
        # Results are small: there is nothing to spill, and a paused worker might stay paused.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
    }
    memory = _worker_memory(memory_limit, num_workers)
    with config.set(settings), _environment_of_workers():
        cluster = LocalCluster(
            n_workers=num_workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory,
            host="127.0.0.1",
            dashboard_address=None,  # pyright: ignore[reportArgumentType] (documented)
            # Without a dashboard there is still an HTTP port; a free one, not 8787.
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
            preload=[__name__],
        )
        client = Client(cluster, set_as_default=False)
        try:
            yield client
            _wait_until_running(cluster, client)
        finally:
            for each in (client, cluster):
                with suppress(Exception):  # a worker may be dying
                    each.close(timeout=_CLOSE_SECONDS)


def _wait_until_running(cluster: LocalCluster, client: Client) -> None:
    """Wait for workers that were restarted: closed while they start, they log errors or hang."""
    from distributed.core import Status

    end = time.monotonic() + _CLOSE_SECONDS
    with suppress(TimeoutError):
        client.wait_for_workers(len(cluster.workers), timeout=_CLOSE_SECONDS)
    while time.monotonic() < end:
        # The scheduler knows a worker before the nanny that started it knows that it runs.
        processes = [nanny.process for nanny in cluster.workers.values()]
        if all(process and process.status == Status.running for process in processes):
            return
        time.sleep(0.02)


def _worker_memory(limit: str, num_workers: int) -> int:
    """Return the bytes for each worker; 0 is no limit."""
    if limit == "auto":
        from distributed.system import MEMORY_LIMIT

        return MEMORY_LIMIT // num_workers
    from dask.utils import parse_bytes

    try:
        num_bytes = parse_bytes(limit)
    except ValueError:
        num_bytes = -1
    if num_bytes < 0:
        raise InputError(f"--memory-limit must be a size such as 4GB, auto or 0; got {limit}")
    return num_bytes


@contextmanager
def existing_cluster(scheduler: str) -> Iterator[Client]:
    """Connect to the scheduler at an address such as ``tcp://host:8786``.

    Raises:
        InputError: No scheduler answers there.
    """
    from distributed import Client

    try:
        # A plain connection first: a Client without a scheduler is slow to give up and to close.
        address = urlsplit(scheduler if "//" in scheduler else f"tcp://{scheduler}")
        socket.create_connection((address.hostname, address.port or 0), _CONNECT_SECONDS).close()
        client = Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers at {scheduler} ({error}); give --scheduler its address, "
            "as tcp://host:8786"
        ) from None
    with client:
        yield client


@contextmanager
def _environment_of_workers() -> Iterator[None]:
    """Set the environment of started processes to one thread, and undo what Dask sets.

    Libraries read these variables when they are loaded. Dask does not override variables that are
    set already, and its own would stay in this process.
    """
    before = dict(os.environ)
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def dask_setup(worker: object) -> None:
    """Make a local worker ignore Ctrl-C, which the terminal sends to all processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
