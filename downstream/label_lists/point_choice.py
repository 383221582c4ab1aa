"""Which points of a scene are annotated where only a few are."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from downstream.label_lists.scenes import number_of
from pointcontrast.errors import InputError

NUM_POINTS = (20, 50, 100, 200)
"""Limited annotations of the data-efficient benchmark: points a scene."""

_MAX_FITTED = 20_000
"""Points that the clusters are found on; a sample of larger scenes."""

_NUM_ITERATIONS = 10
_CENTRES_AT_ONCE = 16


def points_rng(seed: int, name: str) -> np.random.Generator:
    """The randomness of one scene, whatever others there are."""
    return np.random.default_rng([seed, number_of(name)])


def limited_points(
    labels: NDArray[np.int32], num_points: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Choose the points of a scene that are annotated: evenly among those that have a label.

    The released script's ``random`` draws among all points, with repetition
    (ContrastiveSceneContexts ``downstream/insseg/datasets/preprocessing/sampling_points.py``):
    some of its points are unlabelled, or there twice. Ours are neither.

    Args:
        labels: (N,) of all points, below 0 where there is none.
        num_points: how many; all labelled ones where there are fewer.
        rng: the beginning of one permutation is taken: a smaller number is part of a larger.

    Returns:
        (K,) int64, rising.

    Raises:
        InputError: the number is not positive.
    """
    labelled = _labelled(labels, num_points)
    return np.sort(rng.permutation(labelled)[:num_points])


def clustered_points(
    labels: NDArray[np.int32],
    num_points: int,
    rng: np.random.Generator,
    *,
    coord: NDArray[np.float32],
    color: NDArray[np.uint8],
    features: NDArray[np.float32] | None = None,
) -> NDArray[np.int64]:
    """Choose the points that are annotated: those nearest to the centres of k-means clusters.

    As the active selection of ContrastiveSceneContexts (``downstream/semseg/lib/
    sampling_points.py``), except that
        * features of a network are optional;
        * places, colours and features are each divided by their spread. There they are joined as
          they are, metres beside 0..255, so that colours decide;
        * only points with a label are clustered (at most 20,000 of them, drawn at random, find
          the centres), and no point is chosen twice;
        * the clusters start far apart (k-means++), there at the first points of the file.
    A smaller number is not part of a larger.

    Args:
        labels: (N,) of all points, below 0 where there is none.
        num_points: how many; all labelled ones where there are fewer.
        rng: source of the first centres.
        coord: (N, 3) metres.
        color: (N, 3) RGB.
        features: (N, C), or None.

    Returns:
        (K,) int64, rising.

    Raises:
        InputError: the number is not positive, or an array is not of N rows.
    """
    labelled = _labelled(labels, num_points)
    if len(labelled) <= num_points:
        return labelled
    parts = {"coord": coord, "color": color} | ({} if features is None else {"features": features})
    for name, part in parts.items():
        if len(part) != len(labels):
            raise InputError(f"{name} has {len(part)} rows for {len(labels)} points")
    points = np.concatenate([_of_unit_spread(part[labelled]) for part in parts.values()], axis=1)
    fitted = points[rng.permutation(len(points))[:_MAX_FITTED]]
    with warnings.catch_warnings():
        # an empty cluster stays where it was
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
    """(N, C) about their mean, divided by the mean distance from it (root of squares)."""
    centred = values.astype(np.float64)
    centred -= centred.mean(axis=0)
    spread = math.sqrt(float(np.square(centred).sum(axis=1).mean()))
    return centred / spread if spread > 0 else centred


def _far_apart(points: NDArray[np.float64], num_points: int, rng: np.random.Generator) -> list[int]:
    """Rows drawn one by one, by the squared distance to the nearest drawn before (k-means++)."""
    drawn = [int(rng.integers(len(points)))]
    squares = np.full(len(points), np.inf)
    while len(drawn) < num_points:
        squares = np.minimum(squares, np.square(points - points[drawn[-1]]).sum(axis=1))
        sums = np.cumsum(squares)
        drawn.append(min(int(np.searchsorted(sums, rng.random() * sums[-1])), len(points) - 1))
    return drawn


def _nearest(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.int64]:
    """(K,) rows of ``points``, the nearest to each centre."""
    squares = np.square(points).sum(axis=1)
    return np.concatenate(
        [
            (squares - 2 * (centres[first : first + _CENTRES_AT_ONCE] @ points.T)).argmin(axis=1)
            for first in range(0, len(centres), _CENTRES_AT_ONCE)
        ]
    )
