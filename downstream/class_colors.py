"""A colour for each class."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0.61803398875
"""Steps of this share of the circle never bring two hues close."""

UNLABELLED = (128, 128, 128)


def class_colors(num_classes: int) -> NDArray[np.uint8]:
    """(C, 3) RGB: hues in golden steps, in three strengths by turns."""
    strengths = ((0.85, 0.95), (0.55, 0.75), (0.95, 0.6))
    return np.array(
        [
            [
                round(255 * channel)
                for channel in colorsys.hsv_to_rgb(i * _GOLDEN % 1, *strengths[i % 3])
            ]
            for i in range(num_classes)
        ],
        dtype=np.uint8,
    ).reshape(num_classes, 3)
