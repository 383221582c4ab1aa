"""Elastic distortion by a smooth random field."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn.functional import grid_sample

from pointcontrast.errors import InputError

MAX_ELASTIC_CELLS = 2**25
"""Maximum size of the noise grid, 400 MB: 100 x 100 x 26 m at a granularity of 0.2 m."""


def elastic_distortion(
    points: NDArray[np.float32], rng: np.random.Generator, granularity: float, magnitude: float
) -> NDArray[np.float32]:
    """Add a smooth random field to the points of a scene.

    As PointContrast ``downstream/semseg/lib/transforms.py ElasticDistortion``: standard Gaussian
    noise for each direction on a grid, from one step below the smallest coordinates to one or two
    above the largest, is averaged twice over 3 grid points along x, y and z, with zeros beyond the
    border, and interpolated linearly.

    Deviations: float32 where the authors interpolate in float64, a difference of micrometres; a
    scene too wide for the grid is an error instead of gigabytes of noise.

    Args:
        points: (N, 3) finite, N >= 1, metres.
        rng: Source of randomness.
        granularity: Step of the grid, metres.
        magnitude: Factor of the averaged noise, metres. The averaged noise has a standard deviation
            of 0.11 inside the grid, so 0.4 moves points by about 4 cm.

    Returns:
        (N, 3) float32, in memory one row per coordinate.

    Raises:
        InputError: the grid would have more than ``MAX_ELASTIC_CELLS`` points.
    """
    columns = np.ascontiguousarray(points.T)  # (3, N): NumPy is faster along long rows
    steps = columns - columns.min(axis=1, keepdims=True)
    steps /= np.float32(granularity)
    size = np.floor(steps.max(axis=1, keepdims=True)) + 3  # of the grid: x, y, z
    if np.prod(size, dtype=np.float64) > MAX_ELASTIC_CELLS:
        raise InputError(
            f"elastic distortion with a granularity of {granularity} m needs a grid of "
            f"{' x '.join(str(int(number)) for number in size.flat)} points, too many; remove "
            "outliers among the points, or raise the granularity"
        )
    x, y, z = size.astype(np.int64).ravel().tolist()
    noise = rng.standard_normal((3, z, y, x), dtype=np.float32)
    for _ in range(2):
        for axis in (1, 2, 3):
            ndimage.uniform_filter1d(noise, 3, axis=axis, output=noise, mode="constant")
    # grid_sample has -1 at the first grid point, which is one step below the points, 1 at the last
    places = (steps + np.float32(1)) * (np.float32(2) / (size - 1)) - np.float32(1)
    field = grid_sample(
        torch.from_numpy(noise)[None],
        torch.from_numpy(places.T)[None, None, None],
        padding_mode="border",
        align_corners=True,
    )[0, :, 0, 0]
    return (columns + np.float32(magnitude) * field.numpy()).T
