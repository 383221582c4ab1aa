"""Opening of image files: damage becomes an error of one frame, in one line."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pointcontrast.recordings.sequence import FrameError

# Pillow's decoders report damage in all these ways.
_DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError),
    *(struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning),
)


@contextmanager
def _no_warnings() -> Iterator[None]:
    # Pillow warns of side data that nobody needs here; pixels that are damaged are an error.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def open_image(path: Path) -> Image.Image:
    """Open an image file; its pixels are not decoded yet.

    Raises:
        FrameError: Absent, unreadable or not an image.
    """
    try:
        with _no_warnings():
            return Image.open(path)
    except FileNotFoundError:
        raise FrameError(f"{path} does not exist") from None
    except UnidentifiedImageError:
        raise FrameError(f"{path} is not an image or is cut short") from None
    except _DECODER_ERRORS as error:
        raise FrameError(f"{path} cannot be read ({error})") from None


def decoded_pixels(path: Path, image: Image.Image) -> NDArray[np.generic]:
    """Decode the pixels of an opened image.

    Raises:
        FrameError: Damaged or cut short: Pillow notices that only here.
    """
    with decoding(path):
        image.load()
        return np.asarray(image)


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turn what Pillow's decoders raise into a FrameError that names the file."""
    try:
        with _no_warnings():
            yield
    except FrameError:
        raise
    except _DECODER_ERRORS as error:
        raise FrameError(f"{path} is damaged or cut short ({error})") from None
