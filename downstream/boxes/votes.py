"""Which boxes a point votes for, where only boxes say what belongs to an object."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from downstream.boxes.geometry import points_in_boxes

NUM_VOTES = 3
"""Boxes that a point may vote for (VoteNet's ``GT_VOTE_FACTOR``)."""


def box_rows(points: ArrayLike, boxes: ArrayLike) -> NDArray[np.int32]:
    """The boxes that each point lies in.

    facebookresearch/votenet ``sunrgbd/sunrgbd_data.py extract_sunrgbd_data``: the first box that
    holds a point fills all three places, the second takes the second place, the third and each
    later one the third.

    Args:
        points: (N, 3) metres.
        boxes: (K, >= 7), in the frame of the points.

    Returns:
        (N, 3) int32 rows of ``boxes``; -1 throughout where a point is in none.
    """
    inside = points_in_boxes(points, boxes)
    rows = np.full((len(inside), NUM_VOTES), -1, np.int32)
    taken = np.zeros(len(inside), np.int64)
    for box in range(inside.shape[1]):
        here = np.flatnonzero(inside[:, box])
        first = here[taken[here] == 0]
        rows[first] = box
        rows[here, np.minimum(taken[here], NUM_VOTES - 1)] = box
        taken[here] += 1
    return rows
