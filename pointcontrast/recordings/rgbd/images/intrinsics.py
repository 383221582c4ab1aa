"""Pinhole matrices: whether they are some, whether they belong to the images, and resizing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError

# Of a side: principal points of depth cameras lie within 0.05. Those of images of 5/4 the size,
# such as 400 x 300 for 320 x 240, lie 0.125 off.
_OFF_CENTER = 0.12
_SAME_RATIO = 0.02  # relative; phones store 1440 x 1080 beside 256 x 192, and 1296 x 968 for 4 : 3


def scaled_intrinsics(
    matrix: NDArray[np.float64], size: tuple[int, int], new_size: tuple[int, int], where: str
) -> NDArray[np.float64]:
    """Return the intrinsics of an image after it is resized.

    Convention:
        The centre of the top left pixel is (0, 0), so that its corner is (-0.5, -0.5), and
        cx' = (cx + 0.5) width' / width - 0.5.

    Args:
        matrix: (3, 3) float64 pinhole matrix of the image, pixels.
        size: (width, height) of the image, pixels.
        new_size: (width, height) after resizing.
        where: File of the intrinsics, the first words of an error message.

    Returns:
        (3, 3) float64; ``matrix`` itself if both sizes are equal.

    Raises:
        InputError: The ratios of the sides differ by more than 2 %: the image was cropped as well.
    """
    if size == new_size:
        return matrix
    factors = np.array(new_size, dtype=np.float64) / size
    if abs(factors[0] / factors[1] - 1) > _SAME_RATIO:
        raise InputError(
            f"{where}: its intrinsics belong to images of {size[0]} x {size[1]} pixels, the depth "
            f"images are {new_size[0]} x {new_size[1]}, of another side ratio; give the "
            "intrinsics of the depth images: --intrinsics fx fy cx cy"
        )
    scaled = matrix.copy()
    scaled[:2] *= factors[:, None]
    scaled[:2, 2] += 0.5 * (factors - 1)
    return scaled


_LARGEST = 1e6
"""Pixels; beyond the focal length of any camera, and within what float32 computes with."""


def check_intrinsics(matrix: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """Return ``matrix`` if it is a (3, 3) pinhole matrix.

    Raises:
        InputError: It is not; the message starts with ``where``.
    """
    good = np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0
    good = good and np.abs(matrix).max() < _LARGEST
    if not (good and np.allclose(matrix[2], (0, 0, 1)) and abs(matrix[1, 0]) < 1e-9):
        raise InputError(
            f"{where} is not a pinhole matrix (fx 0 cx / 0 fy cy / 0 0 1 with positive fx and "
            f"fy): {matrix.tolist()}"
        )
    return matrix


def check_center(whose: str, size: tuple[int, int], intrinsics: NDArray[np.float64]) -> None:
    """Refuse intrinsics that belong to images of another size.

    A wrong matrix distorts every point cloud without any other sign.

    Args:
        whose: Place and kind of the images, the first words of an error message.
        size: (width, height) in pixels.
        intrinsics: (3, 3) pinhole matrix, pixels.

    Raises:
        InputError: The principal point is far from the middle of the image.
    """
    center = intrinsics[:2, 2]
    if np.any(np.abs((center + 0.5) / size - 0.5) > _OFF_CENTER):
        raise InputError(
            f"{whose} images are {size[0]} x {size[1]} pixels, but the intrinsics have their "
            f"principal point at {center[0]:.1f}, {center[1]:.1f}: they belong to another image "
            "size; give the camera's own"
        )
