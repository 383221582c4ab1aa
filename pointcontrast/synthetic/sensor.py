"""Noise and holes of a structured-light camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

MAX_RANGE = 6.0
"""Largest measured depth, metres."""


def axial_noise(depth: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the standard deviation of the measured depth, metres, at a depth in metres.

    It is the model that Nguyen, Izadi and Lovell ("Modeling Kinect Sensor Noise for Improved 3D
    Reconstruction and Tracking", 2012) fitted to the Kinect for surfaces seen head-on.
    """
    return 0.0012 + 0.0019 * (depth - 0.4) ** 2


def measured_depth(
    depth: NDArray[np.float32], facing: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add noise and holes to depth.

    Args:
        depth: (H, W) float32 metres, 0 where no surface was hit.
        facing: (H, W) cosine between the surface normal and the ray.
        rng: Source of randomness.

    Returns:
        (H, W) float32 metres; 0 where the surface is out of range, nearly edge-on, or at a jump in
        depth, where the projected pattern is torn.
    """
    noisy = depth + rng.normal(size=depth.shape) * axial_noise(depth)
    grazing = rng.uniform(size=depth.shape) > (facing - 0.04) / 0.12
    # Second differences, because a slanted plane is no jump.
    bend = np.zeros_like(depth)
    bend[1:-1] = np.abs(np.diff(depth, n=2, axis=0))
    bend[:, 1:-1] = np.maximum(bend[:, 1:-1], np.abs(np.diff(depth, n=2, axis=1)))
    jump = ndimage.binary_dilation(bend > 0.02 + 0.03 * depth)
    torn = np.logical_and(jump, rng.uniform(size=depth.shape) < 0.5)
    lost = np.logical_or.reduce([depth <= 0, noisy > MAX_RANGE, noisy < 0.1, grazing, torn])
    return np.where(lost, 0, noisy).astype(np.float32)


def measured_color(color: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.floating]:
    """Apply a random exposure and a little noise to colour, (H, W, 3) in 0..1."""
    exposure = rng.uniform(0.92, 1.08) * rng.uniform(0.98, 1.02, 3)
    return color * exposure + 0.008 * rng.standard_normal(color.shape, dtype=np.float32)
