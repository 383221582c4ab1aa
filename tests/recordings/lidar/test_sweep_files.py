"""Files of one sweep: all four formats, and every kind of damage."""

import zipfile
from pathlib import Path

import numpy as np
import open3d
import plyfile
import pytest

from pointcontrast.recordings.lidar.sweep_files import read_sweep_file
from pointcontrast.recordings.sequence import FrameError

SUFFIXES = (".bin", ".npy", ".ply", ".pcd")


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-20, 20, size=(50, 3)).astype(np.float32)


def write_points(path: Path, points: np.ndarray, colors: np.ndarray | None = None) -> Path:
    """Write float32 points in the format of the path's suffix."""
    if path.suffix == ".bin":
        np.c_[points, np.full(len(points), 0.5)].astype("<f4").tofile(path)
    elif path.suffix == ".npy":
        np.save(path, np.c_[points, np.zeros((len(points), 2))].astype(np.float64))
    elif path.suffix == ".ply":
        kinds = [(axis, "f4") for axis in "xyz"]
        columns = list(points.T)
        if colors is not None:
            kinds += [(channel, "u1") for channel in ("red", "green", "blue")]
            columns += list(colors.T)
        vertices = np.array(list(zip(*columns, strict=True)), dtype=kinds)
        plyfile.PlyData([plyfile.PlyElement.describe(vertices, "vertex")]).write(path)
    else:
        cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points.astype(float)))
        if colors is not None:
            cloud.colors = open3d.utility.Vector3dVector(colors / 255.0)
        assert open3d.io.write_point_cloud(str(path), cloud)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_reads_what_was_written_without_what_is_no_point(tmp_path, suffix, points):
    spoiled = points.copy()
    spoiled[3], spoiled[10, 1], spoiled[20, 2] = 0, np.nan, np.inf
    cloud = read_sweep_file(write_points(tmp_path / f"a{suffix}", spoiled))
    assert cloud.points.dtype == np.float32
    assert cloud.points.flags.c_contiguous
    np.testing.assert_array_equal(cloud.points, np.delete(points, [3, 10, 20], axis=0))
    assert cloud.colors is None


@pytest.mark.parametrize("suffix", [".ply", ".pcd"])
def test_colours_are_kept(tmp_path, suffix, points):
    colors = np.random.default_rng(1).integers(0, 256, size=(50, 3), dtype=np.uint8)
    points[7] = 0
    cloud = read_sweep_file(write_points(tmp_path / f"a{suffix}", points, colors))
    assert cloud.colors.dtype == np.uint8
    np.testing.assert_array_equal(cloud.colors, np.delete(colors, 7, axis=0))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_sweep_without_a_good_point_is_an_error(tmp_path, suffix, value):
    path = write_points(tmp_path / f"a{suffix}", np.full((50, 3), value))
    with pytest.raises(FrameError, match=rf"a\{suffix} holds no usable point: all 50"):
        read_sweep_file(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_absent_empty_or_cut_short_is_an_error(tmp_path, suffix, points):
    path = tmp_path / f"a{suffix}"
    with pytest.raises(FrameError, match=rf"a\{suffix} does not exist"):
        read_sweep_file(path)
    path.write_bytes(b"")
    with pytest.raises(FrameError, match=rf"a\{suffix}"):
        read_sweep_file(path)
    write_points(path, points)
    path.write_bytes(path.read_bytes()[:-57])
    with pytest.raises(FrameError, match=rf"a\{suffix}.*cut short"):
        read_sweep_file(path)
    path.write_bytes(np.random.default_rng(0).bytes(4001))
    with pytest.raises(FrameError, match=rf"a\{suffix}"):
        read_sweep_file(path)


def _promise(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


@pytest.mark.parametrize(
    ("suffix", "old", "new"),
    [
        (".npy", b"(50, 5), }            ", b"(5000000000000, 5), } "),
        (".ply", b"vertex 50", b"vertex 5000000000000"),
        (".pcd", b"POINTS 50", b"POINTS 5000000000000"),
    ],
)
def test_a_header_that_promises_too_much_allocates_nothing(tmp_path, points, suffix, old, new):
    path = write_points(tmp_path / f"a{suffix}", points)
    _promise(path, old, new)
    with pytest.raises(FrameError, match=rf"a\{suffix} is damaged or cut short"):
        read_sweep_file(path)


def test_an_array_of_another_kind_is_an_error(tmp_path):
    path = tmp_path / "a.npy"
    for array, reason in (
        (np.zeros((5, 2)), r"an array \(5, 2\) of float64"),
        (np.zeros(15), r"an array \(15,\)"),
        (np.array([["a", "b", "c"]]), "of <U1"),
        (np.array([[None, 1, 2]], dtype=object), "damaged"),
    ):
        np.save(path, array, allow_pickle=True)
        with pytest.raises(FrameError, match=reason):
            read_sweep_file(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"")
    with pytest.raises(FrameError, match="damaged"):
        read_sweep_file(path)


def test_a_ply_of_another_kind_is_an_error(tmp_path):
    path = tmp_path / "a.ply"
    for name, kinds, reason in (
        ("face", [("x", "f4"), ("y", "f4"), ("z", "f4")], "no vertex element"),
        ("vertex", [("x", "f4"), ("y", "f4")], "have x, y, but no x y z"),
    ):
        element = plyfile.PlyElement.describe(np.ones(4, dtype=kinds), name)
        plyfile.PlyData([element]).write(path)
        with pytest.raises(FrameError, match=reason):
            read_sweep_file(path)


def test_numbers_beyond_float32_are_dropped(tmp_path, points):
    array = points.astype(np.float64)
    array[4, 0] = 1e300
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(
        read_sweep_file(tmp_path / "a.npy").points, np.delete(points, 4, axis=0)
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_damage_raises_anything_else(tmp_path, suffix, points):
    """With random bytes changed, points are read or a FrameError of one line is raised."""
    path = write_points(tmp_path / f"a{suffix}", points)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    refused = []
    for _ in range(150):
        spoiled = bytearray(whole)
        for at in rng.integers(min(len(whole), 300), size=rng.integers(1, 4)):
            spoiled[at] = rng.integers(256)
        path.write_bytes(bytes(spoiled[: rng.integers(len(whole)) if rng.random() < 0.3 else None]))
        try:
            assert np.isfinite(read_sweep_file(path).points).all()
        except FrameError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert not any("\n" in reason for reason in refused)
