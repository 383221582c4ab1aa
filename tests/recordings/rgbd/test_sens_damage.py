"""Every kind of damage to a .sens file: the reason is reported, and good frames are kept."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointcontrast.errors import InputError
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.recordings.sequence import FrameError
from tests.helpers.small_scenes import HEIGHT, WIDTH
from tests.helpers.small_sens import patch, plain_read, small_frames, write_small

DEPTH_BYTES = 2 * WIDTH * HEIGHT


def _uint64(value: int) -> bytes:
    return struct.pack("<Q", value)


def _replace_data(path: Path, index: int, kind: str, data: bytes) -> None:
    """Replace colour or depth data of frame ``index``, with any length."""
    frame = plain_read(path)["frames"][index]
    size_at = frame["at"] + (80 if kind == "color" else 88)
    patch(path, size_at, _uint64(len(data)))
    whole = path.read_bytes()
    at = frame[f"{kind}_at"]
    path.write_bytes(whole[:at] + data + whole[at + len(frame[kind]) :])


def _cut_frame(path: Path, index: int, into: int) -> None:
    """Cut the file ``into`` bytes after the start of a frame."""
    path.write_bytes(path.read_bytes()[: plain_read(path)["frames"][index]["at"] + into])


def _image(size: tuple[int, int], form: str = "JPEG") -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", size).save(encoded, format=form)
    return encoded.getvalue()


def _set_pose(path: Path, index: int, pose: np.ndarray) -> None:
    position = plain_read(path)["frames"][index]["at"]
    patch(path, position, pose.astype("<f4").tobytes())


def _broken_middle(data: bytes) -> bytes:
    return data[:40] + bytes(len(data) - 80) + data[-40:]


def _depth_of(path: Path) -> bytes:
    return plain_read(path)["frames"][1]["depth"]


def _set_depth(spoil):
    return lambda path: _replace_data(path, 1, "depth", spoil(_depth_of(path)))


def _set_color(data: bytes):
    return lambda path: _replace_data(path, 1, "color", data)


# How frame 1 of 3 is spoiled, and what its error says.
BAD_FRAMES = {
    "pose lost": (lambda p: _set_pose(p, 1, np.full(16, -np.inf)), "pose.*infinite values"),
    "pose NaN": (lambda p: _set_pose(p, 1, np.full(16, np.nan)), "pose.*NaN"),
    "pose scaled": (lambda p: _set_pose(p, 1, np.diag([2, 2, 2, 1])), "not a rigid.*orthonormal"),
    "no depth": (_set_depth(lambda data: b""), "holds no depth image"),
    "zlib cut": (_set_depth(lambda data: data[:-9]), "depth is|checksum"),
    "zlib cut in its checksum": (_set_depth(lambda data: data[:-2]), "checksum"),
    "zlib broken": (_set_depth(_broken_middle), "depth cannot be inflated"),
    "not zlib": (_set_depth(lambda data: b"depth?"), "depth cannot be inflated"),
    "too little depth": (
        _set_depth(lambda data: zlib.compress(bytes(DEPTH_BYTES - 2))),
        f"depth is {DEPTH_BYTES - 2} bytes, not the {DEPTH_BYTES}",
    ),
    "a zlib bomb": (
        _set_depth(lambda data: zlib.compress(bytes(200_000_000), 9)[:80_000]),
        f"depth is {DEPTH_BYTES + 1} bytes or more, not the {DEPTH_BYTES}",
    ),
    "no colour": (_set_color(b""), "holds no colour image"),
    "not a JPEG": (_set_color(b"colour?" * 50), "jpeg colour is damaged"),
    "a PNG for a JPEG": (_set_color(_image((WIDTH, HEIGHT), "PNG")), "jpeg colour is damaged"),
    "JPEG cut": (_set_color(_image((WIDTH, HEIGHT))[:-300]), "jpeg colour is damaged"),
    "JPEG of another size": (_set_color(_image((80, 60))), f"80 x 60 pixels, not the {WIDTH} x"),
}


@pytest.mark.parametrize("kind", BAD_FRAMES)
def test_a_bad_frame_is_an_error_of_that_frame_only(tmp_path, kind):
    spoil, reason = BAD_FRAMES[kind]
    path = write_small(tmp_path, color_compression="jpeg")
    spoil(path)
    sequence = open_sequence(tmp_path)
    assert (len(sequence), sequence.problem) == (3, None)
    with pytest.raises(FrameError, match=rf"scan\.sens: frame 000001.*({reason})"):
        sequence.read(1)
    sequence.read(0)
    sequence.read(2)


@pytest.mark.parametrize("kind", ["color", "depth"])
def test_raw_images_of_another_size_are_errors(tmp_path, kind):
    path = write_small(tmp_path, color_compression="raw", depth_compression="raw")
    _replace_data(path, 1, kind, bytes(100))
    with pytest.raises(FrameError, match=r"frame 000001: its (colour|depth) is 100 bytes"):
        open_sequence(tmp_path).read(1)
    open_sequence(tmp_path).read(2)


def test_a_png_cut_short_is_an_error(tmp_path):
    path = write_small(tmp_path)
    _replace_data(path, 1, "color", plain_read(path)["frames"][1]["color"][:-60])
    with pytest.raises(FrameError, match="frame 000001: its png colour is damaged"):
        open_sequence(tmp_path).read(1)


def _header_at(offset_from_count: int):
    """Position of a header field, by its distance from the number of frames."""
    return lambda path: plain_read(path)["count_at"] - offset_from_count


def _patch_header(offset_from_count: int, data: bytes):
    return lambda path: patch(path, _header_at(offset_from_count)(path), data)


BAD_HEADERS = {
    "empty": (lambda p: p.write_bytes(b""), "is empty"),
    "cut in its version": (lambda p: p.write_bytes(p.read_bytes()[:7]), "cut short in its header"),
    "cut in its name": (lambda p: p.write_bytes(p.read_bytes()[:20]), "cut short in its header"),
    "cut in its matrices": (lambda p: p.write_bytes(p.read_bytes()[:200]), "cut short in its hea"),
    "version 3": (lambda p: patch(p, 0, struct.pack("<I", 3)), "begins with version 3"),
    "a text": (lambda p: p.write_text("<html>not found</html>" * 30), "not a .sens file"),
    "an endless name": (lambda p: patch(p, 4, _uint64(1 << 60)), "sensor name of 1152921504606"),
    "occi": (_patch_header(24, struct.pack("<i", 2)), "depth is compressed as 'occi'"),
    "depth unknown": (_patch_header(24, struct.pack("<i", -1)), "depth is.*'unknown'"),
    "depth number 9": (_patch_header(24, struct.pack("<i", 9)), "depth is.*'number 9'"),
    "colour unknown": (_patch_header(28, struct.pack("<i", -1)), "colour is.*'unknown'"),
    "colour number 9": (_patch_header(28, struct.pack("<i", 9)), "colour is.*'number 9'"),
    "no depth pixel": (_patch_header(12, struct.pack("<I", 0)), "depth images are 0 x 120"),
    "no colour column": (_patch_header(20, struct.pack("<I", 0)), "colour images are 0 x 120"),
    "huge": (_patch_header(12, struct.pack("<II", 1 << 31, 1 << 31)), "2147483648 x 2147483648"),
    "large": (_patch_header(12, struct.pack("<II", 16000, 16000)), "16000 x 16000"),
    "no shift": (_patch_header(4, struct.pack("<f", 0)), "depth shift.* is 0.0"),
    "NaN shift": (_patch_header(4, struct.pack("<f", np.nan)), "depth shift.* is nan"),
    "intrinsics": (_patch_header(156, bytes(64)), "depth intrinsics is not a pinhole"),
    "NaN intrinsics": (
        _patch_header(284, struct.pack("<f", np.nan)),
        "colour intrinsics is not a pinhole",
    ),
    "intrinsics that shift": (
        _patch_header(156 - 12, struct.pack("<f", 0.1)),
        "depth intrinsics shift the camera",
    ),
    "extrinsics": (_patch_header(92, bytes(64)), "depth extrinsics are not a rigid transform"),
    "of another image": (
        _patch_header(284, np.diag([900.0, 900, 1, 1]).astype("<f4").tobytes()),
        "colour images are.*belong to another image size",
    ),
    "no frames": (
        lambda p: p.write_bytes(p.read_bytes()[: plain_read(p)["count_at"]] + bytes(16)),
        "holds no frame",
    ),
}


@pytest.mark.parametrize("kind", BAD_HEADERS)
def test_a_bad_header_is_an_error_of_the_file(tmp_path, kind):
    spoil, reason = BAD_HEADERS[kind]
    path = write_small(tmp_path)
    spoil(path)
    with pytest.raises(InputError, match=rf"scan\.sens.*{reason}") as caught:
        len(open_sequence(tmp_path))
    assert not isinstance(caught.value, FrameError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("into", [0, 50, 96, 500])
def test_frames_before_a_cut_are_kept(tmp_path, into):
    path = write_small(tmp_path, small_frames(4))
    _cut_frame(path, 2, into)
    sequence = open_sequence(tmp_path)
    assert len(sequence) == 4
    assert "counts 4 frames, but it is cut short after 2; download it again" in sequence.problem
    for index in (0, 1):
        np.testing.assert_array_equal(sequence.read(index).color, small_frames(4)[index].color)
    for index in (2, 3):
        with pytest.raises(FrameError, match=rf"frame 00000{index} is not there.*cut short after"):
            sequence.read(index)


def test_a_count_that_is_too_large(tmp_path):
    path = write_small(tmp_path)
    patch(path, plain_read(path)["count_at"], _uint64(5))
    sequence = open_sequence(tmp_path)
    assert len(sequence) == 5
    sequence.read(2)
    with pytest.raises(FrameError, match="frame 000004 is not there: its header counts 5"):
        sequence.read(4)


def test_a_count_that_is_absurd(tmp_path):
    path = write_small(tmp_path)
    patch(path, plain_read(path)["count_at"], _uint64(1 << 60))
    sequence = open_sequence(tmp_path)
    assert len(sequence) == 4  # not 2**60 names
    sequence.read(2)
    with pytest.raises(FrameError, match="header counts 1152921504606846976 frames"):
        sequence.read(3)


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("imu", ["none", "left out"])
def test_a_count_that_is_too_small(tmp_path, count, imu):
    """Left by a recorder that crashed before it could write the number."""
    path = write_small(tmp_path)
    scan = plain_read(path)
    patch(path, scan["count_at"], _uint64(count))
    if imu == "left out":
        path.write_bytes(path.read_bytes()[: scan["imu_at"]])
    sequence = open_sequence(tmp_path)
    assert len(sequence) == 3
    assert f"counts {count} frames, but {3 - count} more follow" in sequence.problem
    for index in range(3):
        np.testing.assert_array_equal(sequence.read(index).color, small_frames()[index].color)


@pytest.mark.parametrize("num_records", [0, 1, 7])
def test_imu_records_are_passed_over(tmp_path, num_records):
    path = write_small(tmp_path)
    rng = np.random.default_rng(0)
    whole = path.read_bytes()[: plain_read(path)["imu_at"]]
    path.write_bytes(whole + _uint64(num_records) + rng.bytes(128 * num_records))
    assert (len(open_sequence(tmp_path)), open_sequence(tmp_path).problem) == (3, None)
    path.write_bytes(whole)
    assert (len(open_sequence(tmp_path)), open_sequence(tmp_path).problem) == (3, None)


@pytest.mark.parametrize("rest", [b"\x07", bytes(5000), b"\x09" + bytes(7 + 128 * 8), b"\xff" * 99])
def test_what_follows_the_frames_and_is_no_imu_record_is_told(tmp_path, rest):
    path = write_small(tmp_path)
    path.write_bytes(path.read_bytes()[: plain_read(path)["imu_at"]] + rest)
    sequence = open_sequence(tmp_path)
    assert len(sequence) == 3
    assert f"{len(rest)} bytes after its last frame" in sequence.problem
    sequence.read(2)


@pytest.mark.parametrize("field", [80, 88])
def test_an_absurd_size_allocates_nothing(tmp_path, field):
    path = write_small(tmp_path)
    patch(path, plain_read(path)["frames"][1]["at"] + field, _uint64(1 << 60))
    sequence = open_sequence(tmp_path)
    sequence.read(0)
    for index in (1, 2):
        with pytest.raises(
            FrameError, match=r"next frame is damaged \(it claims.*115292150460684697"
        ):
            sequence.read(index)


def test_two_files_in_one_folder_are_an_error(tmp_path):
    write_small(tmp_path).rename(tmp_path / "first.sens")
    write_small(tmp_path)
    with pytest.raises(InputError, match=r"2 \.sens files \(first\.sens, scan\.sens, .*each in a"):
        open_sequence(tmp_path)
    (tmp_path / "first.sens").rename(tmp_path / ".first.sens")  # as a download that is under way
    assert len(open_sequence(tmp_path)) == 3


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = write_small(tmp_path)

    def refuse(*_args, **_settings):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(InputError, match=r"scan\.sens cannot be read \(Permission denied\)"):
        open_sequence(tmp_path)


@pytest.mark.filterwarnings("default")  # Pillow warns of what it passes over
@pytest.mark.parametrize("compression", ["jpeg", "png"])
def test_no_damage_raises_anything_else(tmp_path, compression):
    """With random bytes changed, the frame is read or an InputError is raised."""
    path = write_small(tmp_path, small_frames(2), color_compression=compression)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    num_refused = 0
    for _ in range(150):
        spoiled = bytearray(whole)
        # Headers are a small part of the file, and most that can go wrong is in them.
        near = rng.choice([0, 330, plain_read_start(whole), len(whole) - 1])
        for at in near + rng.integers(0, 400, size=3):
            spoiled[min(at, len(whole) - 1)] = rng.integers(256)
        path.write_bytes(bytes(spoiled))
        for index in range(2):
            try:
                open_sequence(tmp_path).read(index)
            except IndexError:
                assert len(open_sequence(tmp_path)) <= index
            except InputError:
                num_refused += 1
    assert num_refused > 50


def plain_read_start(whole: bytes) -> int:
    """Position of the second frame."""
    color_bytes, depth_bytes = struct.unpack_from("<2Q", whole, 319 + 8 + 80)
    return 327 + 96 + color_bytes + depth_bytes
