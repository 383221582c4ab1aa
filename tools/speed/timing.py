"""Times side by side, and what is said of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from tqdm import tqdm

Figures = dict[str, float | int | str]


def interleaved(
    ours: Callable[[int], object], theirs: Callable[[int], object], count: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds of each call, ours and theirs in turn on items 0..count-1, after a warm-up."""
    ours(0)
    theirs(0)
    times: tuple[list[float], list[float]] = ([], [])
    for index in tqdm([i for _ in range(rounds) for i in range(count)], desc="rounds", unit="pair"):
        for call, taken in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            call(index)
            taken.append(time.perf_counter() - start)
    return times


def spread(name: str, seconds: list[float]) -> Figures:
    """Median and quartiles of some times, in milliseconds."""
    low, middle, high = statistics.quantiles(seconds, n=4)
    return {
        f"{name}_ms_median": round(1e3 * middle, 3),
        f"{name}_ms_quartile_low": round(1e3 * low, 3),
        f"{name}_ms_quartile_high": round(1e3 * high, 3),
    }
