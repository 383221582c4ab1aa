"""The points of a large file that are read."""

from __future__ import annotations


def kept_rows(num_points: int, max_points: int | None) -> int:
    """The step between the points to keep, so that at most ``max_points`` are kept; 1 keeps all."""
    return 1 if max_points is None else max(1, -(-num_points // max_points))


def thinning_note(step: int, num_points: int) -> tuple[str, ...]:
    """What to say of it, if anything."""
    return (f"one of {step} of its {num_points:,} points is kept",) if step > 1 else ()
