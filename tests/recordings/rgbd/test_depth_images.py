"""Depth images of every form give the metres that were written; pictures of depth are refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from pointcontrast.errors import InputError
from pointcontrast.recordings.rgbd.images.depth_images import (
    depth_image_size,
    depth_size,
    read_depth,
)
from pointcontrast.recordings.sequence import FrameError

MILLIMETRES = np.array([[0, 65535, 1234, 800], [5000, 4321, 1, 2500], [700, 900, 256, 513]])
METRES = np.where(MILLIMETRES == 65535, 0, MILLIMETRES / 1000).astype(np.float32)
SIZE = (4, 3)


def write_pgm(path: Path, units: np.ndarray, largest: int = 65535, comment: str = "") -> None:
    header = f"P5\n{comment}{units.shape[1]} {units.shape[0]}\n{largest}\n".encode()
    path.write_bytes(header + units.astype(">u2").tobytes())


def write_exr(path: Path, channels: dict[str, np.ndarray]) -> None:
    OpenEXR.File({"type": OpenEXR.scanlineimage}, channels).write(str(path))


def _image(path: Path, array: np.ndarray) -> None:
    Image.fromarray(array).save(path)


INTEGERS: dict[str, Callable[[Path], object]] = {
    "a.png": lambda path: _image(path, MILLIMETRES.astype(np.uint16)),
    "a.tiff": lambda path: _image(path, MILLIMETRES.astype(np.uint16)),
    "a.tif": lambda path: _image(path, MILLIMETRES.astype(np.int32)),
    "a.pgm": lambda path: write_pgm(path, MILLIMETRES),
    "b.pgm": lambda path: write_pgm(path, MILLIMETRES, comment="# by a recorder\n"),
    "c.pgm": lambda path: path.write_text(
        "P2 4 3 65535\n" + " ".join(str(unit) for unit in MILLIMETRES.ravel())
    ),
    "a.npy": lambda path: np.save(path, MILLIMETRES.astype(np.uint16)),
    "b.npy": lambda path: np.save(path, MILLIMETRES[None]),
    "c.npy": lambda path: np.save(path, MILLIMETRES[..., None].astype(">i4")),
}
_STORED = np.where(METRES == 0, np.array([np.nan, np.inf, 0, -1])[:, None].T, METRES)
FLOATS: dict[str, Callable[[Path], object]] = {
    "a.tiff": lambda path: _image(path, _STORED.astype(np.float32)),
    "a.npy": lambda path: np.save(path, _STORED.astype(np.float32)),
    "b.npy": lambda path: np.save(path, _STORED),
    "a.exr": lambda path: write_exr(path, {"Z": _STORED.astype(np.float32)}),
    "b.exr": lambda path: write_exr(path, {"whatever": _STORED.astype(np.float32)}),
    "c.exr": lambda path: write_exr(
        path, {name: _STORED.astype(np.float32) for name in ("R", "G", "B")}
    ),
    "d.exr": lambda path: write_exr(
        path,
        {"ViewLayer.Depth.Z": _STORED.astype(np.float32), "Y": np.zeros((3, 4), np.float32)},
    ),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_are_units_of_the_recorder(tmp_path, name):
    path = tmp_path / name
    INTEGERS[name](path)
    assert depth_image_size(path) == SIZE
    depth = read_depth(path, SIZE)
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(depth, METRES)
    in_units = read_depth(path, SIZE, units_per_metre=5000)
    np.testing.assert_array_equal(in_units[1], (MILLIMETRES[1] / 5000).astype(np.float32))


@pytest.mark.parametrize("name", FLOATS)
def test_floats_are_metres(tmp_path, name):
    path = tmp_path / name
    FLOATS[name](path)
    assert depth_image_size(path) == SIZE
    np.testing.assert_array_equal(read_depth(path, SIZE, units_per_metre=5000), METRES)


def test_half_floats_are_metres(tmp_path):
    write_exr(tmp_path / "a.exr", {"Z": METRES.astype(np.float16)})
    np.testing.assert_allclose(read_depth(tmp_path / "a.exr", SIZE), METRES, rtol=1e-3)


def test_floats_of_millimetres_are_told_from_metres(tmp_path):
    np.save(tmp_path / "a.npy", MILLIMETRES.astype(np.float32))
    with pytest.raises(FrameError, match=r"no metres.*--depth-scale 1000"):
        read_depth(tmp_path / "a.npy", SIZE)
    depth = read_depth(tmp_path / "a.npy", SIZE, 1000, float_units_per_metre=1000)
    np.testing.assert_array_equal(depth[1:], METRES[1:])


def test_a_graymap_with_another_maximum_is_not_stretched(tmp_path):
    units = np.where(MILLIMETRES == 65535, 0, MILLIMETRES)
    write_pgm(tmp_path / "a.pgm", units, largest=5000)
    np.testing.assert_array_equal(read_depth(tmp_path / "a.pgm", SIZE), METRES)


NOT_DEPTH: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "grey levels": ("a.png", lambda p: _image(p, np.zeros((3, 4), np.uint8)), "it has 8 bits"),
    "colours": ("a.png", lambda p: _image(p, np.zeros((3, 4, 3), np.uint8)), "three channels"),
    "palette": ("a.png", lambda p: Image.new("P", (4, 3)).save(p), "palette"),
    "bytes": ("a.npy", lambda p: np.save(p, np.zeros((3, 4), np.uint8)), "it has 8 bits"),
    "grey graymap": ("a.pgm", lambda p: p.write_bytes(b"P5 4 3 255\n" + bytes(12)), "8 bits"),
    "complex": ("a.npy", lambda p: np.save(p, np.zeros((3, 4), complex)), "complex128"),
    "a stack": ("a.npy", lambda p: np.save(p, np.zeros((2, 3, 4))), r"\(2, 3, 4\)"),
    "colour channels": (
        "a.exr",
        lambda p: write_exr(p, {c: np.full((3, 4), i, np.float32) for i, c in enumerate("RGB")}),
        "channels",
    ),
    "another size": ("a.npy", lambda p: np.save(p, np.zeros((4, 3))), "3 x 4 pixels"),
    "objects": ("a.npy", lambda p: np.save(p, np.array([[None]])), "damaged"),
    "text": ("a.npy", lambda p: p.write_text("depth"), "damaged"),
    "no graymap": ("a.pgm", lambda p: p.write_text("depth"), "not a portable graymap"),
    "no EXR": ("a.exr", lambda p: p.write_text("depth"), "not an OpenEXR file"),
}


@pytest.mark.parametrize("kind", NOT_DEPTH)
def test_what_is_no_depth_is_refused(tmp_path, kind):
    name, write, reason = NOT_DEPTH[kind]
    write(tmp_path / name)
    with pytest.raises(FrameError, match=reason) as caught:
        read_depth(tmp_path / name, SIZE)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [*INTEGERS, *FLOATS])
@pytest.mark.parametrize("share", [0, 0.3, 0.7])
def test_a_file_cut_short_is_an_error_of_one_line(tmp_path, name, share):
    path = tmp_path / name
    (INTEGERS.get(name) or FLOATS[name])(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(FrameError) as caught:
        read_depth(path, SIZE)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "npy", "pgm", "exr"])
def test_a_missing_file_is_named(tmp_path, suffix):
    path = tmp_path / f"gone.{suffix}"
    for function in (depth_image_size, lambda path: read_depth(path, SIZE)):
        with pytest.raises(FrameError, match=r"gone.* does not exist"):
            function(path)


def test_the_size_of_a_sequence_is_the_most_frequent(tmp_path):
    paths = [tmp_path / f"{index}.npy" for index in range(4)]
    for index, path in enumerate(paths):
        np.save(path, np.zeros((3, 4) if index else (6, 8)))
    assert depth_size(paths) == SIZE
    with pytest.raises(InputError, match=r"none of its depth images.*gone"):
        depth_size([tmp_path / "gone.npy"])
