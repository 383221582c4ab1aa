"""Colour images that are registered to depth images, as uint8 RGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from pointcontrast.recordings.rgbd.images.image_files import decoding, open_image
from pointcontrast.recordings.sequence import FrameError

COLOR_SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".tif", ".tiff", ".webp")
_ASPECT_TOLERANCE = 0.02
# EXIF 2.32, table "Orientation": where the 0th row and the 0th column of the stored pixels are.
_QUARTER_TURNS = {6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}
_MIRRORED_OR_UPSIDE_DOWN = (2, 3, 4, 5, 7)


def read_color(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a colour image that is registered to a depth image.

    Grey images become RGB, transparency is ignored, a palette is applied, and 16-bit values are
    divided by 257.

    A photograph may state in its EXIF data that it must be turned to be upright. Depth images
    cannot state that, so the side ratio decides: stored pixels with the ratio of the depth image
    are taken as stored, pixels that have it only after the quarter turn are turned.

    Args:
        path: Image that Pillow can read.
        size: (width, height) of the depth image. A colour image of another size is resized to
            it, which is right if both cover the same field of view.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        FrameError: Absent, unreadable, truncated, of floating-point numbers, of another aspect
            ratio (so it cannot be registered to the depth image), or with an EXIF orientation that
            the side ratio cannot confirm.
    """
    with open_image(path) as image, decoding(path):
        image.load()
        rgb = _rgb(path, _as_the_depth_image(path, image, size))
    if rgb.size != size:
        rgb = rgb.resize(size, Image.Resampling.BILINEAR)
    return np.array(rgb)


def _as_the_depth_image(path: Path, image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the image, turned by its EXIF orientation if only that gives the depth's ratio."""
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    if orientation in _MIRRORED_OR_UPSIDE_DOWN:
        raise FrameError(
            f"{path}: its EXIF data say that it is mirrored or upside down (orientation "
            f"{orientation}), which its depth image cannot confirm; save it as it is to be seen, "
            "without the EXIF orientation"
        )
    if _same_aspect(image.size, size):
        if orientation in _QUARTER_TURNS and _same_aspect(image.size, (size[1], size[0])):
            raise FrameError(
                f"{path}: its EXIF data say that it is to be turned (orientation {orientation}), "
                "and a square image cannot confirm it; save it without the EXIF orientation"
            )
        return image
    if orientation in _QUARTER_TURNS and _same_aspect((image.height, image.width), size):
        return image.transpose(_QUARTER_TURNS[orientation])
    reason = (
        "one of them is turned by 90 degrees; turn it back"
        if _same_aspect((image.height, image.width), size)
        else "the aspect ratio differs, so it is not registered to it; export colour registered to "
        "the depth camera"
    )
    raise FrameError(
        f"{path} is {image.size[0]} x {image.size[1]} pixels, its depth image "
        f"{size[0]} x {size[1]}: {reason}"
    )


def _same_aspect(size: tuple[int, int], depth_size: tuple[int, int]) -> bool:
    return abs(size[0] * depth_size[1] / (size[1] * depth_size[0]) - 1) < _ASPECT_TOLERANCE


def _rgb(path: Path, image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode == "F":
        raise FrameError(f"{path} holds floating-point numbers, not colours; save it with 8 bits")
    if image.mode.startswith("I"):  # Pillow's own conversion would clip at 255
        eight_bits = np.rint(np.asarray(image, dtype=np.float64) / 257).clip(0, 255)
        image = Image.fromarray(eight_bits.astype(np.uint8))
    return image.convert("RGB")
