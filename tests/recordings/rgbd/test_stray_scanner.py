"""Stray Scanner: the video, confidences, intrinsics of frames, damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointcontrast.errors import InputError
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.types import Frame
from tests.helpers import small_scenes
from tests.inputs.makers_rgbd import walking_frames
from tests.recordings.rgbd.writers.scannet_pp import LARGE
from tests.recordings.rgbd.writers.stray_scanner import write_stray_scanner
from tests.recordings.rgbd.writers.tables import read_all


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return walking_frames(4)


def test_stray_video_and_matrix_of_another_size(frames, tmp_path):
    large = [small_scenes.render(frame.world_from_camera) for frame in frames]
    folder = write_stray_scanner(
        tmp_path / "scene",
        frames,
        colors=[np.asarray(f.color) for f in large],
        camera=small_scenes.INTRINSICS,
    )
    sequence = open_sequence(folder)
    for read, true, image in zip(read_all(sequence), frames, large, strict=True):
        np.testing.assert_allclose(read.intrinsics, true.intrinsics, rtol=1e-12)
        reduced = Image.fromarray(image.color).resize((40, 30), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(read.color, np.asarray(reduced))
    np.testing.assert_array_equal(sequence.up, [0, 1, 0])


def test_stray_frames_are_decoded_in_any_order_but_most_often_forwards(frames, tmp_path):
    sequence = open_sequence(write_stray_scanner(tmp_path / "scene", frames))
    for index in (2, 0, 3, 3, 1):
        np.testing.assert_array_equal(sequence.read(index).color, frames[index].color)


def test_stray_drops_depth_of_confidence_0(frames, tmp_path):
    confidence = [np.full((30, 40), 2, np.uint8) for _ in frames]
    confidence[1][:10], confidence[1][10:20] = 0, 1
    folder = write_stray_scanner(tmp_path / "scene", frames, confidence=confidence)
    depth = open_sequence(folder).read(1).depth
    assert not depth[:10].any()
    assert depth[10:].all()
    for path in (folder / "confidence").iterdir():
        path.unlink()
    sequence = open_sequence(folder)
    assert sequence.read(1).depth.all()
    assert any("all depth is kept" in note for note in sequence.notes)


def test_stray_intrinsics_of_each_frame(frames, tmp_path):
    folder = write_stray_scanner(tmp_path / "scene", frames, with_cameras=True)
    (folder / "camera_matrix.csv").write_text("100, 0, 20\n0, 100, 15\n0, 0, 1")
    read = open_sequence(folder).read(2)
    np.testing.assert_allclose(read.intrinsics, frames[0].intrinsics)


def test_stray_frames_are_matched_by_number(frames, tmp_path):
    folder = write_stray_scanner(tmp_path / "scene", frames)
    rows = (folder / "odometry.csv").read_text().splitlines()
    (folder / "odometry.csv").write_text("\n".join([rows[0], rows[4], rows[2], rows[1]]))
    sequence = open_sequence(folder)
    assert sequence.frame_ids == ("000000", "000001", "000003")
    np.testing.assert_allclose(
        sequence.read(2).world_from_camera, frames[3].world_from_camera, atol=1e-12
    )
    np.testing.assert_array_equal(sequence.read(2).color, frames[3].color)
    assert any("no row for 1 depth images" in note for note in sequence.notes)


STRAY_DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no header": (
        lambda f: (f / "odometry.csv").write_text("0, 0, 0, 0, 0, 0, 0, 0, 1\n"),
        "has no column frame, x",
    ),
    "missing column": (
        lambda f: (f / "odometry.csv").write_text("timestamp, frame, x, y, z, qx, qy, qz\n"),
        "has no column qw",
    ),
    "no rows": (
        lambda f: (f / "odometry.csv").write_text("timestamp, frame, x, y, z, qx, qy, qz, qw\n"),
        "has no row with the number of a frame",
    ),
    "video cut": (
        lambda f: (f / "rgb.mp4").write_bytes((f / "rgb.mp4").read_bytes()[:900]),
        "rgb.mp4 is not a video, or damaged or cut short",
    ),
    "no matrix": (lambda f: (f / "camera_matrix.csv").unlink(), "camera_matrix.csv does not exist"),
    "no depth": (
        lambda f: [path.unlink() for path in (f / "depth").iterdir()],
        "depth holds no numbered image",
    ),
}


@pytest.mark.parametrize("kind", STRAY_DAMAGE)
def test_stray_damage_is_one_line(kind, frames, tmp_path):
    folder = write_stray_scanner(tmp_path / "scene", frames)
    spoil, message = STRAY_DAMAGE[kind]
    spoil(folder)
    with pytest.raises(InputError, match=message):
        open_sequence(folder)


def test_stray_one_bad_row_or_image_is_one_bad_frame(frames, tmp_path):
    folder = write_stray_scanner(tmp_path / "scene", frames)
    rows = (folder / "odometry.csv").read_text().splitlines()
    words = rows[1].split(", ")
    rows[1] = ", ".join([*words[:5], "0", "0", "0", "0"])
    rows[2] = ", ".join([*words[:1], "000001", "lost"])
    (folder / "odometry.csv").write_text("\n".join(rows))
    (folder / "confidence" / "000002.png").unlink()
    sequence = open_sequence(folder)
    for index, message in enumerate(
        ("length 0", "no numbers in the columns x", "in confidence/ is")
    ):
        with pytest.raises(FrameError, match=message):
            sequence.read(index)
    sequence.read(3)


def test_stray_video_that_ends_early(frames, tmp_path):
    folder = write_stray_scanner(
        tmp_path / "scene", frames, colors=[np.asarray(f.color) for f in frames[:2]]
    )
    sequence = open_sequence(folder)
    sequence.read(1)
    with pytest.raises(FrameError, match="has 2 frames; frame 2 is needed"):
        sequence.read(2)
    sequence.read(0)


def test_stray_without_video_has_no_colour(frames, tmp_path):
    folder = write_stray_scanner(tmp_path / "scene", frames)
    (folder / "rgb.mp4").unlink()
    (folder / "camera_matrix.csv").write_text("\n".join(" ".join(map(str, r)) for r in LARGE))
    sequence = open_sequence(folder)
    assert sequence.read(0).color is None
    np.testing.assert_allclose(sequence.read(0).intrinsics, frames[0].intrinsics)
    assert any("no colour" in note for note in sequence.notes)


def test_stray_video_damaged_in_the_middle(frames, tmp_path):
    folder = write_stray_scanner(tmp_path / "scene", walking_frames(12))
    data = bytearray((folder / "rgb.mp4").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    (folder / "rgb.mp4").write_bytes(bytes(data))
    sequence = open_sequence(folder)
    told = []
    for index in range(len(sequence)):
        try:
            np.testing.assert_array_equal(
                sequence.read(index).color, walking_frames(12)[index].color
            )
        except FrameError as error:
            told.append(str(error))
    assert 0 < len(told) < 12
    assert all("rgb.mp4 is damaged from frame" in each for each in told)
    assert sequence.read(0).color is not None
