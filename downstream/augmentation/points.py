"""Augmentation functions of finetuning: pure functions of the data and a generator.

Those shared with pretraining are in :mod:`pointcontrast.data.augment` and
:mod:`pointcontrast.data.augment_colors`. No function changes its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import rotation_about


def rotation_in_random_order(
    rng: np.random.Generator, max_tilt: float, max_turn: float
) -> NDArray[np.float64]:
    """Draw rotations about x, y and z, and multiply them in a random order.

    As PointContrast ``downstream/semseg/lib/voxelizer.py get_transformation_matrix``: three uniform
    angles, and a random order of their matrices.

    Args:
        rng: Source of randomness.
        max_tilt: Bound of the angles about x and y, radians.
        max_turn: Bound of the angle about z, radians.

    Returns:
        (3, 3) float64 rotation.
    """
    angles = rng.uniform(-1, 1, 3) * (max_tilt, max_tilt, max_turn)
    about = [rotation_about(axis, angle) for axis, angle in zip(np.eye(3), angles, strict=True)]
    first, second, third = rng.permutation(3)
    return about[first] @ about[second] @ about[third]


def crop_mask(
    points: NDArray[np.float32],
    rng: np.random.Generator,
    limit: float,
    translation_ratio: Sequence[float],
) -> NDArray[np.bool_]:
    """Draw a crop near the middle of a scene that is too large.

    As PointContrast ``downstream/semseg/lib/voxelizer.py clip`` with a number: a scene smaller than
    the limit along all axes is not cropped. Otherwise the crop reaches +-limit from the centre of
    the bounding box, moved along each axis by a random fraction of the box's size. The lower
    boundary is inclusive, the upper exclusive.

    Deviation: a scene is not cropped if the crop contains no point (a ring of corridors), as in
    SpatioTemporalSegmentation ``lib/voxelizer.py``; PointContrast's code fails then.

    Args:
        points: (N, 3) finite, N >= 1, metres.
        rng: Source of randomness; the fractions are uniform within their bounds, and drawn even if
            nothing is cropped.
        limit: Half the edge of the crop, metres.
        translation_ratio: Bounds of the fractions along x, y and z.

    Returns:
        (N,) mask of the points in the crop, at least one.
    """
    columns = np.ascontiguousarray(points.T)
    low = columns.min(axis=1).astype(np.float64)
    size = columns.max(axis=1) - low
    ratios = rng.uniform(-1, 1, 3) * np.asarray(translation_ratio, np.float64)
    centre = low + 0.5 * size + ratios * size
    inside = np.ones(len(points), dtype=bool)
    if size.max() >= limit:
        lower, upper = ((centre + side).astype(points.dtype) for side in (-limit, limit))
        for axis, along in enumerate(columns):
            inside &= (along >= lower[axis]) & (along < upper[axis])
    return inside if inside.any() else ~inside


def dropout_rows(num_rows: int, rng: np.random.Generator, ratio: float) -> NDArray[np.int64]:
    """Draw the rows to keep when a fraction is dropped at random.

    As PointContrast ``downstream/semseg/lib/transforms.py RandomDropout``: int(n * (1 - ratio)) of
    n rows are kept. Deviations: rows keep their order, and at least one is kept.

    Args:
        num_rows: Number of rows n, at least 1.
        rng: Source of randomness.
        ratio: Fraction to drop, 0 to 1.

    Returns:
        (K,) int64 rows, ascending.
    """
    num_kept = max(int(num_rows * (1 - ratio)), 1)
    stays = np.ones(num_rows, dtype=bool)
    stays[rng.choice(num_rows, num_rows - num_kept, replace=False, shuffle=False)] = False
    return np.flatnonzero(stays)


def flip_horizontally(
    coordinates: NDArray[Any], rng: np.random.Generator, probability: float = 0.5
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Mirror coordinates along every axis but z, each with some probability.

    As PointContrast ``downstream/semseg/lib/transforms.py RandomHorizontalFlip``: c becomes
    max(c) - c. As there, the frames of a clip may be mirrored too, so that it runs backwards.

    Args:
        coordinates: (N, 3), or (N, 4) with the frame number last; integers or metres.
        rng: Source of randomness.
        probability: Probability of mirroring each axis.

    Returns:
        (N, D) coordinates of the same dtype, and (3,) float32 factors of normals: -1 along mirrored
        axes, 1 along others.
    """
    flipped, signs = coordinates.copy(), np.ones(3, np.float32)
    for axis in [axis for axis in range(coordinates.shape[1]) if axis != 2]:
        if rng.random() < probability:
            flipped[:, axis] = coordinates[:, axis].max() - coordinates[:, axis]
            if axis < 3:
                signs[axis] = -1
    return flipped, signs


def stretch(
    points: NDArray[np.float32],
    normals: NDArray[np.float32] | None,
    rng: np.random.Generator,
    low: float,
    high: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Scale each axis by its own factor, uniform between two bounds.

    As torch-points3d ``torch_points3d/core/data_transform/transforms.py RandomScaleAnisotropic``:
    normals are divided by the factors and normalised, which keeps them perpendicular to the
    surface.

    Args:
        points: (N, 3).
        normals: (N, 3) unit vectors, or 0 0 0, which is kept; or None.
        rng: Source of randomness.
        low: Smallest factor, above 0.
        high: Largest factor.

    Returns:
        Points and normals, float32.
    """
    factors = rng.uniform(low, high, 3).astype(np.float32)
    if normals is not None:
        leaning = normals / factors
        lengths = np.linalg.norm(leaning, axis=1, keepdims=True)
        normals = (leaning / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return points * factors, normals


def jitter_points(
    points: NDArray[np.float32], rng: np.random.Generator, standard_deviation: float, clip: float
) -> NDArray[np.float32]:
    """Add Gaussian noise to each coordinate.

    As torch-points3d ``torch_points3d/core/data_transform/transforms.py RandomNoise``, which takes
    0.01 and 0.05 for shapes scaled to +-1.

    Args:
        points: (N, 3).
        rng: Source of randomness.
        standard_deviation: Standard deviation of the noise, in the unit of the points.
        clip: Largest absolute value of the noise.

    Returns:
        (N, 3) float32.
    """
    noise = rng.standard_normal(points.shape, dtype=np.float32) * np.float32(standard_deviation)
    return points + np.clip(noise, -clip, clip)
