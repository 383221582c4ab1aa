"""Functions for ``pointcontrast.preparation.cluster`` that worker processes can import by name."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from pathlib import Path

from pointcontrast.errors import InputError


def double(number: int) -> int:
    return 2 * number


def describe_process(_: object) -> dict[str, str | int]:
    import threading

    return {
        "pid": os.getpid(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "main": threading.current_thread() is threading.main_thread(),
    }


def misbehave(task: str) -> str:
    """Do what ``task`` says."""
    if task == "bad input":
        raise InputError("frame.png is not an image; export it again")
    if task == "defect":
        raise ZeroDivisionError("it was\nzero")
    if task == "unpicklable":
        raise _LocalError(lambda: None)
    if task == "exit":
        sys.exit(3)
    if task == "full disk":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "big.npy")
    if task == "quota":
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    if task == "unpicklable result":
        return lambda: None  # type: ignore[return-value]
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "eat memory":
        eaten = []
        while True:
            eaten.append(bytearray(os.urandom(1 << 20)) * 16)
            time.sleep(0.002)
    return task


class _LocalError(Exception):
    def __reduce__(self):
        raise TypeError("not to be pickled")


def die_once(marker: Path) -> str:
    """Kill this process at the first call with ``marker``."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def linger(folder: Path) -> None:
    """Note the process, then take a long time."""
    (folder / str(os.getpid())).touch()
    time.sleep(60)


def linger_once(folder: Path) -> None:
    """As :func:`linger`, but for a moment only."""
    (folder / str(os.getpid())).touch()
    time.sleep(3)
