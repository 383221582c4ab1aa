"""A scene that is too large for memory, in overlapping blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError


@dataclass(frozen=True)
class Block:
    """A part of a scene that goes through the network at once.

    Attributes:
        rows: (K,) int64 of the scene's voxels, rising.
        core: (K,) bool: those that the block decides on; the others are its surroundings.
    """

    rows: NDArray[np.int64]
    core: NDArray[np.bool_]


def overlapping_blocks(
    coordinates: NDArray[np.int32], max_voxels: int, overlap: int
) -> Iterator[Block]:
    """Cut a scene into boxes over the ground, each with what lies around it.

    The scene is halved at the median of its longer horizontal axis until each half and its
    surroundings are small enough. Every voxel is in the core of one block and sees at least
    ``overlap`` voxels to each side, as far as the scene goes.

    Args:
        coordinates: (M, 3) voxels x, y, z with z up, or (M, 4) with time, which is not cut.
        max_voxels: the most that a block may hold. A scene with no more is one block.
        overlap: width of the surroundings, voxels.

    Yields:
        The blocks.

    Raises:
        InputError: a block cannot be made so small.
    """
    ground = coordinates[:, :2]
    whole = (np.full(2, np.iinfo(np.int64).min), np.full(2, np.iinfo(np.int64).max))
    boxes = [(*whole, np.arange(len(coordinates)))]
    while boxes:
        low, high, core_rows = boxes.pop()
        inside = _inside(ground, low, high, overlap)
        if len(inside) <= max_voxels:
            yield Block(inside, np.isin(inside, core_rows, assume_unique=True))
            continue
        core = ground[core_rows]
        axis = int(np.argmax(np.ptp(core, axis=0)))
        cut = int(np.median(core[:, axis])) + 1  # at least one voxel stays below
        below = core[:, axis] < cut
        if below.all():
            cut -= 1
            below = core[:, axis] < cut
        if below.all() or not below.any():
            raise InputError(
                f"a part of the scene holds {len(inside)} voxels with {overlap} voxels around it "
                f"and cannot be cut further; raise max_voxels ({max_voxels}) or lower the overlap"
            )
        upper_of_below, lower_of_above = high.copy(), low.copy()
        upper_of_below[axis], lower_of_above[axis] = cut, cut
        boxes.append((lower_of_above, high, core_rows[~below]))
        boxes.append((low, upper_of_below, core_rows[below]))


def _inside(
    ground: NDArray[np.int32], low: NDArray[np.int64], high: NDArray[np.int64], overlap: int
) -> NDArray[np.int64]:
    """Rows of the voxels from ``low`` up to below ``high``, and ``overlap`` around."""
    kept = np.ones(len(ground), dtype=bool)
    limits = np.iinfo(np.int64)
    for axis in range(2):
        if low[axis] != limits.min:
            kept &= ground[:, axis] >= low[axis] - overlap
        if high[axis] != limits.max:
            kept &= ground[:, axis] < high[axis] + overlap
    return np.flatnonzero(kept)
