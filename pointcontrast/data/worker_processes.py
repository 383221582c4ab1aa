"""Processes that load data: forks of a server that has imported all modules and computes nothing.

A fresh interpreter takes seconds to import PyTorch, and a fork of the training process may
deadlock, because OpenMP and Open3D have started threads in it. So a server
(``multiprocessing.forkserver``) imports once, and every worker of every loader is a fork of it: it
starts at once, and its memory is shared until it is written to. Windows has no fork, and the
libraries of macOS may not survive one: workers start anew there.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1")
"""Signals that terminals and SLURM send to all processes; the run ends its workers itself."""


def worker_context(module: str) -> BaseContext:
    """Return the context in which a loader starts its workers.

    Args:
        module: Module of the dataset. The server imports it and the modules of this project that
            this process has imported (the first call of a process decides).
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    # (not "__main__", which Python 3.11 does not find)
    packages = {__name__.partition(".")[0], module.partition(".")[0]}
    loaded = [name for name in sys.modules if name.partition(".")[0] in packages]
    forkserver.set_forkserver_preload([*loaded, module])
    resource_tracker.ensure_running()  # by itself: it unblocks signals when it starts
    # Blocked in the server, and so in all its forks, from the start; signals that arrive for this
    # process meanwhile are delivered after.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _stop_signals())
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return multiprocessing.get_context("forkserver")


def prepare_worker(_: int) -> None:
    """Initialise a worker: leave signals to the run, and end when the run ends.

    A fork has the signals blocked already; a worker that was started anew has not.
    """
    for number in _stop_signals():
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_run, daemon=True).start()


def _end_with_the_run() -> None:
    """End this process after its run: a killed run tells nobody, and the server waits for forks."""
    run = multiprocessing.parent_process()
    assert run is not None
    run.join()
    os._exit(1)


def _stop_signals() -> set[signal.Signals]:
    return {getattr(signal, name) for name in STOP_SIGNALS if hasattr(signal, name)}
