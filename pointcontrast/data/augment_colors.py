"""Random changes of colours: pure functions of the colours and a generator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def jitter_colors(
    colors: NDArray[np.float32], rng: np.random.Generator, strength: float
) -> NDArray[np.float32]:
    """Change exposure, contrast and white balance of a whole view.

    Without it the network matches views of one scene by their exact colours. Two photographs of
    a place differ in all three.

    Args:
        colors: (N, 3) in -0.5..0.5.
        rng: Source of randomness.
        strength: Strength of the change. 0: none; 1: contrast in 1 +- 0.4, brightness in +- 0.2 and
            each channel's shift in +- 0.1, all uniform.

    Returns:
        (N, 3) float32, not clipped.
    """
    contrast = 1 + rng.uniform(-0.4, 0.4) * strength
    brightness = rng.uniform(-0.2, 0.2) * strength
    channels = rng.uniform(-0.1, 0.1, size=3) * strength
    return (colors * contrast + (brightness + channels)).astype(np.float32)


def auto_contrast(colors: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Stretch each channel to 0..255, and blend the result with the original colours.

    As PointContrast ``downstream/semseg/lib/transforms.py ChromaticAutoContrast``; the weight of
    the stretched colours is uniform in 0..1.

    Deviation: a channel of one value stays as it is; in the authors' code it becomes NaN.

    Args:
        colors: (N, 3) in 0..255, N >= 1.
        rng: Source of randomness.

    Returns:
        (N, 3) float32.
    """
    blend = rng.random()
    low, high = (np.array([limit(channel) for channel in colors.T]) for limit in (np.min, np.max))
    # (1 - blend) c + blend (c - low) 255 / (high - low), as a gain and an offset
    stretch = 255 / np.where(high > low, high - low, 255).astype(np.float64)
    gain = 1 - blend + blend * stretch
    offset = np.where(high > low, -blend * stretch * low, 0)
    return colors * gain.astype(np.float32) + offset.astype(np.float32)


def translate_colors(
    colors: NDArray[np.float32], rng: np.random.Generator, ratio: float
) -> NDArray[np.float32]:
    """Shift each channel of all colours by one amount, uniform in +-255 ``ratio``; clip to 0..255.

    As PointContrast ``downstream/semseg/lib/transforms.py ChromaticTranslation``.

    Args:
        colors: (N, 3) in 0..255.
        rng: Source of randomness.
        ratio: Largest shift as a fraction of 255.

    Returns:
        (N, 3) float32 in 0..255.
    """
    shift = (rng.uniform(-1, 1, 3) * (255 * ratio)).astype(np.float32)
    return np.clip(colors + shift, 0, 255)


def add_color_noise(
    colors: NDArray[np.float32], rng: np.random.Generator, ratio: float
) -> NDArray[np.float32]:
    """Add Gaussian noise to each channel of each colour; clip to 0..255.

    As PointContrast ``downstream/semseg/lib/transforms.py ChromaticJitter``.

    Args:
        colors: (N, 3) in 0..255.
        rng: Source of randomness.
        ratio: Standard deviation of the noise as a fraction of 255.

    Returns:
        (N, 3) float32 in 0..255.
    """
    noise = rng.standard_normal(colors.shape, dtype=np.float32)
    noise *= np.float32(255 * ratio)
    noise += colors
    return np.clip(noise, 0, 255, out=noise)
