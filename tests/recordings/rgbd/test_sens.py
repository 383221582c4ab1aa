"""Reading of .sens files: frames come back, and only the bytes of a frame are touched."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointcontrast.errors import InputError
from pointcontrast.preparation.prepare import prepare
from pointcontrast.recordings.layouts import find_sequences, open_sequence
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.sens.writer import SensFrame, write_sens
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.scenes.recorded_views import to_view
from tests.helpers.small_scenes import INTRINSICS, walk, write_seven_scenes
from tests.helpers.small_sens import patch, plain_read, small_frames, write_small


@pytest.mark.parametrize("color_compression", ["raw", "png", "jpeg"])
@pytest.mark.parametrize("depth_compression", ["raw", "zlib"])
def test_reads_what_was_written(tmp_path, color_compression, depth_compression):
    frames = small_frames()
    frames[0].depth[0, :2] = 0, 65535
    write_small(
        tmp_path / "scan",
        frames,
        color_compression=color_compression,
        depth_compression=depth_compression,
    )
    sequence = open_sequence(tmp_path / "scan")
    assert (sequence.layout, sequence.name, sequence.problem) == ("scannet_sens", "scan", None)
    assert sequence.frame_ids == ("000000", "000001", "000002")
    for index, expected in enumerate(frames):
        frame = sequence.read(index)
        assert frame.frame_id == sequence.frame_ids[index]
        metres = (expected.depth / 1000.0).astype(np.float32)
        metres[expected.depth == 65535] = 0
        assert frame.depth.dtype == np.float32
        np.testing.assert_array_equal(frame.depth, metres)
        np.testing.assert_array_equal(
            frame.world_from_camera, expected.world_from_camera.astype(np.float32)
        )
        np.testing.assert_array_equal(frame.intrinsics, INTRINSICS)
        difference = np.abs(frame.color.astype(int) - expected.color)
        assert difference.mean() < 2 if color_compression == "jpeg" else not difference.any()


def test_the_depth_shift_is_the_files(tmp_path):
    frames = small_frames()
    write_small(tmp_path, frames, depth_shift=4000.0)
    np.testing.assert_allclose(
        open_sequence(tmp_path).read(1).depth, frames[1].depth / 4000.0, rtol=1e-7
    )


def test_a_reduced_jpeg_is_registered_as_a_png_of_the_same_size(tmp_path):
    """Pixels decoded at half size must not shift by half a pixel."""
    rows, columns = np.mgrid[:240, :320]
    ramp = np.stack([columns * 0.75, rows, np.full_like(rows, 100)], axis=2).astype(np.uint8)
    intrinsics = INTRINSICS * [[2], [2], [1]] + [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
    frame = SensFrame(ramp, small_frames(1)[0].depth, np.eye(4))
    colors = {}
    for compression in ("png", "jpeg"):
        write_small(
            tmp_path / compression,
            [frame],
            color_compression=compression,
            color_intrinsics=intrinsics,
            quality=95,
        )
        colors[compression] = open_sequence(tmp_path / compression).read(0).color.astype(float)
    # The depth pixel (u, v) is in the middle of the colour pixels 2u, 2u + 1 and 2v, 2v + 1.
    expected = ramp.astype(float).reshape(120, 2, 160, 2, 3).mean(axis=(1, 3))
    assert np.abs(colors["png"] - expected).max() <= 0.5
    difference = colors["jpeg"] - expected
    assert np.abs(difference).max() <= 4
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.3  # 0.75 if it were shifted by a pixel


def test_the_real_kitchen_comes_back_from_sens(tmp_path, real_data: Path):
    kitchen = open_sequence(real_data / "redkitchen")
    chosen = (0, 40, 90)

    def frames():
        for index in chosen:
            name = real_data / "redkitchen" / kitchen.frame_ids[index]
            yield SensFrame(
                color=np.asarray(Image.open(f"{name}.color.jpg")),
                depth=np.asarray(Image.open(f"{name}.depth.png")).astype(np.uint16),
                world_from_camera=np.loadtxt(f"{name}.pose.txt"),
            )

    intrinsics = kitchen.read(0).intrinsics
    write_sens(
        tmp_path / "kitchen.sens",
        frames(),
        depth_intrinsics=intrinsics,
        color_intrinsics=intrinsics,
        color_compression="png",
    )
    sequence = open_sequence(tmp_path)
    for row, index in enumerate(chosen):
        expected, frame = kitchen.read(index), sequence.read(row)
        np.testing.assert_array_equal(frame.depth, expected.depth)
        np.testing.assert_array_equal(frame.color, expected.color)
        np.testing.assert_allclose(frame.world_from_camera, expected.world_from_camera, atol=1e-6)
        view, expected_view = to_view(frame), to_view(expected)
        assert len(view.cloud) > 100_000
        np.testing.assert_allclose(view.cloud.points, expected_view.cloud.points, atol=1e-5)


def test_reading_a_frame_touches_no_other(tmp_path):
    path = write_small(tmp_path, small_frames(4))
    expected = open_sequence(tmp_path).read(2)
    for index, frame in enumerate(plain_read(path)["frames"]):
        if index != 2:
            patch(path, frame["color_at"], bytes(len(frame["color"]) + len(frame["depth"])))
    sequence = open_sequence(tmp_path)
    frame = sequence.read(2)
    np.testing.assert_array_equal(frame.depth, expected.depth)
    np.testing.assert_array_equal(frame.color, expected.color)
    with pytest.raises(FrameError, match="frame 000001"):
        sequence.read(1)


def test_a_finished_scan_is_recognised_without_a_look_at_its_frames(tmp_path, monkeypatch):
    write_small(tmp_path / "scan", small_frames(3))
    assert not prepare([tmp_path / "scan"], tmp_path / "out").failures

    def walk_over_all_frames(*_):
        raise AssertionError("a page of the disk for each frame")

    monkeypatch.setattr(
        "pointcontrast.recordings.rgbd.sens.sequence.index_frames", walk_over_all_frames
    )
    (scene,) = prepare([tmp_path / "scan"], tmp_path / "out").scenes
    assert scene.reused


def test_frames_are_counted_from_the_end_as_well(tmp_path):
    write_small(tmp_path)
    sequence = open_sequence(tmp_path)
    assert sequence.read(-1).frame_id == "000002"
    with pytest.raises(IndexError):
        sequence.read(3)


def test_a_pickled_sequence_reads_the_same_and_is_small(tmp_path):
    path = write_small(tmp_path)
    sequence = open_sequence(tmp_path)
    expected = sequence.read(1)
    data = pickle.dumps(sequence)
    assert len(data) < 5000  # neither the file nor the map of pixels
    copy = pickle.loads(data)
    np.testing.assert_array_equal(copy.read(1).depth, expected.depth)
    np.testing.assert_array_equal(copy.read(1).color, expected.color)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match=r"scan\.sens was changed"):
        pickle.loads(data)


def test_only_the_release_states_an_up_direction(tmp_path):
    path = write_small(tmp_path)
    assert open_sequence(tmp_path).up is None
    path.rename(tmp_path / "scene0011_01.sens")
    np.testing.assert_array_equal(open_sequence(tmp_path).up, [0, 0, 1])
    (tmp_path / "up.txt").write_text("0 2 0")
    np.testing.assert_array_equal(open_sequence(tmp_path).up, [0, 1, 0])


def test_the_release_is_found_scene_by_scene(tmp_path):
    for name in ("scene0000_00", "scene0000_01"):
        write_small(tmp_path / "scans" / name).rename(tmp_path / "scans" / name / f"{name}.sens")
        (tmp_path / "scans" / name / f"{name}.txt").write_text("numColorFrames = 3\n")
    assert [path.name for path in find_sequences(tmp_path)] == ["scene0000_00", "scene0000_01"]
    write_seven_scenes(tmp_path / "other", walk(2))
    assert len(find_sequences(tmp_path)) == 3


def test_intrinsics_may_be_passed(tmp_path):
    write_small(tmp_path)
    given = INTRINSICS * [[1.1], [1.1], [1]]
    sequence = open_sequence(tmp_path, RecordingOptions(intrinsics=given))
    np.testing.assert_array_equal(sequence.read(0).intrinsics, given)
    with pytest.raises(InputError, match="another image size"):
        open_sequence(tmp_path, RecordingOptions(intrinsics=INTRINSICS * [[2], [2], [1]]))


def test_the_fingerprint_tells_that_the_file_changed(tmp_path):
    path = write_small(tmp_path)
    before = open_sequence(tmp_path).fingerprint()
    assert open_sequence(tmp_path).fingerprint() == before
    path.write_bytes(path.read_bytes()[:-300])
    assert open_sequence(tmp_path).fingerprint() != before


def test_a_recording_without_colour(tmp_path):
    path = write_small(tmp_path, color_compression="raw")
    scan = plain_read(path)
    data = path.read_bytes()
    bare = bytearray(data[: scan["count_at"] + 8])
    at = scan["count_at"] - 4 - 16  # colour width and height: 0 x 0 pixels
    bare[at : at + 8] = bytes(8)
    for frame in scan["frames"]:
        header = bytearray(data[frame["at"] : frame["color_at"]])
        header[80:88] = bytes(8)
        bare += header + frame["depth"]
    path.write_bytes(bytes(bare))
    frame = open_sequence(tmp_path).read(1)
    assert frame.color is None
    np.testing.assert_array_equal(frame.depth, (small_frames()[1].depth / 1000).astype("f4"))


def test_a_grey_or_transparent_png_becomes_rgb(tmp_path):
    path = write_small(tmp_path, small_frames(1), color_compression="png")
    frame = plain_read(path)["frames"][0]
    image = Image.fromarray(small_frames(1)[0].color).convert("RGBA")
    encoded = io.BytesIO()
    image.save(encoded, format="PNG")
    data = path.read_bytes()
    size = len(encoded.getvalue()).to_bytes(8, "little")
    path.write_bytes(
        data[: frame["at"] + 80]
        + size
        + data[frame["at"] + 88 : frame["color_at"]]
        + encoded.getvalue()
        + data[frame["depth_at"] :]
    )
    np.testing.assert_array_equal(open_sequence(tmp_path).read(0).color, small_frames(1)[0].color)
