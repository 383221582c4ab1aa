"""Files of poses: every form of a row, and which row belongs to which frame."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pointcontrast.errors import InputError
from pointcontrast.recordings.frame_times import times_of_names
from pointcontrast.recordings.pose_file import PoseFile
from pointcontrast.recordings.sequence import FrameError
from tests.recordings.makers_sweeps import drive

POSES = drive(5)
QUATERNIONS = [Rotation.from_matrix(pose[:3, :3]).as_quat() for pose in POSES]
NAMES = [f"{i:06d}" for i in range(5)]


def rows_of(form: str) -> list[list[float]]:
    rows = []
    for i, (pose, q) in enumerate(zip(POSES, QUATERNIONS, strict=True)):
        numbers = {
            "12": pose[:3].ravel(),
            "16": pose.ravel(),
            "13": [i, *pose[:3].ravel()],
            "17": [i, *pose.ravel()],
            "7": [*pose[:3, 3], *q],
            "8": [0.1 * i, *pose[:3, 3], *q],
        }[form]
        rows.append(list(map(float, numbers)))
    return rows


def written(folder: Path, rows: list[list[float]], separator: str = " ") -> Path:
    path = folder / "poses.txt"
    path.write_text("\n".join(separator.join(map(repr, row)) for row in rows) + "\n")
    return path


@pytest.mark.parametrize("separator", [" ", ",", ", "])
@pytest.mark.parametrize("form", ["12", "16", "13", "17", "7", "8"])
def test_every_form_of_a_row_is_read(tmp_path, form, separator):
    poses = PoseFile(written(tmp_path, rows_of(form), separator), NAMES, "sweep", tmp_path)
    for index, pose in enumerate(POSES):
        np.testing.assert_allclose(poses.pose(index), pose, atol=1e-12)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_number(tmp_path, encoding):
    path = written(tmp_path, rows_of("12"))
    path.write_text(path.read_text(), encoding=encoding)
    np.testing.assert_allclose(PoseFile(path, NAMES, "sweep", tmp_path).pose(0), POSES[0])


def test_numbered_rows_go_to_the_frames_of_their_numbers(tmp_path):
    rows = rows_of("13")
    rows = [rows[4], rows[1], rows[3]]  # in any order, not every frame
    poses = PoseFile(written(tmp_path, rows), NAMES, "sweep", tmp_path)
    for index in (1, 3, 4):
        np.testing.assert_allclose(poses.pose(index), POSES[index], atol=1e-12)
    with pytest.raises(FrameError, match="has no row of sweep 000002"):
        poses.pose(2)
    assert "poses of 3 of 5 sweeps" in poses.notes[0]


def test_of_more_rows_than_frames_each_frame_takes_that_of_its_number(tmp_path):
    poses = PoseFile(written(tmp_path, rows_of("12")), NAMES[2:4], "sweep", tmp_path)
    np.testing.assert_allclose(poses.pose(0), POSES[2], atol=1e-12)
    assert "the row of its number" in poses.notes[0]


def test_times_in_names_are_found_among_the_times_of_the_rows(tmp_path):
    start = 1526915243.0
    rows = rows_of("8")
    for row in rows:
        row[0] += start
    names = [f"lidar__{round((start + 0.1 * i + 0.05) * 1e6)}" for i in range(6)]
    poses = PoseFile(written(tmp_path, rows), names, "sweep", tmp_path)
    for index in range(4):
        middle = (POSES[index][:3, 3] + POSES[index + 1][:3, 3]) / 2
        np.testing.assert_allclose(poses.pose(index)[:3, 3], middle, atol=1e-5)
    np.testing.assert_allclose(poses.pose(4), POSES[4])  # after the last row: the nearest
    with pytest.raises(FrameError, match=r"no pose within 0.06 s of sweep .* differs by 0.15"):
        poses.pose(5)
    assert "4 interpolated" in poses.notes[0]


WRONG = {
    "fewer rows": (lambda r: r[:4], "12", NAMES, "has 4 rows for 5 sweeps"),
    "more rows, other names": (lambda r: r, "12", ["a", "b"], "has 5 rows for 2 sweeps"),
    "more rows, large numbers": (lambda r: r, "12", ["7", "9"], "has 5 rows for 2 sweeps"),
    "two rows of a frame": (lambda r: [*r, r[2]], "13", NAMES, "two rows of sweep 2"),
    "numbers of others": (lambda r: r, "13", ["7", "8"], "no sweep in .* has the number of a row"),
    "no number": (lambda r: [[0.5, *r[0][1:]]], "13", ["0"], "does not begin with the number"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_rows_that_belong_to_no_frame_are_an_error(tmp_path, kind):
    change, form, names, reason = WRONG[kind]
    with pytest.raises(InputError, match=rf"poses\.txt.*{reason}"):
        PoseFile(written(tmp_path, change(rows_of(form))), names, "sweep", tmp_path)


def test_times_that_count_from_elsewhere_are_an_error(tmp_path):
    names = [str(1526915243000000 + i) for i in range(5)]
    with pytest.raises(InputError, match="count from the same time"):
        PoseFile(written(tmp_path, rows_of("8")), names, "sweep", tmp_path)


@pytest.mark.parametrize(
    ("names", "seconds"),
    [
        (["1526915243047392"], [1526915243.047392]),
        (["1526915243047392000", "1526915243147392000"], [1526915243.047392, 1526915243.147392]),
        (["1526915243047"], [1526915243.047]),
        (["1526915243"], [1526915243.0]),
        (["12.5", "12.75"], [12.5, 12.75]),
        (["000001"], None),
        (["scan_1526915243", "x"], None),
        (["1526915243_left"], None),
        ([], None),
    ],
)
def test_names_that_are_times(names, seconds):
    times = times_of_names(names)
    assert (times is None) if seconds is None else np.allclose(times, seconds, rtol=0, atol=1e-6)
