"""The most memory that processes ever held."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def in_process_of_its_own(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """What ``function`` returns in a fresh interpreter, whose memory is its alone.

    Raises:
        BrokenProcessPool: the process was killed, for want of memory say.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        return pool.submit(function, *args, **kwargs).result()


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
