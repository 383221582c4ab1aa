"""Check of the poses of sweeps: do the surfaces of neighbouring sweeps coincide?

Poses that map the world to the sensor, or those of another frame (KITTI's are the left camera's),
give a scene without any error, in which no surface coincides with itself
(``hengli/camodocal`` issue 101, ``jbehley/point_labeler`` issue 92). Some pairs of neighbouring
sweeps tell. They are put together under the claimed convention and under every other one: both
directions of the poses, and all 24 right-angled turns between the axes of the poses' frame and
those of the sweeps. The claim is refused only where another convention puts on a surface many times
more points that the claim does not than the other way round. That holds for noise, moving objects
and thin overlaps alike, because they weaken all conventions equally. Where no convention fits, the
sweeps are registered without their poses; if they then fit, the poses are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.lidar.sweep_axes import AXES
from pointcontrast.recordings.lidar.sweep_pairs import (
    LEAST_MOVE,
    LEAST_TURN,
    PosesAndSweeps,
    SweepPair,
    angle_of,
    read_pairs,
)
from pointcontrast.recordings.lidar.sweep_registration import register
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.sequence import PosedSequence

_TIMES_MORE = 3.0  # points won over points lost, for another convention to be the right one
_CLEARLY_MORE = 0.05  # of all points
_DISTINCT = 0.03  # of two conventions
_REGISTERED = 5  # pairs that are registered without their poses
_FITS = 0.5  # share of the points on a surface after that
_RIGHT = 0.3  # share of the points on a surface, for a convention to be the right one


@dataclass(frozen=True, eq=False)
class _Reading:
    """A convention of the poses relative to the claimed one.

    Attributes:
        inverse: Whether the poses map the other way.
        axes: (3, 3) turn from the axes of the sweeps to those of the poses' frame.
        transposed: Whether the rotations are stored by columns.
    """

    inverse: bool
    axes: NDArray[np.float64]
    transposed: bool = False

    def first_from_second(self, pair: SweepPair) -> NDArray[np.float64]:
        """Return the (4, 4) transform between the sensors under this convention."""
        first, second = pair.first_pose, pair.second_pose
        if self.transposed:
            first, second = _with_transposed(first), _with_transposed(second)
        moved = np.asarray(
            first @ np.linalg.inv(second) if self.inverse else np.linalg.solve(first, second)
        )
        turn = np.eye(4)
        turn[:3, :3] = self.axes
        return turn.T @ moved @ turn


def check_sweeps(
    sequence: PosedSequence,
    source: PosesAndSweeps,
    options: RecordingOptions | None = None,
    *,
    own_axes: str | None = None,
) -> float | None:
    """Check that neighbouring sweeps of a recording fit together as it is read.

    Args:
        sequence: Recording; about twenty sweeps are read.
        source: The poses of the same recording.
        options: What the user states about it.
        own_axes: What to do where the poses are those of a frame with other axes, for a layout
            that states the axes itself; None where an option may state them.

    Returns:
        Share of the points that lie on a surface of the neighbouring sweep, 0..1, or None where the
        sensor stands still or the sweeps show too little to tell.

    Raises:
        InputError: The sweeps fit together under another convention, which is named with the
            option that states it, or at places that no convention gives.
    """
    pairs = list(read_pairs(sequence, source))
    if not pairs:
        return None
    claim, others = _readings()
    held = _held(pairs, claim)
    best: tuple[float, _Reading] | None = None
    for reading in others:
        other = _held(pairs, reading)
        support = _share(other)
        if support < _RIGHT or not _is_better(other, held):
            continue
        if best is None or support > best[0] + _DISTINCT:  # of equal ones, the most common
            best = support, reading
    if best is not None:
        raise InputError(
            f"{sequence.folder}: its sweeps do not fit together as they are read: "
            f"{_share(held):.0%} of the points lie on a surface of the next sweep; {best[0]:.0%} "
            f"do with {_described(best[1], options or RecordingOptions(), own_axes)}"
        )
    if _share(held) < _RIGHT:
        _refuse_if_they_fit_elsewhere(sequence, pairs, held)
    return _share(held)


def _refuse_if_they_fit_elsewhere(
    sequence: PosedSequence, pairs: Sequence[SweepPair], held: Sequence[NDArray[np.bool_]]
) -> None:
    """Refuse a recording whose sweeps fit together at places that no convention gives."""
    moves: list[float] = []
    turns: list[float] = []
    supports: list[float] = []
    for pair, claimed in list(zip(pairs, held, strict=True))[:_REGISTERED]:
        claim = np.asarray(np.linalg.solve(pair.first_pose, pair.second_pose))
        motion = register(pair.first, pair.second, np.eye(4))
        support = float(pair.first.hold(pair.second, motion).mean())
        if support < _FITS or support < claimed.mean() + _FITS / 2:
            continue
        between = np.asarray(np.linalg.solve(motion, claim))
        moves.append(float(np.linalg.norm(between[:3, 3])))
        turns.append(angle_of(between))
        supports.append(support)
    if len(moves) < max(3, 0.7 * min(_REGISTERED, len(pairs))):
        return
    if np.median(moves) > 2 * LEAST_MOVE or np.median(turns) > 2 * LEAST_TURN:
        raise InputError(
            f"{sequence.folder}: its sweeps do not fit together at their poses, by any convention: "
            f"{_share(held):.0%} of the points lie on a surface of the next sweep, and "
            f"{np.median(supports):.0%} do where it is moved by {np.median(moves):.2g} m and "
            f"{np.rad2deg(np.median(turns)):.2g} degrees; are these the poses of these sweeps, in "
            "order and in metres? Or pass --no-self-check"
        )


def _readings() -> tuple[_Reading, list[_Reading]]:
    """Return the claimed convention and all others."""
    known = [np.eye(3), *(axes[:3, :3] for axes in AXES.values())]
    known += [axes.T for axes in known[1:]]  # LiDAR poses taken for a camera's
    rest = [t for t in _right_angled_turns() if not any(np.array_equal(t, k) for k in known)]
    common = [_Reading(inverse, turn) for turn in known for inverse in (False, True)]
    common.insert(2, _Reading(inverse=False, axes=np.eye(3), transposed=True))
    return common[0], [*common[1:], *(_Reading(i, turn) for turn in rest for i in (False, True))]


def _right_angled_turns() -> Iterator[NDArray[np.float64]]:
    """Yield the 24 rotations that take coordinate axes to coordinate axes."""
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        turn = np.zeros((3, 3))
        turn[np.arange(3), order] = signs
        if np.linalg.det(turn) > 0:
            yield turn


def _held(pairs: Sequence[SweepPair], reading: _Reading) -> list[NDArray[np.bool_]]:
    return [pair.first.hold(pair.second, reading.first_from_second(pair)) for pair in pairs]


def _share(held: Sequence[NDArray[np.bool_]]) -> float:
    return float(np.concatenate(held).mean())


def _is_better(other: Sequence[NDArray[np.bool_]], claim: Sequence[NDArray[np.bool_]]) -> bool:
    """Whether another convention holds many more points that the claim does not than vice versa."""
    won = np.array([np.count_nonzero(o & ~c) for o, c in zip(other, claim, strict=True)])
    lost = np.array([np.count_nonzero(c & ~o) for o, c in zip(other, claim, strict=True)])
    total = sum(map(len, claim))
    clearly = won.sum() > _TIMES_MORE * lost.sum() and won.sum() - lost.sum() > max(
        20, _CLEARLY_MORE * total
    )
    apart = (won + lost) > 0
    return bool(clearly and (won > lost)[apart].mean() > 0.7)


def _described(reading: _Reading, options: RecordingOptions, own_axes: str | None) -> str:
    """Describe a convention and the options that state it, given those that are stated already."""
    if reading.transposed:
        return (
            "the rotations transposed (stored by columns): write the poses by rows, or pass "
            "--no-self-check"
        )
    words, fixes = [], []
    if reading.inverse:
        words.append("the poses inverted")
        fixes.append(
            "leave --poses inverse out" if options.poses == "inverse" else "--poses inverse"
        )
    if not np.array_equal(reading.axes, np.eye(3)):
        stated = np.eye(3) if options.axes is None else AXES[options.axes][:3, :3]
        name = next(
            (n for n, a in AXES.items() if np.array_equal(a[:3, :3], stated @ reading.axes)), None
        )
        if name is not None:
            words.append(f"poses of a frame with the axes of {name}, as a camera's")
            fixes.append(own_axes or f"--axes {name}")
        elif np.array_equal(reading.axes @ stated, np.eye(3)) and options.axes is not None:
            words.append("the axes of the sweeps")
            fixes.append("leave --axes out")
        else:
            words.append(f"poses of a frame whose x, y, z are the sweep's {_axis_names(reading)}")
            fixes.append(own_axes or "write the poses of the sensor itself")
    options_only = [fix for fix in fixes if fix.startswith("--")]
    rest = [fix for fix in fixes if not fix.startswith("--")]
    fix = "; ".join([*([f"pass {' '.join(options_only)}"] if options_only else []), *rest])
    return f"{' and '.join(words)}: {fix}, or pass --no-self-check"


def _axis_names(reading: _Reading) -> str:
    names = []
    for row in reading.axes:
        axis = int(np.argmax(np.abs(row)))
        names.append(("" if row[axis] > 0 else "-") + "xyz"[axis])
    return ", ".join(names)


def _with_transposed(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    changed = pose.copy()
    changed[:3, :3] = pose[:3, :3].T
    return changed
