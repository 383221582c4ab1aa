"""A scene that is too large for memory, in overlapping blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError

_MOST_VIEWS = 20
"""Times that the network may see a voxel on average. Surroundings that all but fill a block leave
cores of a few voxels each: hours of work that look like a standstill."""


@dataclass(frozen=True)
class Block:
    """A part of a scene that goes through the network at once.

    Attributes:
        rows: (K,) int64 of the scene's voxels, rising.
        core: (K,) bool: those that the block decides on; the others are its surroundings.
    """

    rows: NDArray[np.int64]
    core: NDArray[np.bool_]


@dataclass(frozen=True)
class _Box:
    """A core over the ground: ``low`` (2,) to below ``high`` (2,), and what lies in and around."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    rows: NDArray[np.int64]


def overlapping_blocks(
    coordinates: NDArray[np.int32], max_voxels: int, overlap: int
) -> list[Block]:
    """Cut a scene into boxes over the ground, each with what lies around it.

    The scene is halved at the median of its longer horizontal axis until each half and its
    surroundings are small enough. Every voxel is in the core of one block, whose prediction is
    the one to take, and sees there all voxels that are at most ``overlap`` away along x and y.

    Args:
        coordinates: (M, 3) voxels x, y, z with z up, or (M, 4) with time; neither z nor time is
            cut.
        max_voxels: the most that a block may hold. A scene with no more is one block.
        overlap: width of the surroundings, voxels.

    Returns:
        The blocks, all of them before the network sees the first: what cannot be cut is said at
        once.

    Raises:
        InputError: a block cannot be made so small, the surroundings are so wide that there
            would be ``_MOST_VIEWS`` times as much to compute, or a value is out of range.
    """
    if max_voxels < 1 or overlap < 0:
        raise InputError(f"max_voxels {max_voxels} must be 1 or more, overlap {overlap} 0 or more")
    everything = np.arange(len(coordinates))
    if len(coordinates) <= max_voxels:
        return [Block(everything, np.ones(len(coordinates), dtype=bool))]
    ground = np.ascontiguousarray(coordinates[:, :2].T)  # (2, M)
    boxes = [_Box(*_limits(ground), everything)]
    blocks: list[Block] = []
    num_seen = 0
    while boxes:
        box = boxes.pop()
        core = _inside(ground[:, box.rows], box.low, box.high)
        if len(box.rows) > max_voxels:
            boxes += _halves(ground, box, core, max_voxels, overlap)
            continue
        blocks.append(Block(box.rows, core))
        num_seen += len(box.rows)
        if num_seen > _MOST_VIEWS * len(coordinates):
            raise InputError(
                f"with {overlap} voxels around each block of at most {max_voxels}, the scene "
                f"would be computed more than {_MOST_VIEWS} times; raise max_voxels or lower the "
                "overlap"
            )
    return blocks


def _halves(
    ground: NDArray[np.int32], box: _Box, core: NDArray[np.bool_], max_voxels: int, overlap: int
) -> tuple[_Box, _Box]:
    """Cut a box where half of its core lies on either side; the lower half last, to be next."""
    around = ground[:, box.rows]
    low, high = _limits(around[:, core])
    axis = int(np.argmax(high - low))
    if high[axis] - low[axis] == 1:
        raise InputError(
            f"a part of the scene holds {len(box.rows)} voxels with {overlap} voxels around it and "
            f"cannot be cut further; raise max_voxels ({max_voxels}) or lower the overlap"
        )
    median = np.median(around[axis, core])
    cut = max(int(np.ceil(median)), int(low[axis]) + 1)  # never an empty half
    high_of_lower, low_of_upper = box.high.copy(), box.low.copy()
    high_of_lower[axis] = low_of_upper[axis] = cut
    lower = box.rows[_inside(around, box.low - overlap, high_of_lower + overlap)]
    upper = box.rows[_inside(around, low_of_upper - overlap, box.high + overlap)]
    return _Box(low_of_upper, box.high, upper), _Box(box.low, high_of_lower, lower)


def _limits(ground: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The smallest of (2, K) and one more than the largest, both (2,)."""
    return ground.min(axis=1).astype(np.int64), ground.max(axis=1).astype(np.int64) + 1


def _inside(
    ground: NDArray[np.int32], low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of (2, K) are from ``low`` up to below ``high``."""
    x, y = ground
    return (x >= low[0]) & (x < high[0]) & (y >= low[1]) & (y < high[1])
