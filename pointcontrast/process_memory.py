"""The most memory that processes ever held."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


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
