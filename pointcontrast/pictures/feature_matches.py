"""Matches between two views in feature space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from pointcontrast.errors import InputError


@dataclass(frozen=True)
class Matches:
    """Nearest neighbours in feature space.

    Attributes:
        correspondences: Rows of view0 and of view1 (M, 2), int64.
        is_right: Whether the two points are close in the world (M,), bool.
    """

    correspondences: NDArray[np.int64]
    is_right: NDArray[np.bool_]


def match_features(
    cloud0: tuple[NDArray[np.floating], NDArray[np.floating]],
    cloud1: tuple[NDArray[np.floating], NDArray[np.floating]],
    *,
    num_matches: int,
    tolerance: float,
    rng: np.random.Generator,
) -> Matches:
    """Match random points of view0 to all points of view1 by the Euclidean distance of features.

    Only points of view0 within ``tolerance`` of view1 are matched: for others no match is right.

    Args:
        cloud0: World points (N0, 3) in metres and features (N0, C) of view0.
        cloud1: World points (N1, 3) and features (N1, C) of view1.
        num_matches: Maximum number of matches.
        tolerance: Largest distance in metres between the points of a right match in the world.
        rng: Generator for the choice of points.

    Raises:
        InputError: No point of view0 is within ``tolerance`` of view1, or ``num_matches`` < 1.
    """
    (points0, features0), (points1, features1) = cloud0, cloud1
    gaps = KDTree(points1, balanced_tree=False).query(points0, distance_upper_bound=tolerance)[0]
    shared = np.flatnonzero(np.isfinite(gaps))
    if len(shared) == 0:
        raise InputError(
            f"the two views have no points within {tolerance} m of each other; choose another pair "
            "with --view or a larger --tolerance"
        )
    if num_matches < 1:
        raise InputError(f"--num-matches {num_matches} leaves nothing to draw; give 1 or more")
    rows0 = np.sort(rng.choice(shared, min(num_matches, len(shared)), replace=False))
    # |a - b|^2 without |a|^2, which does not change the nearest b: (M, N1)
    distances = (features1**2).sum(axis=1) - 2 * features0[rows0] @ features1.T
    rows1 = distances.argmin(axis=1)
    apart = np.linalg.norm(points0[rows0] - points1[rows1], axis=1)
    return Matches(np.stack([rows0, rows1], axis=1), apart <= tolerance)
