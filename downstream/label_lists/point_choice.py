"""Choice of the few points of a scene that are annotated."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from downstream.label_lists.scenes import number_of
from pointcontrast.errors import InputError

NUM_POINTS = (20, 50, 100, 200)
"""Points per scene in the data-efficient benchmark (limited annotations)."""

_MAX_FITTED = 20_000
"""Maximum number of points on which clusters are computed; larger scenes are subsampled."""

_NUM_ITERATIONS = 10
_CENTRES_AT_ONCE = 16


def points_rng(seed: int, name: str) -> np.random.Generator:
    """Return the random generator of a scene, which does not depend on the other scenes."""
    return np.random.default_rng([seed, number_of(name)])


def limited_points(
    labels: NDArray[np.int32], num_points: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Choose the annotated points of a scene, uniformly among those with a label.

    A smaller choice with the same generator is part of a larger one: both are the beginning of the
    same permutation.

    Deviation: the released script's ``random`` draws among all points with replacement
    (ContrastiveSceneContexts ``downstream/insseg/datasets/preprocessing/sampling_points.py``), so
    that some of its points are unlabelled or repeated.

    Args:
        labels: Labels (N,) of all points; negative values mean none.
        num_points: Number of points to choose; all labelled points if there are fewer.
        rng: Source of the permutation.

    Returns:
        Rows (K,) int64, ascending.

    Raises:
        InputError: ``num_points`` is not positive.
    """
    labelled = _labelled(labels, num_points)
    return np.sort(rng.permutation(labelled)[:num_points])


def clustered_points(
    labels: NDArray[np.int32],
    num_points: int,
    rng: np.random.Generator,
    *,
    coord: NDArray[np.float32],
    color: NDArray[np.uint8] | None,
    features: NDArray[np.float32] | None = None,
) -> NDArray[np.int64]:
    """Choose the annotated points of a scene, those nearest to the centres of k-means clusters.

    A smaller choice is not part of a larger one.

    Source: the active selection of ContrastiveSceneContexts (``downstream/semseg/lib/
    sampling_points.py``). Deviations:
        * Features of a network are optional.
        * Positions, colours and features are each divided by their spread. The source concatenates
          them unscaled, metres and 0..255, so that colours dominate.
        * Only labelled points are clustered, and the centres are computed on a random sample of at
          most 20,000. No point is chosen twice.
        * Centres are initialized with k-means++, in the source with the first points of the file.

    Args:
        labels: Labels (N,) of all points; negative values mean none.
        num_points: Number of points to choose; all labelled points if there are fewer.
        rng: Source of the initial centres.
        coord: Positions (N, 3), metres.
        color: RGB colours (N, 3), or None.
        features: Features (N, C), or None.

    Returns:
        Rows (K,) int64, ascending.

    Raises:
        InputError: ``num_points`` is not positive, or an array does not have N rows.
    """
    from scipy.cluster.vq import kmeans2  # only here: its import takes a second

    labelled = _labelled(labels, num_points)
    if len(labelled) <= num_points:
        return labelled
    given = {"coord": coord, "color": color, "features": features}
    parts = {name: part for name, part in given.items() if part is not None}
    for name, part in parts.items():
        if len(part) != len(labels):
            raise InputError(f"{name} has {len(part)} rows for {len(labels)} points")
    points = np.concatenate([_of_unit_spread(part[labelled]) for part in parts.values()], axis=1)
    fitted = points[rng.permutation(len(points))[:_MAX_FITTED]]
    with warnings.catch_warnings():
        # the centre of an empty cluster stays
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        start = fitted[_far_apart(fitted, num_points, rng)]
        centres, _ = kmeans2(fitted, start, iter=_NUM_ITERATIONS, minit="matrix")
    nearest = np.unique(_nearest(points, centres))
    others = rng.permutation(np.setdiff1d(np.arange(len(points)), nearest))
    return labelled[np.sort(np.append(nearest, others[: num_points - len(nearest)]))]


def _labelled(labels: NDArray[np.int32], num_points: int) -> NDArray[np.int64]:
    if num_points < 1:
        raise InputError(f"{num_points} annotated points must be at least 1")
    return np.flatnonzero(labels >= 0)


def _of_unit_spread(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Centre values (N, C) and divide them by their root mean square distance from the mean."""
    centred = values.astype(np.float64)
    centred -= centred.mean(axis=0)
    spread = math.sqrt(float(np.square(centred).sum(axis=1).mean()))
    return centred / spread if spread > 0 else centred


def _far_apart(points: NDArray[np.float64], num_points: int, rng: np.random.Generator) -> list[int]:
    """Draw rows with probability proportional to the squared distance to the nearest drawn row.

    This is the initialization of k-means++.
    """
    drawn = [int(rng.integers(len(points)))]
    squares = np.full(len(points), np.inf)
    while len(drawn) < num_points:
        squares = np.minimum(squares, np.square(points - points[drawn[-1]]).sum(axis=1))
        sums = np.cumsum(squares)
        drawn.append(min(int(np.searchsorted(sums, rng.random() * sums[-1])), len(points) - 1))
    return drawn


def _nearest(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the nearest row of ``points`` to each centre (K,)."""
    squares = np.square(points).sum(axis=1)
    return np.concatenate(
        [
            (squares - 2 * (centres[first : first + _CENTRES_AT_ONCE] @ points.T)).argmin(axis=1)
            for first in range(0, len(centres), _CENTRES_AT_ONCE)
        ]
    )
