from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from pointcontrast.errors import InputError
from pointcontrast.pictures.colored_points import ColoredPoints, write_ply
from pointcontrast.recordings.point_files import read_point_file
from pointcontrast.recordings.reconstruction.scan_files import read_scan_file
from tests.helpers.box_world import ROOM, SOLIDS, colors_of, world_points
from tests.recordings.reconstruction.scan_file_writers import (
    write_by_open3d,
    write_glb,
    write_ply_mesh,
)

MESHES = ("binary.ply", "text.ply", "m.obj", "m.off", "m.stl", "m.glb")


def write(path: Path) -> Path:
    if path.suffix == ".glb":
        return write_glb(path)
    if path.suffix == ".ply":
        return write_ply_mesh(path, binary=path.stem == "binary")
    return write_by_open3d(path)


@pytest.mark.parametrize("name", MESHES)
def test_meshes_become_points_on_their_surface(tmp_path: Path, name: str) -> None:
    cloud = read_scan_file(write(tmp_path / name)).cloud
    points = cloud.points[:, [2, 0, 1]] if name.endswith(".glb") else cloud.points
    sizes = [high - low for low, high in (ROOM, *SOLIDS)]
    area = sum(2 * (s[0] * s[1] + s[1] * s[2] + s[0] * s[2]) for s in sizes)
    assert len(points) == pytest.approx(10_000 * area, rel=1e-3)
    np.testing.assert_allclose(points.min(axis=0), ROOM[0], atol=1e-3)
    np.testing.assert_allclose(points.max(axis=0), ROOM[1], atol=1e-3)
    gaps = [np.abs(points[:, a] - box[s, a]) for box in (ROOM, *SOLIDS)
            for s in (0, 1) for a in range(3)]  # fmt: skip
    assert np.min(gaps, axis=0).max() < 1e-5
    if name == "m.stl":
        assert cloud.colors is None
    else:
        assert np.abs(cloud.colors.astype(int) - colors_of(points)).max() <= 2


@pytest.mark.parametrize("name", ["c.ply", "c.pcd", "c.xyz", "c.pts", "c.xyzrgb"])
def test_clouds_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    points = world_points(0.03)
    path = tmp_path / name
    if name == "c.ply":
        write_ply(path, ColoredPoints(points, colors_of(points)))
    else:
        write_by_open3d(path)
    cloud = read_scan_file(path).cloud
    np.testing.assert_allclose(cloud.points, points, atol=1e-5)
    if name == "c.xyz":
        assert cloud.colors is None
    else:
        assert np.abs(cloud.colors.astype(int) - colors_of(points)).max() <= 1


def vertices_file(path: Path, **columns) -> Path:
    table = np.empty(len(next(iter(columns.values()))), [(c, "f4") for c in columns])
    for name, values in columns.items():
        table[name] = values
    PlyData([PlyElement.describe(table, "vertex")]).write(str(path))
    return path


def test_normals_of_a_cloud_are_made_unit(tmp_path: Path) -> None:
    one = np.arange(3.0)
    path = vertices_file(tmp_path / "n.ply", x=one, y=one, z=one, nx=[2, 0, np.nan], ny=[0, 0, 0],
                         nz=[0, 0, 1], red=[0, 0.5, 1], green=one * 0, blue=one * 0)  # fmt: skip
    cloud = read_scan_file(path).cloud
    assert cloud.normals is not None
    assert cloud.normals.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert cloud.colors is not None
    assert cloud.colors[:, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (1000, r"4e\+03 x 4e\+03 x 4e\+03 m in size.*--unit 0\.001 "),
        (0.001, r"0\.004 m across.*--unit "),
    ],
)
def test_absurd_extents_ask_for_the_unit(tmp_path: Path, scale: float, said: str) -> None:
    values = np.linspace(0, 4, 50) * scale
    path = vertices_file(tmp_path / "s.ply", x=values, y=values, z=values)
    with pytest.raises(InputError, match=said):
        read_scan_file(path)
    cloud = read_scan_file(path, unit=1 / scale).cloud
    np.testing.assert_allclose(np.ptp(cloud.points, axis=0), 4, rtol=1e-6)


@pytest.mark.parametrize("name", [*MESHES, "c.pcd"])
def test_files_cut_short_are_named(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    whole = path.read_bytes()
    for share in (0.0, 0.3, 0.95) if name != "m.obj" else (0.0, 0.3):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=f"{name}"):
            read_scan_file(path)


def test_other_damage_is_named(tmp_path: Path) -> None:
    one = np.arange(3.0)
    path = vertices_file(tmp_path / "n.ply", x=one, y=one, z=[0, np.nan, 1])
    scan = read_scan_file(path)
    assert scan.cloud.points.tolist() == [[0, 0, 0], [2, 2, 1]]
    assert scan.notes == (f"{path}: 1 of 3 points without finite coordinates are left out",)
    path = vertices_file(tmp_path / "all.ply", x=one, y=one, z=one * np.nan)
    with pytest.raises(InputError, match="no point with finite coordinates"):
        read_scan_file(path)
    path = vertices_file(tmp_path / "xy.ply", x=one, y=one)
    with pytest.raises(InputError, match=r"xy\.ply: its vertices have x, y, but no x y z"):
        read_scan_file(path)
    path = vertices_file(tmp_path / "none.ply", x=[], y=[], z=[])
    with pytest.raises(InputError, match="holds no points"):
        read_scan_file(path)
    (tmp_path / "nan.xyz").write_text("0 0 0\n1 1 nan\n2 2 2\n")
    assert len(read_scan_file(tmp_path / "nan.xyz").cloud) == 2
    for name in ("gone.ply", "gone.obj"):
        with pytest.raises(InputError, match=f"{name} does not exist"):
            read_scan_file(tmp_path / name)
    mesh = PlyData.read(str(write_ply_mesh(tmp_path / "m.ply")))
    mesh["face"].data["vertex_indices"][0] = [0, 1, 999]
    mesh.write(str(tmp_path / "far.ply"))
    with pytest.raises(InputError, match="names vertex 999 of 24"):
        read_scan_file(tmp_path / "far.ply")
    quads = np.empty(1, [("vertex_indices", "i4", (4,))])
    quads["vertex_indices"] = [0, 1, 2, 3]
    for text in (True, False):
        elements = [mesh["vertex"], PlyElement.describe(quads, "face")]
        PlyData(elements, text=text).write(str(tmp_path / "quads.ply"))
        assert read_point_file(tmp_path / "quads.ply").faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_an_obj_with_polygons_is_read_whole(tmp_path: Path) -> None:
    corners = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
    path = tmp_path / "polygons.obj"
    for faces in ("f 1 2 3 4\n", "f 1 2 3\nf 1 3 4\n", "f -4//1 -3//1 -2//1 -1//1\n"):
        path.write_text(corners + faces)
        assert len(read_scan_file(path).cloud) == 10_000  # a square metre
        assert read_point_file(path).faces.tolist() == [[0, 1, 2], [0, 2, 3]]
