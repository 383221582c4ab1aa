"""The most memory that processes ever held, and work in a process that holds nothing else."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import ParamSpec, TypeVar

from pointcontrast.errors import RunFailed

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def in_process_of_its_own(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """What ``function`` returns in a fresh interpreter, whose memory is its alone.

    Raises:
        RunFailed: the process was killed.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        try:
            return pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            raise RunFailed(
                "a process that measures was killed; there may be too little memory for it"
            ) from error


def peak_of_process() -> float:
    """Of this process, bytes."""
    status = Path("/proc/self/status")  # of this program alone; getrusage keeps its parent's too
    if status.exists():
        return 1024 * float(status.read_text().split("VmHWM:")[1].split()[0])
    return _bytes(resource.RUSAGE_SELF)


def peak_of_children() -> float:
    """Of the largest process that this one started and that has ended, bytes; 0 for none."""
    return _bytes(resource.RUSAGE_CHILDREN)


def _bytes(who: int) -> float:
    peak = resource.getrusage(who).ru_maxrss
    return float(peak if sys.platform == "darwin" else 1024 * peak)
