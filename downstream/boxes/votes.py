"""Boxes that points vote for, if only boxes say which points belong to an object."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from downstream.boxes.geometry import points_in_boxes

NUM_VOTES = 3
"""Maximum number of boxes per point (``GT_VOTE_FACTOR`` of VoteNet)."""


def box_rows(points: ArrayLike, boxes: ArrayLike) -> NDArray[np.int32]:
    """Find up to three boxes that contain each point.

    As in facebookresearch/votenet ``sunrgbd/sunrgbd_data.py extract_sunrgbd_data``: the first box
    that contains a point fills all three columns, the second replaces the second column, the third
    and each later one the third.

    Args:
        points: (N, 3) metres.
        boxes: (K, >= 7), in the frame of the points.

    Returns:
        (N, 3) int32 rows of ``boxes``; all -1 for a point in no box.
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
