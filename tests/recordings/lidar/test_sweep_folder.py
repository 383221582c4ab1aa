"""Folders of posed sweeps, KITTI's and others: the walls in all sweeps coincide in the world."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_about, transform_points
from pointcontrast.recordings.layouts import find_sequences, open_merged, open_sequence
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.types import Sweep

LOW, HIGH = np.array([-12.0, -8.0, -1.7]), np.array([30.0, 9.0, 4.0])  # a street with z up
# Camera from LiDAR, near KITTI's: x forward, y left, z up becomes x right, y down, z forward.
TR = np.array([[0, -1, 0, -0.02], [0, 0, -1, -0.06], [1, 0, 0, -0.33], [0, 0, 0, 1.0]])


def lidar_poses(count: int) -> list[np.ndarray]:
    """World from LiDAR of a car that drives and turns; the first is the identity."""
    poses = []
    for i in range(count):
        pose = np.eye(4)
        pose[:3, :3] = rotation_about([0, 0, 1], 0.2 * i) @ rotation_about([1, 0, 0], 0.03 * i)
        pose[:3, 3] = 2.0 * i, 0.3 * i, 0.02 * i
        poses.append(pose)
    return poses


def sweep(pose: np.ndarray) -> np.ndarray:
    """(N, 3) points of the street's walls that a LiDAR at ``pose`` sees, in its frame."""
    azimuth, elevation = np.meshgrid(np.linspace(-3, 3, 60), np.linspace(-0.4, 0.2, 16))
    rays = np.stack(
        [
            np.cos(azimuth) * np.cos(elevation),
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
        ],
        axis=-1,
    ).reshape(-1, 3)
    turned = rays @ pose[:3, :3].T
    ends = np.where(turned > 0, HIGH - pose[:3, 3], LOW - pose[:3, 3]) / turned
    return rays * ends.min(axis=1, keepdims=True)


def distance_to_walls(points: np.ndarray) -> np.ndarray:
    """(N,) distances of points to the nearest wall, metres."""
    return np.minimum(np.abs(points - LOW), np.abs(points - HIGH)).min(axis=1)


def write_sweeps(folder: Path, count: int, suffix: str = ".bin") -> None:
    folder.mkdir(parents=True)
    for i, pose in enumerate(lidar_poses(count)):
        points = sweep(pose)
        path = folder / f"{i:06d}{suffix}"
        if suffix == ".bin":
            np.c_[points, np.zeros(len(points))].astype("<f4").tofile(path)
        else:
            np.save(path, points)


def write_kitti(root: Path, name: str = "04", count: int = 3, semantic: bool = False) -> Path:
    """Write ``sequences/<name>`` with the poses in the place of KITTI or of SemanticKITTI."""
    folder = root / "sequences" / name
    write_sweeps(folder / "velodyne", count)
    camera = [TR @ pose @ np.linalg.inv(TR) for pose in lidar_poses(count)]
    poses = folder / "poses.txt" if semantic else root / "poses" / f"{name}.txt"
    poses.parent.mkdir(exist_ok=True)
    np.savetxt(poses, [pose[:3].ravel() for pose in camera])
    rows = {f"P{i}": np.eye(4)[:3] for i in range(4)} | {"Tr": TR[:3]}
    (folder / "calib.txt").write_text(
        "".join(f"{key}: {' '.join(map(str, rows[key].ravel()))}\n" for key in rows)
    )
    return folder


def write_own(folder: Path, count: int = 3, suffix: str = ".npy", columns: int = 16) -> Path:
    """Write ``sweeps/`` and ``poses.txt``."""
    write_sweeps(folder / "sweeps", count, suffix)
    np.savetxt(folder / "poses.txt", [pose.ravel()[:columns] for pose in lidar_poses(count)])
    return folder


WRITERS = {"kitti": write_kitti, "sweep_folder": lambda root: write_own(root / "a")}


@pytest.fixture(params=list(WRITERS))
def layout(request):
    return request.param


@pytest.fixture
def folder(layout, tmp_path):
    return WRITERS[layout](tmp_path / "data")


