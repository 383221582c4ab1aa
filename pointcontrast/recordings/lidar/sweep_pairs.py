"""Pairs of neighbouring sweeps between which the sensor has moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pointcontrast.recordings.lidar.sweep_surfaces import Surfaces, surfaces_of
from pointcontrast.recordings.sequence import FrameError, PosedSequence
from pointcontrast.types import Sweep

LEAST_MOVE, LEAST_TURN = 0.2, np.deg2rad(2.0)
"""Metres and radians between the sweeps of a pair, where the recording has no larger ones."""
_MOVE, _TURN = 1.0, np.deg2rad(5.0)  # what is looked for
_PAIRS = 10
_POINTS = 400  # per pair
_REACH = 30  # sweeps between the two of a pair, at most


class PosesAndSweeps(Protocol):
    """A recording of sweeps whose poses can be read without the sweeps."""

    def pose(self, index: int) -> NDArray[np.float64]:
        """Return the (4, 4) pose of a sweep, world from sensor; raise FrameError without one."""
        ...


@dataclass(frozen=True, eq=False)
class SweepPair:
    """Two sweeps; planes of the second are looked for among those of the first."""

    first: Surfaces
    second: Surfaces
    first_pose: NDArray[np.float64]
    second_pose: NDArray[np.float64]


def read_pairs(sequence: PosedSequence, source: PosesAndSweeps) -> Iterator[SweepPair]:
    """Read pairs of neighbouring sweeps between which the sensor has moved."""
    count = len(sequence)
    surfaces: dict[int, Surfaces | None] = {}

    def read(index: int) -> Surfaces | None:
        if index not in surfaces:
            try:
                sweep = sequence.read_geometry(index)
                surfaces[index] = (
                    surfaces_of(sweep.cloud.points) if isinstance(sweep, Sweep) else None
                )
            except FrameError:
                surfaces[index] = None
        return surfaces[index]

    for start in np.unique(np.linspace(0, max(0, count - 2), _PAIRS).astype(int)):
        partner = _partner(source, int(start), count)
        if partner is None:
            continue
        first, second = read(int(start)), read(partner)
        if first is not None and second is not None:
            yield SweepPair(
                first, second.sample(_POINTS), source.pose(int(start)), source.pose(partner)
            )


def _partner(source: PosesAndSweeps, start: int, count: int) -> int | None:
    """Return the next sweep after ``start`` from a clearly other place, or the farthest."""
    best: tuple[float, int] | None = None
    try:
        first = source.pose(start)
    except FrameError:
        return None
    for index in range(start + 1, min(count, start + 1 + _REACH)):
        try:
            second = source.pose(index)
        except FrameError:
            continue
        between = np.asarray(np.linalg.solve(first, second))
        move = float(np.linalg.norm(between[:3, 3]))
        turn = angle_of(between)
        if move >= _MOVE or turn >= _TURN:
            return index
        way = max(move / LEAST_MOVE, turn / LEAST_TURN)
        if way >= 1 and (best is None or way > best[0]):
            best = way, index
    return None if best is None else best[1]


def angle_of(transform: NDArray[np.floating[Any]]) -> float:
    """Return the angle of the rotation of a (4, 4) rigid transform, radians."""
    return float(np.arccos(np.clip((np.trace(transform[:3, :3]) - 1) / 2, -1, 1)))
