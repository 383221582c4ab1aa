"""TUM RGB-D and its relatives: association, intrinsics, trajectories, damage."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import walking_frames
from tests.recordings.rgbd.writers.pose_tables import in_units, pose_row
from tests.recordings.rgbd.writers.tables import read_all
from tests.recordings.rgbd.writers.tum import write_associations, write_tum


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return walking_frames(4)


def test_tum_takes_the_pose_between_two_around_the_depth_image(frames, tmp_path):
    folder = write_tum(tmp_path / "scene", frames[:1], times=[10.01])
    start, end = frames[0].world_from_camera, frames[1].world_from_camera
    rows = [pose_row(10.0, start), pose_row(10.02, end)]
    (folder / "groundtruth.txt").write_text("\n".join(rows))
    middle = open_sequence(folder).read(0).world_from_camera
    np.testing.assert_allclose(middle[:3, 3], (start[:3, 3] + end[:3, 3]) / 2, atol=1e-12)
    turns = [np.trace(m[:3, :3].T @ middle[:3, :3]) for m in (start, end)]
    assert turns[0] == pytest.approx(turns[1], abs=1e-12)


def test_tum_leaves_out_and_counts_what_has_no_partner(frames, tmp_path):
    times = [1.0, 2.0, 3.0, 4.0]
    folder = write_tum(tmp_path / "scene", frames, times=times)
    color = (folder / "rgb.txt").read_text().splitlines()
    (folder / "rgb.txt").write_text("\n".join(line for line in color if "2.008" not in line))
    poses = (folder / "groundtruth.txt").read_text().splitlines()
    (folder / "groundtruth.txt").write_text("\n".join(p for p in poses if p[0] != "4"))
    sequence = open_sequence(folder)
    assert sequence.frame_ids == ("1.000000", "3.000000")
    assert any(
        "2 of 4 depth images are left out: 1 without a colour image, 1 without a pose" in note
        for note in sequence.notes
    )


def test_tum_lists_need_not_be_sorted(frames, tmp_path):
    folder = write_tum(tmp_path / "scene", frames)
    for name in ("rgb.txt", "depth.txt", "groundtruth.txt"):
        lines = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join(lines[:3] + lines[:2:-1]))
    for read, true in zip(read_all(open_sequence(folder)), frames, strict=True):
        np.testing.assert_allclose(read.world_from_camera, true.world_from_camera, atol=1e-12)
        np.testing.assert_array_equal(read.color, true.color)


@pytest.mark.parametrize("depth_first", [True, False])
def test_tum_associations_in_either_order(depth_first, frames, tmp_path):
    folder = write_tum(tmp_path / "scene", frames, color_delay=0.5)  # the file pairs them
    write_associations(folder, depth_first=depth_first)
    for read, true in zip(read_all(open_sequence(folder)), frames, strict=True):
        np.testing.assert_array_equal(read.color, true.color)
        np.testing.assert_array_equal(read.depth > 0, in_units(true.depth, 5000) > 0)


def test_tum_estimated_trajectories_count_where_there_is_no_ground_truth(frames, tmp_path):
    folder = write_tum(tmp_path / "scene", frames, trajectory="KeyFrameTrajectory.txt")
    rows = (folder / "KeyFrameTrajectory.txt").read_text().splitlines()
    (folder / "KeyFrameTrajectory.txt").write_text("\n".join(rows[:4] + rows[5:]))
    # the frame between two key frames 0.07 s apart is interpolated
    assert len(open_sequence(folder)) == 4
    (folder / "KeyFrameTrajectory.txt").write_text("\n".join(rows[:4]))
    assert len(open_sequence(folder)) == 1


@pytest.mark.parametrize("power", [3, 6, 9])
def test_tum_times_in_finer_units(power, frames, tmp_path):
    folder = write_tum(tmp_path / "scene", frames)
    for name in ("rgb.txt", "depth.txt", "groundtruth.txt"):
        text = (folder / name).read_text()
        text = re.sub(
            r"^(\d+)\.(\d+)", lambda m: m[1] + m[2].ljust(9, "0")[:power], text, flags=re.M
        )
        (folder / name).write_text(text)
    for read, true in zip(read_all(open_sequence(folder)), frames, strict=True):
        np.testing.assert_allclose(read.world_from_camera, true.world_from_camera, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rgbd_dataset_freiburg1_desk", (517.3, 516.5, 318.6, 255.3)),
        ("rgbd_dataset_freiburg2_xyz", (520.9, 521.0, 325.1, 249.7)),
        ("fr3_office", (535.4, 539.2, 320.1, 247.6)),
        ("fr1/xyz", (517.3, 516.5, 318.6, 255.3)),
    ],
)
def test_tum_known_intrinsics(name, expected, frames, tmp_path):
    folder = write_tum(tmp_path / name, frames[:2], camera=False)
    sequence = open_sequence(folder)
    scale = 1 / 16  # the frames are 40 x 30, the sequence's images 640 x 480
    matrix = sequence.read(0).intrinsics
    fx, fy, cx, cy = expected
    assert (matrix[0, 0], matrix[1, 1]) == pytest.approx((fx * scale, fy * scale))
    center = ((cx + 0.5) * scale - 0.5, (cy + 0.5) * scale - 0.5)
    assert (matrix[0, 2], matrix[1, 2]) == pytest.approx(center)
    assert any("by its name" in note and "--intrinsics" in note for note in sequence.notes)


def test_tum_without_intrinsics(frames, tmp_path):
    folder = write_tum(tmp_path / "afr1ca", frames, camera=False)
    with pytest.raises(InputError, match=r"has no intrinsics.*camera\.txt.*--intrinsics"):
        open_sequence(folder)


def test_icl_nuim_is_unmirrored(frames, tmp_path):
    """The release has a negative fy: its world is left-handed."""
    folder = write_tum(
        tmp_path / "living_room_traj0_frei_png", frames, times=[0.0, 1, 2, 3], camera=False
    )
    write_associations(folder, depth_first=True)
    (folder / "groundtruth.txt").unlink()
    mirror = np.diag([1.0, -1, 1, 1])
    rows = [
        pose_row(float(i), mirror @ frame.world_from_camera @ mirror)
        for i, frame in enumerate(frames)
    ]
    (folder / "livingRoom0.gt.freiburg").write_text("\n".join(rows[:3]))  # one pose is missing
    stated = RecordingOptions(intrinsics=frames[0].intrinsics)
    sequence = open_sequence(folder, stated)
    assert len(sequence) == 3
    for read, true in zip(read_all(sequence), frames, strict=False):
        np.testing.assert_allclose(read.world_from_camera, true.world_from_camera, atol=1e-12)
    known = open_sequence(folder).read(0).intrinsics
    assert known[0, 0] == pytest.approx(481.2 / 16)
    assert known[1, 1] > 0


def test_bonn_ground_truth_is_refused_and_estimates_are_not(frames, tmp_path):
    folder = write_tum(tmp_path / "rgbd_bonn_balloon", frames)
    with pytest.raises(InputError, match=r"poses of the markers.*CameraTrajectory\.txt"):
        open_sequence(folder)
    (folder / "groundtruth.txt").rename(folder / "CameraTrajectory.txt")
    assert len(open_sequence(folder)) == 4


TUM_DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no trajectory": (lambda f: (f / "groundtruth.txt").unlink(), "has no poses.*groundtruth.txt"),
    "other clock": (
        lambda f: (f / "groundtruth.txt").write_text(pose_row(5.0, np.eye(4))),
        "no depth image has a pose in groundtruth.txt.*one clock",
    ),
    "matrices": (
        lambda f: (f / "groundtruth.txt").write_text(" ".join(["1"] * 13)),
        "line 1 has 13 columns, not the 8",
    ),
    "no numbers": (
        lambda f: (f / "groundtruth.txt").write_text("1 a b c d e f g"),
        "words, NaN or inf",
    ),
    "empty": (lambda f: (f / "groundtruth.txt").write_text("# nothing\n"), "holds no pose"),
    "zero quaternions": (
        lambda f: (f / "groundtruth.txt").write_text("1 0 0 0 0 0 0 0"),
        "the quaternion 0 0 0 0 has the length 0",
    ),
    "depth.txt empty": (lambda f: (f / "depth.txt").write_text("# nothing"), "lists no file"),
    "depth.txt without times": (
        lambda f: (f / "depth.txt").write_text("depth/1.png 1\n"),
        "depth.txt: line 1 is not timestamp filename",
    ),
    "no images": (
        lambda f: [path.unlink() for path in (f / "depth").iterdir()],
        "holds no depth image",
    ),
}


@pytest.mark.parametrize("kind", TUM_DAMAGE)
def test_tum_damage_is_one_line(kind, frames, tmp_path):
    folder = write_tum(tmp_path / "scene", frames)
    spoil, message = TUM_DAMAGE[kind]
    spoil(folder)
    with pytest.raises(InputError, match=message):
        open_sequence(folder)


def test_tum_bad_rows_are_left_out_and_said(frames, tmp_path):
    folder = write_tum(tmp_path / "scene", frames, times=[1.0, 2.0, 3.0, 4.0])
    for name, bad in (("groundtruth.txt", "2.5 1 2"), ("depth.txt", "5.0"), ("rgb.txt", "x y")):
        with open(folder / name, "a") as file:
            file.write(bad + "\n")
    sequence = open_sequence(folder)
    assert len(sequence) == 4
    said = "\n".join(sequence.notes)
    for words in (
        "groundtruth.txt: line 8 has 3 columns",
        "depth.txt: line 8 is not",
        "rgb.txt: line",
    ):
        assert words in said
    assert said.count("rows left out of this file: 1") == 3


def test_tum_text_of_windows(frames, tmp_path):
    folder = write_tum(tmp_path / "scene", frames)
    for name in ("rgb.txt", "depth.txt", "groundtruth.txt"):
        text = (folder / name).read_text().replace("\n", "\r\n").replace("depth/", "depth\\")
        text = text.replace(" ", ",") if name == "groundtruth.txt" else text
        (folder / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    for read, true in zip(read_all(open_sequence(folder)), frames, strict=True):
        np.testing.assert_allclose(read.world_from_camera, true.world_from_camera, atol=1e-12)


def test_tum_missing_and_repeated_files(frames, tmp_path):
    folder = write_tum(tmp_path / "scene", frames)
    sorted((folder / "depth").iterdir())[1].unlink()
    text = (folder / "depth.txt").read_text()
    (folder / "depth.txt").write_text(text + text.splitlines()[-1] + "\n")
    sequence = open_sequence(folder)
    assert len(sequence) == 4
    with pytest.raises(FrameError, match="its depth file is missing"):
        sequence.read(1)
    sequence.read(3)


def test_the_known_distortion_of_a_lens_is_removed(frames, tmp_path):
    folder = write_tum(tmp_path / "freiburg2_desk", frames[:2], camera=False)
    sequence = open_sequence(folder)
    assert any("k1 0.2312, k2 -0.7849" in note and "is removed" in note for note in sequence.notes)
    stated = RecordingOptions(intrinsics=sequence.read(0).intrinsics)
    plain = open_sequence(folder, stated)
    assert not any("is removed" in note for note in plain.notes)
    assert not np.array_equal(sequence.read(0).depth, plain.read(0).depth)  # 40 pixels for 640
    other = write_tum(tmp_path / "freiburg3_desk", frames[:2], camera=False)
    assert not any("is removed" in note for note in open_sequence(other).notes)
