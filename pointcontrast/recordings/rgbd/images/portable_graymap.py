"""Depth images as portable graymaps (``.pgm``), the form of 3RScan and of ScanNet's C++ tool.

Pillow reads these files too, but stretches values to 0..65535 if the file states another maximum,
which would change depths.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.recordings.sequence import FrameError

# netpbm.sourceforge.net/doc/pgm.html: "P5", width, height, maximum, separated by white space and
# comments; one byte of white space; rows of two bytes a pixel, the most significant first.
_HEADER = re.compile(rb"(P[25])" + 3 * rb"(?:\s|#[^\n]*\n)+(\d{1,9})" + rb"\s", re.DOTALL)
_HEADER_BYTES = 1024


def graymap_size(path: Path) -> tuple[int, int]:
    """Return (width, height) from the header.

    Raises:
        FrameError: Unreadable, or not a graymap.
    """
    with open(path, "rb") as file:
        match = _header(path, file.read(_HEADER_BYTES))
    return int(match[2]), int(match[3])


def read_graymap(path: Path) -> NDArray[np.uint16]:
    """Read the values as they are stored.

    Returns:
        (H, W) uint16, or uint8 if the stated maximum is below 256.

    Raises:
        FrameError: Unreadable, not a graymap, or cut short.
    """
    data = path.read_bytes()
    match = _header(path, data)
    width, height, largest = (int(match[index]) for index in (2, 3, 4))
    dtype = np.dtype(">u2" if largest > 255 else "u1")
    if match[1] == b"P2":
        words = data[match.end() :].split()
        values = np.array(words[: width * height], dtype=np.int64).astype(dtype)
    else:
        usable = len(data) - match.end()
        count = min(width * height, usable // dtype.itemsize)
        values = np.frombuffer(data, dtype, count, match.end())
    if values.size != width * height:
        raise FrameError(f"{path} is cut short: {values.size} of {width * height} pixels")
    return values.reshape(height, width).astype(dtype.newbyteorder("="))


def _header(path: Path, data: bytes) -> re.Match[bytes]:
    match = _HEADER.match(data)
    if match is None:
        raise FrameError(f"{path} is not a portable graymap (P5 or P2) or is cut short")
    return match
