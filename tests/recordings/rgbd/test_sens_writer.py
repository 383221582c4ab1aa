"""The bytes of a written .sens file, compared with a plain reader of the format."""

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.rgbd.sens.writer import SensFrame
from tests.helpers.small_scenes import HEIGHT, INTRINSICS, WIDTH
from tests.helpers.small_sens import plain_depth, plain_read, small_frames, write_small


def test_every_field_is_where_the_format_has_it(tmp_path):
    frames = small_frames(3)
    color_extrinsics, depth_extrinsics = np.eye(4), np.eye(4)
    color_extrinsics[0, 3], depth_extrinsics[1, 3] = 0.5, 0.25
    intrinsics = np.eye(4)
    intrinsics[:3, :3] = INTRINSICS
    path = write_small(
        tmp_path,
        frames,
        color_intrinsics=intrinsics,
        color_extrinsics=color_extrinsics,
        depth_extrinsics=depth_extrinsics,
        color_compression="raw",
        depth_shift=500.0,
        sensor_name="Kinect",
    )
    scan = plain_read(path)
    assert (scan["version"], scan["name"]) == (4, "Kinect")
    np.testing.assert_array_equal(scan["color_intrinsic"], intrinsics)
    np.testing.assert_array_equal(scan["depth_intrinsic"], intrinsics)
    np.testing.assert_array_equal(scan["color_extrinsic"], color_extrinsics)
    np.testing.assert_array_equal(scan["depth_extrinsic"], depth_extrinsics)
    assert (scan["color_compression"], scan["depth_compression"]) == (0, 1)
    assert (scan["color_width"], scan["color_height"]) == (WIDTH, HEIGHT)
    assert (scan["depth_width"], scan["depth_height"]) == (WIDTH, HEIGHT)
    assert scan["depth_shift"] == 500.0
    assert [frame["times"] for frame in scan["frames"]] == [(0, 0), (33333,) * 2, (66667,) * 2]
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(
            scan["frames"][index]["pose"], frame.world_from_camera.astype(np.float32)
        )
        assert scan["frames"][index]["color"] == frame.color.tobytes()
        np.testing.assert_array_equal(plain_depth(scan, index), frame.depth)
    assert (scan["num_imu"], scan["end"]) == (0, path.stat().st_size)


@pytest.mark.parametrize(("compression", "code"), [("raw", 0), ("png", 1), ("jpeg", 2)])
def test_the_compressions_have_their_numbers(tmp_path, compression, code):
    scan = plain_read(write_small(tmp_path, color_compression=compression, depth_compression="raw"))
    assert (scan["color_compression"], scan["depth_compression"]) == (code, 0)
    np.testing.assert_array_equal(plain_depth(scan, 2), small_frames()[2].depth)
    magic = {"raw": b"", "png": b"\x89PNG", "jpeg": b"\xff\xd8"}[compression]
    assert scan["frames"][1]["color"].startswith(magic)


def test_the_same_frames_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_small(tmp_path / name, color_compression="jpeg")
    assert (tmp_path / "a/scan.sens").read_bytes() == (tmp_path / "b/scan.sens").read_bytes()


def _other(**changes) -> SensFrame:
    frame = small_frames(1)[0]
    values = {
        "color": frame.color,
        "depth": frame.depth,
        "world_from_camera": frame.world_from_camera,
    }
    return SensFrame(**{**values, **changes})


@pytest.mark.parametrize(
    ("frames", "settings", "reason"),
    [
        ([], {}, "no frame"),
        ([_other(depth=np.zeros((4, 5)))], {}, r"depth is an array \(4, 5\) of float64"),
        ([_other(color=np.zeros((4, 5), np.uint8))], {}, "colour is an array"),
        ([_other(world_from_camera=np.eye(3))], {}, r"pose is \(3, 3\)"),
        ([_other(), _other(depth=np.ones((4, 5), np.uint16))], {}, "frame 1.*one size"),
        ([_other()], {"depth_shift": 0.0}, "depth shift"),
        ([_other()], {"depth_intrinsics": np.zeros((3, 3))}, "depth intrinsics.*pinhole"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(tmp_path, frames, settings, reason):
    with pytest.raises(InputError, match=rf"scan\.sens.*{reason}"):
        write_small(tmp_path, frames, **settings)
    assert not list(tmp_path.iterdir())
