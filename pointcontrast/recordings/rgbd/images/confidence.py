"""Confidence of depth, as ARKit stores it beside its depth images: 0 (low), 1 or 2 (high)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.recordings.rgbd.images.image_files import decoded_pixels, open_image
from pointcontrast.recordings.sequence import FrameError


def without_confidence(depth: NDArray[np.float32], path: Path, least: int) -> NDArray[np.float32]:
    """Drop the depth of pixels with too low a confidence.

    Args:
        depth: (H, W) float32 metres.
        path: Image of confidences, one channel of 8 bits, H x W.
        least: Smallest confidence that is kept.

    Returns:
        (H, W) float32 metres, 0 where the confidence is below ``least``.

    Raises:
        FrameError: The image is absent, damaged, of another size or no image of confidences.
    """
    with open_image(path) as image:
        confidence = np.asarray(decoded_pixels(path, image), dtype=np.int64)
    if confidence.shape != depth.shape:
        raise FrameError(
            f"{path} has the shape {confidence.shape}, its depth image {depth.shape}; they must be "
            "equal, one confidence per pixel"
        )
    return np.where(confidence >= least, depth, np.float32(0))
