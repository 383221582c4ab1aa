"""Reading and checking the files of a posed RGB-D folder."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pointcontrast.errors import InputError
from pointcontrast.recordings.sequence import FrameError

INVALID_DEPTHS = (0, 65535)  # "no measurement" in 7-Scenes and of most other sensors
_DEPTH_MODES = ("I;16", "I;16B", "I;16L", "I")  # Pillow before 11 opens 16-bit PNGs as "I"


def read_depth(
    path: Path, size: tuple[int, int], units_per_metre: float = 1000.0
) -> NDArray[np.float32]:
    """Read a 16-bit depth image.

    Args:
        path: One-channel 16-bit PNG (or TIFF).
        size: Required (width, height), pixels.
        units_per_metre: Units of the image per metre; 1000 for millimetres.

    Returns:
        (H, W) float32 metres, 0 where there is no measurement (stored as 0 or 65535).

    Raises:
        FrameError: Absent, unreadable, truncated, or of another type or size.
    """
    with _open(path) as image:
        if image.mode not in _DEPTH_MODES:
            raise FrameError(
                f"{path} is not a depth image: its pixels are of Pillow mode {image.mode}; "
                "it must have one channel of 16 bits (millimetres)"
            )
        if image.size != size:
            raise FrameError(
                f"{path} is {image.size[0]} x {image.size[1]} pixels, its sequence "
                f"{size[0]} x {size[1]}; export all depth images at one size"
            )
        units = _pixels(path, image).astype(np.int64)
    depth = (units / units_per_metre).astype(np.float32)
    depth[np.isin(units, INVALID_DEPTHS)] = 0.0
    return depth


def read_color(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a colour image that is registered to a depth image.

    Args:
        path: Image that Pillow can read.
        size: (width, height) of the depth image. A colour image of another size is resized to
            it, which is right if both cover the same field of view.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        FrameError: Absent, unreadable, truncated, or of another aspect ratio (so it cannot be
            registered to the depth image).
    """
    with _open(path) as image:
        _pixels(path, image)
        if image.size != size:
            ratio = image.size[0] * size[1] / (image.size[1] * size[0])
            if not 0.98 < ratio < 1.02:
                raise FrameError(
                    f"{path} is {image.size[0]} x {image.size[1]} pixels, its depth image "
                    f"{size[0]} x {size[1]}: the aspect ratio differs, so it is not registered to "
                    "it; export colour registered to the depth camera"
                )
            image = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
        return np.array(image.convert("RGB"))


def read_matrix(path: Path, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Read a matrix of plain numbers.

    Raises:
        InputError: Absent, unreadable, not numbers, or of another shape. NaN and infinite
            values are accepted.
    """
    try:
        text = path.read_text(encoding="utf-8")
        rows = [
            [float(word) for word in line.split()] for line in text.splitlines() if line.strip()
        ]
        matrix = np.array(rows, dtype=np.float64)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError:
        raise InputError(f"{path} is not a {shape[0]} x {shape[1]} matrix of numbers") from None
    if matrix.shape != shape:
        raise InputError(
            f"{path} holds {matrix.size} numbers, not a {shape[0]} x {shape[1]} matrix"
        )
    return matrix


def read_intrinsics(path: Path) -> NDArray[np.float64]:
    """Read a (3, 3) pinhole matrix in pixels.

    Raises:
        InputError: Absent, not 3 x 3 numbers, or not a pinhole matrix.
    """
    return check_intrinsics(read_matrix(path, (3, 3)), str(path))


def check_intrinsics(matrix: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """Return ``matrix`` if it is a (3, 3) pinhole matrix.

    Raises:
        InputError: It is not; the message starts with ``where``.
    """
    good = np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0
    if not (good and np.allclose(matrix[2], (0, 0, 1)) and abs(matrix[1, 0]) < 1e-9):
        raise InputError(
            f"{where} is not a pinhole matrix (fx 0 cx / 0 fy cy / 0 0 1 with positive fx and "
            f"fy): {matrix.tolist()}"
        )
    return matrix


def depth_size(paths: Sequence[Path], intrinsics: NDArray[np.float64]) -> tuple[int, int]:
    """Return the most frequent size of a sequence's depth images, among up to 32 of them.

    Only headers are read. The size is compared with the intrinsics.

    Args:
        paths: Depth images.
        intrinsics: (3, 3) pinhole matrix, pixels.

    Returns:
        (width, height) in pixels.

    Raises:
        InputError: None of the files is an image, or the principal point is so far from the
            middle that the intrinsics belong to another image size.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    for path in paths[:: max(1, len(paths) // 32)]:
        try:
            with _open(path) as image:
                sizes[image.size] += 1
        except FrameError:
            continue
    if not sizes:
        raise InputError(f"{paths[0].parent}: none of its depth images can be read")
    size = sizes.most_common(1)[0][0]
    check_center(f"{paths[0].parent}: its depth", size, intrinsics)
    return size


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
    if np.any(np.abs(center / size - 0.5) > 0.2):
        raise InputError(
            f"{whose} images are {size[0]} x {size[1]} pixels, but the intrinsics have their "
            f"principal point at {center[0]:.1f}, {center[1]:.1f}: they belong to another image "
            "size; give the camera's own"
        )


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise FrameError(f"{path} does not exist") from None
    except UnidentifiedImageError:
        raise FrameError(f"{path} is not an image or is cut short") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FrameError(f"{path} cannot be read ({error})") from None


def _pixels(path: Path, image: Image.Image) -> NDArray[np.generic]:
    # Pillow opens lazily: a file that is cut short fails only when its pixels are decoded, and
    # every decoder reports that in another way.
    try:
        image.load()
        return np.asarray(image)
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, zlib.error) as error:
        raise FrameError(f"{path} is damaged or cut short ({error})") from None
