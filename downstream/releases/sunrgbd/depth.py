"""Depth images of the release, and their points.

Source: the toolbox of the release, ``readData/read3dPoints.m`` and ``read_3d_pts_general.m``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pointcontrast.errors import InputError

MAX_DEPTH = 8.0
"""Maximum depth, metres; larger values are clipped to it."""

_SHIFT = 3
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")


def read_depth(path: Path) -> NDArray[np.float32]:
    """Read a depth image (H, W), metres; 0 is no measurement.

    The sixteen bits of each pixel are rotated by three: the low three bits are stored as the high
    ones.

    Raises:
        InputError: The file is missing or not a 16-bit image with one channel.
    """
    stored = _read_image(path)
    if stored.ndim != 2 or stored.dtype not in (np.uint16, np.int32):
        raise InputError(f"{path} is not a 16-bit depth image; unpack it again")
    stored = stored.astype(np.uint16)
    millimetres = (stored >> _SHIFT) | (stored << (16 - _SHIFT))
    return np.minimum(millimetres.astype(np.float32) / 1000, np.float32(MAX_DEPTH))


def store_depth(depth: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Encode depth (H, W), metres, as uint16 for :func:`read_depth`, to a millimetre."""
    millimetres = np.round(np.asarray(depth) * 1000).astype(np.uint16)
    return np.bitwise_or(millimetres << _SHIFT, millimetres >> (16 - _SHIFT)).astype(np.uint16)


def read_color(path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Read the picture (H, W, 3) of a depth image with shape ``shape``.

    Pictures in grey, with a palette or with transparency become RGB.

    Raises:
        InputError: The file is missing or has another size, or channels that are not 8 bits.
    """
    found = _read_image(path, as_rgb=True)
    if found.shape[:2] != shape:
        raise InputError(
            f"{path} has {found.shape[1]} x {found.shape[0]} pixels, its depth image {shape[1]} x "
            f"{shape[0]}; unpack SUNRGBD.zip again"
        )
    return found


def points_of(
    depth: NDArray[np.float32], intrinsics: NDArray[np.float64], tilt: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Compute points in the upright frame: x right, y forward, z up, metres from the camera.

    Pixels are counted from 1, as in MATLAB.

    Args:
        depth: Depth (H, W), metres; 0 is no measurement.
        intrinsics: Camera matrix (3, 3), pixels.
        tilt: Rotation ``Rtilt`` (3, 3) from the camera's right, forward, up to the upright frame.

    Returns:
        Points (N, 3) float32, row by row, and a mask (H, W) of their pixels.
    """
    seen = depth > 0
    rows, columns = np.nonzero(seen)
    forward = depth[seen].astype(np.float64)
    right = (columns + 1 - intrinsics[0, 2]) * forward / intrinsics[0, 0]
    down = (rows + 1 - intrinsics[1, 2]) * forward / intrinsics[1, 1]
    camera = np.stack([right, forward, -down], axis=1)
    return (camera @ tilt.T).astype(np.float32), seen


def _read_image(path: Path, *, as_rgb: bool = False) -> NDArray[Any]:
    try:
        with Image.open(path) as image:
            if as_rgb and image.mode not in _EIGHT_BITS:
                raise InputError(f"{path} is no picture of 8 bits a channel (mode {image.mode})")
            return np.asarray(image.convert("RGB") if as_rgb else image)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; unpack SUNRGBD.zip again") from None
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} is damaged ({reason}); unpack SUNRGBD.zip again") from None
