"""Decoding of the depth and the colour of one ``.sens`` frame."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pointcontrast.recordings.rgbd.sens.file_format import SensHeader
from pointcontrast.recordings.sequence import FrameError

_NO_MEASUREMENT = 65535  # as well as 0, which needs no special treatment
# Pillow's decoders report damage in all these ways.
_DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError),
    *(struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning),
)


def decode_depth(data: bytes, header: SensHeader, where: str) -> NDArray[np.float32]:
    """Decode a depth image.

    Args:
        data: Bytes of the frame, raw or deflated.
        header: Header of the file.
        where: File and frame, for messages.

    Returns:
        (H, W) float32 metres; 0 where there is no measurement (stored as 0 or 65535).

    Raises:
        FrameError: Absent, damaged, or not of the size that the header states. At most the size
            of one image is inflated.
    """
    width, height = header.depth_size
    expected = 2 * width * height
    if not data:
        raise FrameError(f"{where} holds no depth image")
    raw = data if header.depth_compression == "raw" else _inflate(data, expected, where)
    if len(raw) != expected:
        raise FrameError(
            f"{where}: its depth is {len(raw)} bytes{' or more' if len(raw) > expected else ''}, "
            f"not the {expected} of {width} x {height} pixels; download the file again"
        )
    units = np.frombuffer(raw, dtype="<u2").reshape(height, width)
    depth = np.divide(units, np.float32(header.depth_shift), dtype=np.float32)
    depth[units == _NO_MEASUREMENT] = 0.0
    return depth


def decode_color(data: bytes, header: SensHeader, reduction: int, where: str) -> NDArray[np.uint8]:
    """Decode a colour image at a fraction of its size.

    A reduced pixel is the mean of the ``reduction`` x ``reduction`` pixels it covers. A JPEG is
    decoded directly at that size (the transform of its blocks averages), which saves half the time
    at a reduction of 2; other images are averaged after decoding.

    Args:
        data: Bytes of the frame: raw RGB, PNG or JPEG.
        header: Header of the file.
        reduction: Factor of the reduction: 1, 2, 4 or 8.
        where: File and frame, for messages.

    Returns:
        (ceil(H / reduction), ceil(W / reduction), 3) uint8 RGB.

    Raises:
        FrameError: Absent, damaged, or not of the size that the header states. A damaged JPEG may
            still decode to an image, because the format has no checksum.
    """
    width, height = header.color_size
    if not data:
        raise FrameError(f"{where} holds no colour image")
    if header.color_compression == "raw" and len(data) != 3 * width * height:
        raise FrameError(
            f"{where}: its colour is {len(data)} bytes, not the {3 * width * height} of "
            f"{width} x {height} pixels; download the file again"
        )
    try:
        image = _open(data, header)
        size = image.size
        if size == (width, height):
            return reduced_rgb(image, reduction)
    except _DECODER_ERRORS as error:
        raise FrameError(
            f"{where}: its {header.color_compression} colour is damaged ({error}); "
            "download the file again"
        ) from None
    raise FrameError(
        f"{where}: its colour is {size[0]} x {size[1]} pixels, not the {width} x {height} of the "
        "file's header; download the file again"
    )


def _open(data: bytes, header: SensHeader) -> Image.Image:
    if header.color_compression == "raw":
        return Image.frombuffer("RGB", header.color_size, data, "raw", "RGB", 0, 1)
    return Image.open(io.BytesIO(data), formats=[header.color_compression.upper()])


def reduced_rgb(image: Image.Image, reduction: int) -> NDArray[np.uint8]:
    """Decode an opened image at a fraction of its size; see :func:`decode_color`.

    Args:
        image: Image whose pixels are not decoded yet.
        reduction: Factor of the reduction: 1, 2, 4 or 8.

    Returns:
        (ceil(H / reduction), ceil(W / reduction), 3) uint8 RGB.
    """
    width, height = image.size
    if reduction > 1:
        # No effect on other formats, or on a JPEG in an unusual colour space.
        image.draft("RGB", (width // reduction, height // reduction))
    if image.mode != "RGB":
        image = image.convert("RGB")
    if reduction > 1 and image.size == (width, height):
        image = image.reduce(reduction)
    return np.asarray(image)


def _inflate(data: bytes, expected: int, where: str) -> bytes:
    """Inflate at most one byte more than ``expected``: a few bytes can expand to gigabytes."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, expected + 1)
    except zlib.error as error:
        raise FrameError(
            f"{where}: its depth cannot be inflated ({error}); download the file again"
        ) from None
    if len(raw) == expected and not inflater.eof:
        raise FrameError(
            f"{where}: its deflated depth ends before its checksum; download the file again"
        )
    return raw
