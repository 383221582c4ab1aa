"""Points of a depth image, in float64, pixel by pixel as the pinhole camera has it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import pixel_rays


def unproject(
    depth: NDArray[np.floating[Any]], intrinsics: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Points of a depth image in the camera frame.

    Convention:
        ``intrinsics @ [x/z, y/z, 1] = [u, v, 1]`` with u the column and v the row of the pixel;
        the depth is z (along the optical axis), not the length of the ray.

    Args:
        depth: (H, W) metres.
        intrinsics: (3, 3) float64 pinhole matrix, pixels.

    Returns:
        (H, W, 3) float64 metres, camera frame; the origin where the depth is 0.
    """
    height, width = depth.shape
    rays = pixel_rays(height, width, intrinsics)
    return rays * depth[..., None]