def pose_file(folder: Path) -> Path:
    own = folder / "poses.txt"
    return own if own.exists() else folder.parent.parent / "poses" / f"{folder.name}.txt"


def sweep_file(folder: Path, index: int) -> Path:
    return sorted([*folder.glob("velodyne/*"), *folder.glob("sweeps/*")])[index]


def test_the_walls_coincide_in_the_world(folder, layout):
    sequence = open_sequence(folder)
    assert (sequence.layout, sequence.name) == (layout, folder.name)
    assert sequence.frame_ids == ("000000", "000001", "000002")
    for index, expected in enumerate(lidar_poses(3)):
        read = sequence.read(index)
        assert isinstance(read, Sweep)
        assert read.frame_id == sequence.frame_ids[index]
        np.testing.assert_allclose(read.cloud.points, sweep(expected), atol=1e-5)
        np.testing.assert_allclose(read.world_from_sensor, expected, atol=1e-9)
        world = transform_points(read.world_from_sensor, read.cloud.points)
        assert distance_to_walls(world).max() < 1e-4
        if index:
            assert distance_to_walls(read.cloud.points).mean() > 0.1  # it is the pose that does it


def test_kittis_world_is_upright(tmp_path):
    sequence = open_sequence(write_kitti(tmp_path))
    np.testing.assert_array_equal(sequence.up, [0, 0, 1])
    assert open_sequence(write_own(tmp_path / "own")).up is None


def test_semantic_kittis_own_poses_come_first(tmp_path):
    folder = write_kitti(tmp_path, semantic=True)
    (tmp_path / "poses").mkdir()
    (tmp_path / "poses" / "04.txt").write_text("lost\n")
    np.testing.assert_allclose(
        open_sequence(folder).read(2).world_from_sensor, lidar_poses(3)[2], atol=1e-9
    )


@pytest.mark.parametrize("columns", [12, 16])
@pytest.mark.parametrize("name", ["sweeps", "velodyne"])
def test_own_sweeps_may_be_named_in_two_ways(tmp_path, columns, name):
    folder = write_own(tmp_path / "own", suffix=".bin", columns=columns)
    (folder / "sweeps").rename(folder / name)
    sequence = open_sequence(folder)
    assert sequence.layout == "sweep_folder"
    np.testing.assert_allclose(sequence.read(2).world_from_sensor, lidar_poses(3)[2])


def _set_row(folder: Path, text: str) -> None:
    rows = pose_file(folder).read_text().splitlines()
    rows[1] = text
    pose_file(folder).write_text("# poses\n\n" + "\n".join(rows) + "\n")


BAD_SWEEPS = {
    "sweep empty": (lambda f: sweep_file(f, 1).write_bytes(b""), "no point|damaged"),
    "sweep cut": (
        lambda f: sweep_file(f, 1).write_bytes(sweep_file(f, 1).read_bytes()[:-7]),
        "cut short",
    ),
    "pose NaN": (lambda f: _set_row(f, "nan " * 12), "row 2 .sweep 000001. .*NaN"),
    "pose inf": (lambda f: _set_row(f, "-inf " * 12), "row 2 .sweep 000001. .*infinite"),
    "pose scaled": (lambda f: _set_row(f, "2 0 0 0 0 2 0 0 0 0 2 0"), "row 2.*orthonormal"),
    "pose mirrored": (lambda f: _set_row(f, "1 0 0 0 0 1 0 0 0 0 -1 0"), "row 2.*mirrors"),
    "pose of words": (lambda f: _set_row(f, "lost " * 12), "row 2.*is not numbers"),
    "pose of 9": (lambda f: _set_row(f, "1 " * 9), "row 2.*holds 9 numbers"),
    "pose with a last row": (
        lambda f: _set_row(f, "1 0 0 0 0 1 0 0 0 0 1 0 0 0 1 1"),
        "row 2.*last row",
    ),
}


@pytest.mark.parametrize("kind", BAD_SWEEPS)
def test_a_bad_sweep_is_an_error_of_that_sweep_only(folder, kind):
    spoil, reason = BAD_SWEEPS[kind]
    spoil(folder)
    sequence = open_sequence(folder)
    with pytest.raises(FrameError, match=rf"{folder.name}.*({reason})"):
        sequence.read(1)
    sequence.read(0)
    sequence.read(2)


