"""Colours of any common form as uint8 RGB, the form of every other module."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.errors import InputError

_FORMS = "integers 0..255 or 0..65535, floats 0..1 or floats 0..255"
# Interpolation and float16 leave a white of 1 slightly above 1. Between that and 2 lies neither a
# plausible 0..255 scan, which would be all black, nor a valid 0..1 scan.
_ROUNDING = 1e-3
_DARKEST = 2.0
# The same between 255 and 1/16 of 65535: a 10-bit camera's, or a scan that is nearly black.
_DARKEST_16_BIT = 4095


def as_uint8_colors(colors: ArrayLike, what: str) -> NDArray[np.uint8]:
    """Convert colours to uint8; their form is told by dtype and by the largest value.

    ======================== ================= ==================================
    dtype                    largest value     taken for
    ======================== ================= ==================================
    any integer              2 to 255          0..255
    any integer              4096 to 65535     0..65535, divided by 257
    floating                 at most 1         0..1, multiplied by 255
    floating                 2 to 255          0..255
    ======================== ================= ==================================

    If all of 0..65535 are multiples of 256, as the LAS specification makes them of 8 bits, they are
    divided by 256. Anything else is an error. Values are rounded to the nearest integer. The rule
    looks at all points at once, so convert a scan before it is cut into parts.

    Args:
        colors: (N, 3) red, green and blue, N >= 0.
        what: Name of the file or argument, the first words of an error message.

    Returns:
        (N, 3) uint8 RGB, contiguous; the array itself if it already is that.

    Raises:
        InputError: Another shape or dtype, a value that is NaN, infinite or negative, floats
            beyond 255, integers beyond 65535, or a maximum between 1 and 2 (floats) or 255 and 4096
            (integers), whose form is unknown.
    """
    array = np.asarray(colors)
    if array.ndim != 2 or array.shape[1] != 3:
        raise InputError(f"{what}: colours must have the shape (N, 3), not {array.shape}")
    if array.dtype.kind not in "iuf":
        raise InputError(f"{what}: colours must be numbers, not {array.dtype}; give {_FORMS}")
    if array.dtype == np.uint8 or not array.size:
        return np.ascontiguousarray(array, dtype=np.uint8)
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):  # a NaN anywhere is both minimum and maximum
        raise InputError(f"{what}: colours must not be NaN or infinite; give {_FORMS}")
    if low < 0:
        raise InputError(f"{what}: colours must not be negative ({low:g}); give {_FORMS}")
    return np.ascontiguousarray(_scaled(array, float(high), what), dtype=np.uint8)


def _scaled(array: NDArray[Any], high: float, what: str) -> NDArray[Any]:
    """Bring non-negative colours to 0..255, rounded but still of a wider dtype."""
    if high <= 255 and array.dtype.kind in "iu":
        if high == 1:  # a list such as [[1, 0, 0]]: red, or nearly black
            raise InputError(
                f"{what}: integer colours of 0 and 1 are 0..1 or 0..255; give floats, or uint8"
            )
        return array
    if array.dtype.kind in "iu" and _DARKEST_16_BIT < high <= 65535:
        return array // 256 if not (array & 255).any() else np.rint(array / 257)
    if array.dtype.kind in "iu" and 255 < high <= _DARKEST_16_BIT:
        raise InputError(
            f"{what}: integer colours with a maximum of {high:g} are neither 0..255 nor, but for "
            f"a nearly black scan, 0..65535; give {_FORMS}"
        )
    if array.dtype.kind == "f":
        wide = array.astype(np.float64)
        if high <= 1 + _ROUNDING:
            return np.rint(np.minimum(wide, 1) * 255)
        if _DARKEST <= high <= 255:
            return np.rint(wide)
        if high < _DARKEST:
            raise InputError(
                f"{what}: floating-point colours with a maximum of {high:g} are neither 0..1 nor "
                f"0..255; give {_FORMS}"
            )
    most = 65535 if array.dtype.kind in "iu" else 255
    raise InputError(f"{what}: colours must not exceed {most} ({high:g}); give {_FORMS}")
