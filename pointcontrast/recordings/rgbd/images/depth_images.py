"""Depth images of every common form: PNG, TIFF, PGM, NPY and EXR, of integers or floats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.rgbd.images.image_files import decoded_pixels, open_image
from pointcontrast.recordings.rgbd.images.open_exr import exr_size, read_exr
from pointcontrast.recordings.rgbd.images.portable_graymap import graymap_size, read_graymap
from pointcontrast.recordings.sequence import FrameError

DEPTH_SUFFIXES = (".npy", ".exr", ".tiff", ".tif", ".pgm", ".png")
"""Suffixes of depth images. Of several files of one name, the first: a PNG may be its picture."""

INVALID_DEPTHS = (0, 65535)  # "no measurement" in 7-Scenes and of most other sensors
_FARTHEST = 200.0  # metres: floats with a median beyond are no metres of a depth camera
_MODES = {  # Pillow's modes, in words
    "L": "8 bits",
    "1": "1 bit",
    "P": "8 bits and a palette",
    "RGB": "three channels of colour",
    "RGBA": "four channels of colour",
    "LA": "8 bits and transparency",
}


def read_depth(
    path: Path,
    size: tuple[int, int],
    units_per_metre: float = 1000.0,
    float_units_per_metre: float = 1.0,
) -> NDArray[np.float32]:
    """Read a depth image.

    Integers (PNG and TIFF of 16 bits, PGM, NPY) are in units of the recorder; floating-point
    numbers (TIFF, NPY, EXR) are metres unless stated otherwise.

    Args:
        path: The image.
        size: Required (width, height), pixels.
        units_per_metre: Integer units per metre.
        float_units_per_metre: Units per metre of floating-point numbers.

    Returns:
        (H, W) float32 metres, 0 where there is no measurement: stored as 0, less than 0 or NaN;
        also 65535 for integers and infinity for floats.

    Raises:
        FrameError: Absent, unreadable, truncated, of another type or size, or floats so large that
            they are not metres.
    """
    stored = _image_shape(path, _stored(path))
    if stored.shape != size[::-1]:
        raise FrameError(
            f"{path} is {stored.shape[1]} x {stored.shape[0]} pixels, its sequence "
            f"{size[0]} x {size[1]}; export all depth images at one size"
        )
    if stored.dtype.kind == "f":
        return _from_floats(path, stored, float_units_per_metre)
    if stored.dtype.kind not in "iu" or stored.dtype.itemsize == 1:
        raise _not_depth(path, _described(stored.dtype))
    if stored.dtype == np.uint16:  # nearly every recording
        return _metres_of_units(units_per_metre).take(stored)
    units = stored.astype(np.int64)
    depth = (units / units_per_metre).astype(np.float32)
    depth[np.isin(units, INVALID_DEPTHS) | (units < 0)] = 0.0
    return depth


@lru_cache(maxsize=4)
def _metres_of_units(units_per_metre: float) -> NDArray[np.float32]:
    """Return the depth of each of the 65536 values: a look-up costs a fifth of the division."""
    metres = (np.arange(65536, dtype=np.int64) / units_per_metre).astype(np.float32)
    metres[list(INVALID_DEPTHS)] = 0.0
    return metres


def depth_image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of a depth image; only its header is read.

    Raises:
        FrameError: Absent, unreadable or not an image.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            height, width = _image_shape(path, np.load(path, mmap_mode="r")).shape
            return width, height
        if suffix == ".pgm":
            return graymap_size(path)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error) from None
    if suffix == ".exr":
        return exr_size(path)
    with open_image(path) as image:
        return image.size


def depth_size(paths: Sequence[Path]) -> tuple[int, int]:
    """Return the most frequent size of a sequence's depth images, among up to 32 of them.

    Only headers are read.

    Args:
        paths: Depth images.

    Returns:
        (width, height) in pixels.

    Raises:
        InputError: None of the files is an image; the message tells why the first is not.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    reason = ""
    for path in paths[:: max(1, len(paths) // 32)]:
        try:
            sizes[depth_image_size(path)] += 1
        except FrameError as error:
            reason = reason or str(error)
    if not sizes:
        raise InputError(f"{paths[0].parent}: none of its depth images can be read: {reason}")
    return sizes.most_common(1)[0][0]


def _stored(path: Path) -> NDArray[Any]:
    """Return the numbers as they are stored."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            return np.load(path)
        if suffix == ".pgm":
            return read_graymap(path)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error) from None
    if suffix == ".exr":
        return read_exr(path)
    with open_image(path) as image:
        # Pillow before 11 opens 16-bit PNGs as "I"
        if image.mode != "F" and not image.mode.startswith("I"):
            raise _not_depth(path, _MODES.get(image.mode, f"Pillow mode {image.mode}"))
        return decoded_pixels(path, image)


def _image_shape(path: Path, stored: NDArray[Any]) -> NDArray[Any]:
    """Return an array of the shape (H, W), (H, W, 1) or (1, H, W) as (H, W)."""
    if stored.ndim == 3 and stored.shape[2] == 1:
        return stored[:, :, 0]
    if stored.ndim == 3 and stored.shape[0] == 1:
        return stored[0]
    if stored.ndim != 2:
        raise FrameError(f"{path} is not a depth image: it is an array {stored.shape}, not (H, W)")
    return stored


def _from_floats(path: Path, stored: NDArray[Any], units_per_metre: float) -> NDArray[np.float32]:
    depth = (stored.astype(np.float64) / units_per_metre).astype(np.float32)
    depth[~((depth > 0) & np.isfinite(depth))] = 0.0
    measured = depth[depth > 0]
    median = float(np.median(measured)) if measured.size else 0.0
    if median > _FARTHEST:
        raise FrameError(
            f"{path} holds floating-point depths with a median of {median:.0f}, which are no "
            "metres; give their units per metre: --depth-scale 1000 for millimetres"
        )
    return depth


def _not_depth(path: Path, form: str) -> FrameError:
    return FrameError(
        f"{path} is not a depth image: it has {form}; it must have one channel of 16 bits, or of "
        "floats in metres (8 bits do not resolve a room): export the depth that the sensor "
        "measured, not a picture of it"
    )


def _unreadable(path: Path, error: Exception) -> FrameError:
    if isinstance(error, FrameError):
        return error
    if isinstance(error, FileNotFoundError):
        return FrameError(f"{path} does not exist")
    return FrameError(f"{path} is damaged or cut short ({' '.join(str(error).split())})")


def _described(dtype: np.dtype[Any]) -> str:
    return f"{8 * dtype.itemsize} bits" if dtype.kind in "iu" else f"numbers of type {dtype}"