def _drop_row(folder: Path) -> None:
    rows = pose_file(folder).read_text().splitlines()
    pose_file(folder).write_text("\n".join(rows[1:]) + "\n")


def _double(folder: Path) -> None:
    path = sweep_file(folder, 0)
    path.with_suffix(".ply").write_bytes(b"")


BAD_FOLDERS = {
    "a pose too few": (_drop_row, "has 2 rows for 3 sweeps"),
    "names of two forms": (
        lambda f: [
            sweep_file(f, 2).rename(sweep_file(f, 2).with_stem("left_10")),
            sweep_file(f, 1).rename(sweep_file(f, 1).with_stem("left_9")),
        ],
        "several forms",
    ),
    "a copy": (
        lambda f: shutil.copy(
            sweep_file(f, 0), sweep_file(f, 0).with_stem(sweep_file(f, 0).stem[-1:])
        ),
        "the same number",
    ),
    "two formats": (_double, r"000000\.ply are the same sweep in two formats"),
    "no sweep": (lambda f: [sweep_file(f, 0).unlink() for _ in range(3)], "holds no sweep"),
    "poses not text": (lambda f: pose_file(f).write_bytes(b"\xff\xfe\x80"), "is not text"),
}


@pytest.mark.parametrize("kind", BAD_FOLDERS)
def test_a_bad_folder_is_an_error(folder, kind):
    spoil, reason = BAD_FOLDERS[kind]
    spoil(folder)
    with pytest.raises(InputError, match=reason) as caught:
        open_sequence(folder)
    assert not isinstance(caught.value, FrameError)
    assert "data" in str(caught.value)


BAD_CALIBRATIONS = {
    "no Tr": (lambda text: text.split("Tr")[0], r"calib\.txt has no row Tr"),
    "Tr of words": (lambda text: text.replace("Tr: ", "Tr: x "), r"calib\.txt: Tr is not numbers"),
    "Tr of 13": (lambda text: text.replace("Tr: ", "Tr: 1 "), r"calib\.txt: Tr holds 13 numbers"),
    "Tr scaled": (lambda text: text.replace("-1.0", "-3.0"), r"calib\.txt: Tr is not a rigid"),
}


@pytest.mark.parametrize("kind", BAD_CALIBRATIONS)
def test_a_bad_calibration_is_an_error(tmp_path, kind):
    spoil, reason = BAD_CALIBRATIONS[kind]
    folder = write_kitti(tmp_path)
    (folder / "calib.txt").write_text(spoil((folder / "calib.txt").read_text()))
    with pytest.raises(InputError, match=reason) as caught:
        open_sequence(folder)
    assert not isinstance(caught.value, FrameError)


def test_a_kitti_sequence_without_poses_is_an_error(tmp_path):
    folder = write_kitti(tmp_path, "11")
    (tmp_path / "poses" / "11.txt").unlink()
    with pytest.raises(InputError, match=r"sequences/11 has no poses.*poses/11\.txt"):
        open_sequence(folder)


def test_intrinsics_have_no_meaning(folder):
    with pytest.raises(InputError, match=r"--intrinsics has no meaning"):
        open_sequence(folder, RecordingOptions(intrinsics=np.diag([500.0, 500.0, 1.0])))


def test_the_release_is_found_sequence_by_sequence(tmp_path):
    for name in ("04", "05"):
        write_kitti(tmp_path, name)
    assert [path.name for path in find_sequences(tmp_path)] == ["04", "05"]
    merged = open_merged(tmp_path / "sequences")
    assert merged.frame_ids[3:5] == ("05/000000", "05/000001")
    assert merged.fingerprint()


def test_the_fingerprint_tells_that_a_file_changed(folder):
    before = open_sequence(folder).fingerprint()
    assert open_sequence(folder).fingerprint() == before
    pose_file(folder).write_text(pose_file(folder).read_text() + "\n")
    changed = open_sequence(folder).fingerprint()
    assert changed != before
    os.truncate(sweep_file(folder, 0), 160)
    assert open_sequence(folder).fingerprint() != changed
