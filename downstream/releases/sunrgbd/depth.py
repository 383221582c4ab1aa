"""The release's depth images as points.

Toolbox of the release, ``readData/read3dPoints.m`` and ``read_3d_pts_general.m``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pointcontrast.errors import InputError

MAX_DEPTH = 8.0
"""What is farther is set to this, metres."""

_SHIFT = 3


def read_depth(path: Path) -> NDArray[np.float32]:
    """Depth (H, W) in metres, 0 where nothing was measured.

    The sixteen bits of each pixel are turned by three: the low three are stored as the high ones.

    Raises:
        InputError: the file is missing, or no 16-bit image of one channel.
    """
    stored = _read_image(path)
    if stored.ndim != 2 or stored.dtype not in (np.uint16, np.int32):
        raise InputError(f"{path} is no 16-bit depth image; unpack it again")
    stored = stored.astype(np.uint16)
    millimetres = (stored >> _SHIFT) | (stored << (16 - _SHIFT))
    return np.minimum(millimetres.astype(np.float32) / 1000, np.float32(MAX_DEPTH))


def store_depth(depth: NDArray[np.floating]) -> NDArray[np.uint16]:
    """What :func:`read_depth` reads back: (H, W) uint16 of depth in metres, to a millimetre."""
    millimetres = np.round(np.asarray(depth) * 1000).astype(np.uint16)
    return np.bitwise_or(millimetres << _SHIFT, millimetres >> (16 - _SHIFT)).astype(np.uint16)


def read_color(path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) that belongs to a depth image of this shape.

    Raises:
        InputError: the file is missing, or of another shape.
    """
    found = _read_image(path)
    if found.shape != (*shape, 3):
        raise InputError(f"{path} has the shape {found.shape}, its depth image {shape}")
    return found


def points_of(
    depth: NDArray[np.float32], intrinsics: NDArray[np.float64], tilt: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Points in the upright frame: x right, y forward, z up, metres from the camera.

    Pixels count from 1, as in MATLAB.

    Args:
        depth: (H, W) metres, 0 where nothing was measured.
        intrinsics: (3, 3) pixels.
        tilt: (3, 3) turns the camera's right, forward, up into the upright frame (``Rtilt``).

    Returns:
        (N, 3) float32, row by row; and (H, W) which pixels they are of.
    """
    seen = depth > 0
    rows, columns = np.nonzero(seen)
    forward = depth[seen].astype(np.float64)
    right = (columns + 1 - intrinsics[0, 2]) * forward / intrinsics[0, 0]
    down = (rows + 1 - intrinsics[1, 2]) * forward / intrinsics[1, 1]
    camera = np.stack([right, forward, -down], axis=1)
    return (camera @ tilt.T).astype(np.float32), seen


def _read_image(path: Path) -> NDArray[Any]:
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; unpack SUNRGBD.zip again") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path} is damaged ({error}); unpack SUNRGBD.zip again") from None
