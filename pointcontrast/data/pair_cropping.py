"""Cropping of pairs that are too large for memory: both views keep one region of the world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pointcontrast.types import PairSample, VoxelizedView


def crop_pair(sample: PairSample, max_voxels: int, rng: np.random.Generator) -> PairSample:
    """Crop a pair's views to at most ``max_voxels`` voxels each, about one of their matches.

    The match is drawn uniformly. Both views keep the voxels in the same open ball about it, the
    largest with at most ``max_voxels`` of either view. Matches within the ball are kept, and are
    those that :func:`~pointcontrast.data.correspondences.find_correspondences` would find in the
    cropped views. The released code has no limit.

    Args:
        sample: Pair of views; one without a match is returned as it is, to be left out of its
            batch.
        max_voxels: Largest number of voxels per view, at least 1.
        rng: Source of randomness; a pair that is small enough draws nothing.

    Returns:
        The pair, with ``is_cropped`` if it was too large.
    """
    sizes = [len(view.points) for view in (sample.view0, sample.view1)]
    if max(sizes) <= max_voxels or len(sample.correspondences) == 0:
        return sample
    row = sample.correspondences[rng.integers(len(sample.correspondences)), 0]
    center = sample.view0.points[row].astype(np.float64)
    distances = [_squared_distances(v.points, center) for v in (sample.view0, sample.view1)]
    reach = min(_first_outside(d, max_voxels) for d in distances)
    kept0, kept1 = (np.flatnonzero(d < reach) for d in distances)
    return replace(
        sample,
        view0=_rows_of(sample.view0, kept0),
        view1=_rows_of(sample.view1, kept1),
        correspondences=_renumbered(sample.correspondences, (kept0, kept1), sizes),
        is_cropped=True,
    )


def _squared_distances(
    points: NDArray[np.float32], center: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.square(points - center).sum(axis=1)


def _first_outside(distances: NDArray[np.float64], count: int) -> float:
    """Return the distance below which at most ``count`` points lie (fewer where some tie)."""
    return np.inf if len(distances) <= count else float(np.partition(distances, count)[count])


def _rows_of(view: VoxelizedView, rows: NDArray[np.int64]) -> VoxelizedView:
    return VoxelizedView(
        coordinates=view.coordinates[rows], features=view.features[rows], points=view.points[rows]
    )


def _renumbered(
    correspondences: NDArray[np.int64],
    kept: tuple[NDArray[np.int64], NDArray[np.int64]],
    sizes: list[int],
) -> NDArray[np.int64]:
    """Return the matches with both ends kept, in the new row numbers."""
    columns = []
    for column, (rows, size) in enumerate(zip(kept, sizes, strict=True)):
        number = np.full(size, -1, np.int64)
        number[rows] = np.arange(len(rows))
        columns.append(number[correspondences[:, column]])
    new = np.stack(columns, axis=1)
    return new[(new >= 0).all(axis=1)]
