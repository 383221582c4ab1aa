"""Peak memory of processes, and work in a process that holds nothing else."""

from __future__ import annotations

import math
import multiprocessing
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
    """Run ``function`` in a fresh interpreter, so that its peak memory is its own.

    Returns:
        The result of the function, pickled back.

    Raises:
        RunFailed: The process was killed.
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
    """Return the peak memory of this process, bytes; NaN where the system does not tell."""
    status = Path("/proc/self/status")  # of this program alone; getrusage keeps its parent's too
    if status.exists():
        return 1024 * float(status.read_text().split("VmHWM:")[1].split()[0])
    return _peak("RUSAGE_SELF")


def peak_of_children() -> float:
    """Return the peak memory of the largest child process that has ended, bytes.

    0 if no child has ended, NaN where the system does not tell.
    """
    return _peak("RUSAGE_CHILDREN")


def _peak(who: str) -> float:
    try:
        import resource  # absent on Windows
    except ImportError:
        return math.nan
    peak = resource.getrusage(getattr(resource, who)).ru_maxrss
    return float(peak if sys.platform == "darwin" else 1024 * peak)
