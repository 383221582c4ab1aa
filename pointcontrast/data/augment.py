"""Random changes of points and features: pure functions of the data and a generator.

For pretraining and finetuning. Changes of colours are in :mod:`pointcontrast.data.augment_colors`.
No function changes its arguments.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import rotation_about

Rotation = Literal["free", "vertical", "none"]


def free_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a rotation about a random axis, by an angle uniform in +-180 degrees.

    As PointContrast ``lib/ddp_data_loaders.py sample_random_trans``: the axis is a point drawn
    from a cube, and the angle is uniform. That is not uniform over all rotations (the mean angle
    is 90 degrees, not 126.5); it is kept because the published weights were trained with it.

    Returns:
        (3, 3) float64.
    """
    axis = rng.random(3) - 0.5
    angle = 2 * np.pi * (rng.random() - 0.5)
    return rotation_about(axis / np.linalg.norm(axis), angle)


def vertical_rotation(rng: np.random.Generator, max_tilt: float) -> NDArray[np.float64]:
    """Draw a rotation about z by an angle uniform in +-180 degrees, and tilts about x and y.

    As ContrastiveSceneContexts' pretraining (+-pi/64 about x and y).

    Args:
        rng: Source of randomness.
        max_tilt: Bound of each tilt, radians.

    Returns:
        (3, 3) float64.
    """
    turn = rotation_about(np.array([0.0, 0.0, 1.0]), rng.uniform(-np.pi, np.pi))
    tilt_x = rotation_about(np.array([1.0, 0.0, 0.0]), rng.uniform(-max_tilt, max_tilt))
    tilt_y = rotation_about(np.array([0.0, 1.0, 0.0]), rng.uniform(-max_tilt, max_tilt))
    return tilt_y @ tilt_x @ turn


def add_noise(
    features: NDArray[np.float32],
    rng: np.random.Generator,
    standard_deviation: float,
    probability: float = 0.95,
) -> NDArray[np.float32]:
    """Add Gaussian noise to every feature, or with some probability to none.

    PointContrast ``lib/transforms.py Jitter``: N(0, 0.01) with probability 0.95.

    Args:
        features: (N, C) float32.
        rng: Source of randomness.
        standard_deviation: Standard deviation of the noise.
        probability: Probability of adding any noise.

    Returns:
        (N, C) float32.
    """
    if standard_deviation == 0 or rng.random() >= probability:
        return features
    noise = rng.standard_normal(features.shape, dtype=np.float32)
    noise *= np.float32(standard_deviation)
    noise += features
    return noise
