"""Times of alternatives, measured in turn, and their figures."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from itertools import pairwise

from tqdm import tqdm

from pointcontrast.errors import InputError

Figures = dict[str, float | int | str]
Times = dict[str, list[float]]
"""Seconds of each round, by name."""


def require_rounds(name: str, rounds: int) -> None:
    """Refuse fewer than two rounds.

    Raises:
        InputError: There are too few for medians and quartiles.
    """
    if rounds < 2:
        raise InputError(f"--{name} {rounds} must be 2 or more, for medians and quartiles")


def repeated(measure: Callable[[], Mapping[str, float]], rounds: int, title: str) -> Times:
    """What ``measure`` returns in each round, after one that is not counted."""
    times: Times = {}
    for index in tqdm(range(rounds + 1), desc=title, unit="round"):
        for name, seconds in measure().items():
            taken = times.setdefault(name, [])
            if index:
                taken.append(seconds)
    return times


def seconds_of(call: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def parts_between(marks: list[float]) -> list[float]:
    """Seconds between consecutive readings of ``time.perf_counter``."""
    return [end - start for start, end in pairwise(marks)]


def interleaved(
    ours: Callable[[int], object], reference: Callable[[int], object], count: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds of each call, both in turn on items 0..count-1, after a warm-up."""
    ours(0)
    reference(0)
    times: tuple[list[float], list[float]] = ([], [])
    for index in tqdm([i for _ in range(rounds) for i in range(count)], desc="rounds", unit="call"):
        for call, taken in zip((ours, reference), times, strict=True):
            start = time.perf_counter()
            call(index)
            taken.append(time.perf_counter() - start)
    return times


def spread(name: str, seconds: list[float]) -> Figures:
    """Median and quartiles of times, in milliseconds."""
    low, middle, high = statistics.quantiles(seconds, n=4)
    return {
        f"{name}_ms_median": round(1e3 * middle, 3),
        f"{name}_ms_quartile_low": round(1e3 * low, 3),
        f"{name}_ms_quartile_high": round(1e3 * high, 3),
    }


def ratios(name: str, above: list[float], below: list[float], digits: int = 2) -> Figures:
    """Median and quartiles of the ratios of times that were measured next to each other."""
    low, middle, high = statistics.quantiles(
        (a / b for a, b in zip(above, below, strict=True)), n=4
    )
    return {
        name: round(middle, digits),
        f"{name}_quartile_low": round(low, digits),
        f"{name}_quartile_high": round(high, digits),
    }
