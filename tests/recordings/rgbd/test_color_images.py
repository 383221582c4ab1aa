"""Colour images of every form as uint8 RGB, turned only where the depth image confirms it."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from pointcontrast.recordings.rgbd.images.color_images import read_color
from pointcontrast.recordings.sequence import FrameError

RGB = np.random.default_rng(0).integers(0, 255, (3, 4, 3), dtype=np.uint8)
SIZE = (4, 3)
GREY = RGB[..., 0]


def _oriented(path, array, orientation):
    image = Image.fromarray(array)
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = orientation
    image.save(path, exif=exif)


def test_every_mode_becomes_rgb(tmp_path):
    path = tmp_path / "a.png"
    grey = np.repeat(GREY[..., None], 3, axis=2)
    alpha = np.full((3, 4, 1), 7, np.uint8)
    for array, expected in (
        (RGB, RGB),
        (GREY, grey),
        (np.concatenate([RGB, alpha], axis=2), RGB),
        (np.concatenate([GREY[..., None], alpha], axis=2), grey),
        (GREY.astype(np.uint16) * 257, grey),
    ):
        Image.fromarray(array).save(path)
        np.testing.assert_array_equal(read_color(path, SIZE), expected)
    palette = Image.new("P", SIZE)
    palette.putpalette([10, 20, 30, 200, 100, 0])
    palette.putpixel((1, 0), 1)
    palette.save(path)
    assert read_color(path, SIZE)[0, :2].tolist() == [[10, 20, 30], [200, 100, 0]]


@pytest.mark.parametrize(("orientation", "turns"), [(6, -1), (8, 1)])
def test_a_photograph_is_turned_where_the_depth_image_is(tmp_path, orientation, turns):
    path = tmp_path / "a.png"
    _oriented(path, RGB, orientation)
    # The sensor's own pixels have the depth image's ratio: the turn is for people.
    np.testing.assert_array_equal(read_color(path, (4, 3)), RGB)
    np.testing.assert_array_equal(read_color(path, (3, 4)), np.rot90(RGB, turns))
    _oriented(path, RGB[:, :3], orientation)
    with pytest.raises(FrameError, match=r"square"):
        read_color(path, (3, 3))


def test_an_upside_down_photograph_is_refused(tmp_path):
    _oriented(tmp_path / "a.png", RGB, 3)
    with pytest.raises(FrameError, match=r"upside down \(orientation 3\)"):
        read_color(tmp_path / "a.png", SIZE)


def test_what_cannot_be_registered_is_refused(tmp_path):
    path = tmp_path / "a.tiff"
    Image.fromarray(RGB).save(path)
    with pytest.raises(FrameError, match="turned by 90 degrees"):
        read_color(path, (3, 4))
    with pytest.raises(FrameError, match="the aspect ratio differs"):
        read_color(path, (8, 3))
    Image.fromarray(GREY.astype(np.float32)).save(path)
    with pytest.raises(FrameError, match="floating-point"):
        read_color(path, SIZE)
