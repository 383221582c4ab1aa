"""Point files: every form of colours and normals gives the same cloud; damage is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open3d
import pytest
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement

from pointcontrast.errors import InputError
from pointcontrast.recordings.lidar.sweep_files import read_sweep_file
from pointcontrast.recordings.point_files import read_point_file
from pointcontrast.recordings.reconstruction.scan_files import read_scan_file
from tests.helpers.box_world import world_mesh

POINTS = np.random.default_rng(0).uniform(1, 4, (40, 3)).astype(np.float32)
COLORS = np.random.default_rng(1).integers(0, 256, (40, 3)).astype(np.uint8)
COLORS[:2] = [[0, 0, 0], [255, 255, 255]]

RGB = ("red", "green", "blue")
FORMS = {
    "uchar": ("u1", 1, 1),
    "int": ("i4", 1, 1),
    "ushort 0..255": ("u2", 1, 1),
    "ushort 0..65535": ("u2", 257, 1),
    "float 0..1": ("f4", 1, 255),
    "double 0..1": ("f8", 1, 255),
    "float 0..255": ("f4", 1, 1),
    "double 0..255": ("f8", 1, 1),
}


def write_ply(path: Path, names=RGB, form="uchar", colors=COLORS, **more: NDArray) -> Path:
    dtype, times, divided_by = FORMS[form]
    kinds = [*((a, "f4") for a in "xyz"), *((n, dtype) for n in names), *((n, "f4") for n in more)]
    table = np.empty(len(POINTS), kinds)
    for axis, name in enumerate("xyz"):
        table[name] = POINTS[:, axis]
    for channel, name in enumerate(names):
        table[name] = colors[:, channel].astype(np.float64) * times / divided_by
    for name, values in more.items():
        table[name] = values
    PlyData([PlyElement.describe(table, "vertex")]).write(str(path))
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("names", [RGB, tuple(f"diffuse_{c}" for c in RGB), tuple("rgb")])
def test_colours_of_a_ply_in_every_form(tmp_path: Path, form: str, names) -> None:
    path = write_ply(tmp_path / "a.ply", names, form)
    stored = read_point_file(path)
    np.testing.assert_array_equal(stored.points, POINTS.astype(np.float64))
    np.testing.assert_array_equal(stored.colors, COLORS)
    assert stored.normals is None
    assert stored.faces is None
    for cloud in (read_sweep_file(path), read_scan_file(path).cloud):  # a sweep and a scan
        np.testing.assert_array_equal(cloud.points, POINTS)
        np.testing.assert_array_equal(cloud.colors, COLORS)


@pytest.mark.parametrize("scale", [1, 255])
@pytest.mark.parametrize("suffix", [".xyzrgb", ".obj"])
def test_text_formats_with_fractions_and_with_bytes(
    tmp_path: Path, scale: int, suffix: str
) -> None:
    points, faces = world_mesh()
    colors = np.resize(COLORS, (len(points), 3))
    start = "v " if suffix == ".obj" else ""
    rows = np.c_[points, colors / 255 * scale]
    lines = [start + " ".join(f"{value:.7f}" for value in row) for row in rows]
    if suffix == ".obj":
        lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces]
    path = tmp_path / f"a{suffix}"
    path.write_text("\n".join(lines) + "\n")
    stored = read_point_file(path)
    assert stored.colors is not None
    order, found = np.lexsort(points.T), np.lexsort(stored.points.T)  # an OBJ's are reordered
    np.testing.assert_array_equal(stored.colors[found], colors[order])
    assert (stored.faces is None) == (suffix == ".xyzrgb")


def test_a_pcd_and_a_pts_have_bytes(tmp_path: Path) -> None:
    vector = open3d.utility.Vector3dVector
    cloud = open3d.geometry.PointCloud(vector(POINTS.astype(np.float64)))
    cloud.colors = vector(COLORS / 255)
    for name in ("a.pcd", "a.pts"):
        assert open3d.io.write_point_cloud(str(tmp_path / name), cloud)
        np.testing.assert_array_equal(read_point_file(tmp_path / name).colors, COLORS)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.97])
def test_a_pts_cut_short_is_never_filled_up(tmp_path: Path, share: float) -> None:
    # Open3D returns as many points as the header says, with arbitrary numbers for the missing ones.
    path = tmp_path / "a.pts"
    lines = [f"{x:.4f} {y:.4f} {z:.4f} 10 20 30" for x, y, z in POINTS.tolist()]
    path.write_text("\n".join([str(len(lines)), *lines]) + "\n")
    assert len(read_point_file(path).points) == 40
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"a\.pts is damaged or cut short \(.*promises 40 points"):
        read_point_file(path)


def test_a_pts_without_its_number_of_points_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_text("1 2 3\n4 5 6\n")
    assert read_point_file(tmp_path / "a.pts").points.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_colours_of_no_known_form_are_named(tmp_path: Path) -> None:
    path = write_ply(tmp_path / "a.ply", form="float 0..255", colors=COLORS * 2.0)
    for read in (read_point_file, read_sweep_file, read_scan_file):
        with pytest.raises(InputError, match=r"a\.ply: colours must not exceed 255"):
            read(path)
    spoiled = np.where(np.arange(40)[:, None] == 7, np.nan, COLORS)
    path = write_ply(tmp_path / "nan.ply", form="float 0..1", colors=spoiled)
    with pytest.raises(InputError, match=r"nan\.ply: colours must not be NaN"):
        read_point_file(path)


def test_a_place_far_from_the_origin_keeps_its_millimetres(tmp_path: Path) -> None:
    points = POINTS.astype(np.float64) + np.array([412_345.125, 5_654_321.5, 100])
    np.save(tmp_path / "a.npy", points)
    np.testing.assert_array_equal(read_point_file(tmp_path / "a.npy").points, points)
    (tmp_path / "a.xyz").write_text("\n".join(" ".join(map(repr, p)) for p in points.tolist()))
    np.testing.assert_array_equal(read_point_file(tmp_path / "a.xyz").points, points)


def test_normals_are_unit_or_unknown(tmp_path: Path) -> None:
    normals = np.random.default_rng(2).normal(size=(40, 3))
    normals[0], normals[1, 2], normals[2] = 0, np.nan, [3, 0, 4]
    path = write_ply(tmp_path / "a.ply", nx=normals[:, 0], ny=normals[:, 1], nz=normals[:, 2])
    found = read_point_file(path).normals
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:2], 0)
    np.testing.assert_allclose(found[2], [0.6, 0, 0.8])
    np.testing.assert_allclose(np.linalg.norm(found[2:], axis=1), 1, rtol=1e-6)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.dxf is in none of the formats \.bin, \.npy, \.npz"):
        read_point_file(tmp_path / "a.dxf")
    (tmp_path / "folder.ply").mkdir()
    with pytest.raises(InputError, match=r"folder\.ply cannot be read"):
        read_point_file(tmp_path / "folder.ply")
    np.save(tmp_path / "a.npy", np.empty((0, 3)))
    with pytest.raises(InputError, match=r"a\.npy holds no points"):
        read_point_file(tmp_path / "a.npy")
