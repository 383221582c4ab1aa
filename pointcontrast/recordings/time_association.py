"""Association of recorded data by time: which depth image belongs to which colour image or pose.

Sensors of one recording run on their own clocks. The tool of TUM's RGB-D benchmark (associate.py)
pairs the entries of two lists whose times differ by at most 0.02 s, the closest pairs first and
each entry once; :func:`associate` does the same with ``one_to_one``. :func:`poses_at` also
interpolates, which that tool does not: between the 100 poses per second of a motion capture system,
a camera that turns by 60 degrees per second moves by 0.6 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.geometry import rotation_about

MAX_GAP = 0.02
"""Largest difference of two associated times, seconds: that of the TUM benchmark's tool."""
_MAX_TURN = 1.5  # radians between two poses in time: beyond it the way between them is uncertain


@dataclass(frozen=True, eq=False)
class Association:
    """Pairs of entries of two lists of times. M pairs, sorted by the time of the first.

    Attributes:
        first: (M,) int64 rows of the first list.
        second: (M,) int64 rows of the second list.
        gaps: (M,) float64, time of the second minus time of the first, seconds.
        num_left_out: Number of entries of the first list without a partner.
        nearest_left_out: Smallest distance in time of those to any entry of the second list,
            seconds: what ``max_gap`` would have to be for one more. Infinite if there is none.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    gaps: NDArray[np.float64]
    num_left_out: int
    nearest_left_out: float

    @property
    def worst_gap(self) -> float:
        """Largest distance in time within a pair, seconds; 0 without pairs."""
        return float(np.abs(self.gaps).max(initial=0.0))


def associate(
    first: ArrayLike, second: ArrayLike, max_gap: float = MAX_GAP, *, one_to_one: bool = True
) -> Association:
    """Pair the entries of two lists by their times.

    Times need not be sorted. Of equal times, the earlier entry of the list is taken first.

    Args:
        first: (N,) finite times, seconds.
        second: (K,) finite times, seconds.
        max_gap: Largest difference of the times of a pair, seconds.
        one_to_one: Whether an entry of ``second`` has at most one partner: the closest pairs are
            made first. Otherwise each entry of ``first`` takes the nearest of ``second``.

    Raises:
        ValueError: A time is not finite.
    """
    first, second = _times(first), _times(second)
    nearest, distance = _nearest(first, second)
    if one_to_one:
        rows, others = _closest_first(first, second, max_gap)
    else:
        rows = np.flatnonzero(distance <= max_gap)
        others = nearest[rows]
    order = np.argsort(first[rows], kind="stable")
    rows, others = rows[order], others[order]
    left_out = np.ones(len(first), bool)
    left_out[rows] = False
    return Association(
        first=rows,
        second=others,
        gaps=second[others] - first[rows],
        num_left_out=int(left_out.sum()),
        nearest_left_out=float(distance[left_out].min(initial=np.inf)),
    )


@dataclass(frozen=True, eq=False)
class PosesAtTimes:
    """Poses of N times.

    Attributes:
        poses: (N, 4, 4) float64 rigid transforms; NaN where ``found`` is False.
        found: (N,) bool, whether there is a pose.
        gaps: (N,) float64, distance in time to the nearest of the given poses, seconds, also where
            none is taken.
        interpolated: (N,) bool, whether the pose lies between two of the given poses.
    """

    poses: NDArray[np.float64]
    found: NDArray[np.bool_]
    gaps: NDArray[np.float64]
    interpolated: NDArray[np.bool_]

    @property
    def num_left_out(self) -> int:
        """Number of times without a pose."""
        return int((~self.found).sum())

    @property
    def worst_gap(self) -> float:
        """Largest distance in time to the nearest pose among the poses that are taken, seconds."""
        return float(self.gaps[self.found].max(initial=0.0))


def poses_at(
    times: ArrayLike,
    pose_times: ArrayLike,
    poses: NDArray[np.float64],
    max_gap: float = MAX_GAP,
    *,
    interpolate_within: float = 0.0,
) -> PosesAtTimes:
    """Return the poses at given times.

    A time that lies between two poses not farther than ``interpolate_within`` apart is
    interpolated: the translation linearly, the rotation at constant angular speed (slerp). Any
    other takes the nearest pose if that is at most ``max_gap`` away, and else has none. A pose of
    exactly the time is returned as it is, to the bit.

    Args:
        times: (N,) finite times, seconds, in any order.
        pose_times: (K,) finite times of the poses, seconds, in any order. Of equal times the first
            pose counts.
        poses: (K, 4, 4) float64 rigid transforms.
        max_gap: Largest distance in time to the nearest pose where there is no interpolation,
            seconds.
        interpolate_within: Longest time between two poses across which to interpolate, seconds; 0
            always takes the nearest pose.

    Raises:
        ValueError: A time is not finite.
    """
    times, pose_times = _times(times), _times(pose_times)
    known, rows = np.unique(pose_times, return_index=True)  # sorted, the first of equal times
    nearest, gaps = _nearest(times, pose_times)
    found = gaps <= max_gap
    result = np.full((len(times), 4, 4), np.nan)
    result[found] = poses[nearest[found]]
    interpolated = np.zeros(len(times), bool)
    if len(known) > 1 and interpolate_within > 0:
        after = np.clip(np.searchsorted(known, times), 1, len(known) - 1)
        start, end = known[after - 1], known[after]
        between = (start < times) & (times < end) & (end - start <= interpolate_within)
        for row in np.flatnonzero(between):
            share = (times[row] - start[row]) / (end[row] - start[row])
            pose = interpolate_pose(poses[rows[after[row] - 1]], poses[rows[after[row]]], share)
            if pose is not None:
                result[row] = pose
                interpolated[row] = found[row] = True
    return PosesAtTimes(result, found, gaps, interpolated)


def interpolate_pose(
    start: NDArray[np.float64], end: NDArray[np.float64], share: float
) -> NDArray[np.float64] | None:
    """Return the pose at ``share`` (0..1) of the way between two poses.

    Args:
        start: (4, 4) rigid transform.
        end: (4, 4) rigid transform.
        share: Share of the way: 0 at ``start``, 1 at ``end``.

    Returns:
        (4, 4) float64: the translation on the straight line, the rotation about the one axis that
        takes ``start`` to ``end`` (slerp). None if the rotations differ by more than 86 degrees.
    """
    turn = start[:3, :3].T @ end[:3, :3]
    # The antisymmetric part of a rotation by a is the axis times sin(a); the trace is 1 + 2 cos(a).
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    sine = float(np.linalg.norm(axis))
    angle = float(np.arctan2(sine, (np.trace(turn) - 1) / 2))
    if angle > _MAX_TURN:
        return None
    pose = start + share * (end - start)
    turned = rotation_about(axis, share * angle) if sine > 0 else np.eye(3)
    pose[:3, :3] = start[:3, :3] @ turned
    return pose


def _times(times: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(times, dtype=np.float64).reshape(-1)
    if not np.isfinite(array).all():
        raise ValueError("a time is not finite")
    return array


def _nearest(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the row of ``second`` nearest to each time, the earlier of two, and its distance."""
    if not len(second):
        return np.zeros(len(first), np.int64), np.full(len(first), np.inf)
    known, rows = np.unique(second, return_index=True)
    after = np.clip(np.searchsorted(known, first), 1, max(1, len(known) - 1))
    before = after - 1
    after = np.minimum(after, len(known) - 1)
    is_after = np.abs(known[after] - first) < np.abs(known[before] - first)
    nearest = rows[np.where(is_after, after, before)]
    return nearest, np.abs(second[nearest] - first)


def _closest_first(
    first: NDArray[np.float64], second: NDArray[np.float64], max_gap: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair one to one, the closest pairs first."""
    order = np.argsort(second, kind="stable")
    low = np.searchsorted(second[order], first - max_gap * (1 + 1e-9))
    high = np.searchsorted(second[order], first + max_gap * (1 + 1e-9), side="right")
    rows = np.repeat(np.arange(len(first)), high - low)
    starts = np.repeat(low - np.concatenate([[0], np.cumsum(high - low)[:-1]]), high - low)
    others = order[np.arange(len(rows)) + starts] if len(rows) else np.empty(0, np.int64)
    gaps = np.abs(second[others] - first[rows])
    taken = gaps <= max_gap
    rows, others, gaps = rows[taken], others[taken], gaps[taken]
    free_first, free_second = np.ones(len(first), bool), np.ones(len(second), bool)
    pairs: list[tuple[int, int]] = []
    for k in np.lexsort((others, rows, gaps)):
        row, other = int(rows[k]), int(others[k])
        if free_first[row] and free_second[other]:
            free_first[row] = free_second[other] = False
            pairs.append((row, other))
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]
