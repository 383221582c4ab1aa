"""Scans to apply a network to: what is found, and what of each the network sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, write_labelled_scene
from pointcontrast.pictures.point_ply import write_point_ply
from pointcontrast.recordings.single_scan import find_scans, read_single_scan, unique_names

POINTS = np.random.default_rng(0).uniform(0, 2, (50, 3)).astype(np.float32)
COLORS = np.random.default_rng(1).integers(0, 256, (50, 3)).astype(np.uint8)
SQUARE = np.float64([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
FACES = np.array([[0, 1, 2], [0, 2, 3]])


def write_scene(folder: Path) -> Path:
    labels = np.zeros(len(POINTS), np.int32)
    write_labelled_scene(
        folder,
        LabelledScene(coord=POINTS, color=COLORS, semantic=labels, class_names=("floor",)),
    )
    return folder


def test_files_scenes_and_folders_are_found_in_order(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "all" / "scene")
    write_point_ply(tmp_path / "all" / "b.ply", POINTS, COLORS)
    write_point_ply(tmp_path / "all" / "deep" / "er" / "b.PLY", POINTS, COLORS)
    (tmp_path / "all" / "notes.pdf").touch()
    (tmp_path / "all" / ".hidden.ply").touch()
    found = find_scans([tmp_path / "all" / "b.ply", tmp_path / "all"])
    assert found == [
        tmp_path / "all" / "b.ply", tmp_path / "all" / "deep" / "er" / "b.PLY", scene,
    ]  # fmt: skip
    assert unique_names(found) == ["all__b", "er__b", "all__scene"]
    assert unique_names(found[1:]) == ["b", "scene"]
    assert unique_names([tmp_path / "a.ply", tmp_path / "a.pcd"]) == ["a_ply", "a_pcd"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no scan"):
        find_scans([tmp_path / "empty"])
    with pytest.raises(InputError, match="does not exist"):
        find_scans([tmp_path / "absent.ply"])


@pytest.mark.parametrize("where", [0.0, 5_200_000.0])
def test_a_mesh_keeps_its_vertices_and_is_seen_on_its_faces(tmp_path: Path, where: float) -> None:
    colors = np.uint8([[255, 0, 0]] * 4)
    write_point_ply(tmp_path / "m.ply", SQUARE + where, colors, faces=FACES)
    scan = read_single_scan(tmp_path / "m.ply", "m")
    np.testing.assert_array_equal(scan.points, SQUARE + where)
    assert scan.faces is not None
    np.testing.assert_array_equal(scan.faces, FACES)
    assert len(scan.surface) == 10_000  # a square metre
    near = scan.seen_points[4:] - where
    assert near.min() >= -1e-6
    assert near.max() <= 1 + 1e-6
    assert np.abs(near[:, 2]).max() < 1e-6
    assert len(np.unique(near[:, 0])) > 9000  # not rounded to what float32 holds out there
    assert scan.seen_colors is not None
    assert (scan.seen_colors == [255, 0, 0]).all()
    assert scan.seen_normals is None


def test_points_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    points = POINTS.copy()
    points[[3, 7]] = np.nan
    write_point_ply(tmp_path / "organised.ply", points, COLORS)
    scan = read_single_scan(tmp_path / "organised.ply", "organised")
    assert scan.rows is not None
    assert scan.colors is not None
    assert len(scan.points) == 48
    np.testing.assert_array_equal(scan.points, points[scan.rows])
    np.testing.assert_array_equal(scan.colors, COLORS[scan.rows])
    write_point_ply(tmp_path / "nothing.ply", np.full((4, 3), np.nan), COLORS[:4])
    with pytest.raises(InputError, match="no point with finite coordinates"):
        read_single_scan(tmp_path / "nothing.ply", "nothing")
    write_point_ply(tmp_path / "mesh.ply", np.vstack([SQUARE[:3], [[np.nan] * 3]]), COLORS[:4],
                    faces=FACES)  # fmt: skip
    with pytest.raises(InputError, match="repair the mesh"):
        read_single_scan(tmp_path / "mesh.ply", "mesh")


def test_a_labelled_scene_brings_its_labels_and_up(tmp_path: Path) -> None:
    scan = read_single_scan(write_scene(tmp_path / "scene"), "scene")
    assert scan.class_names == ("floor",)
    assert scan.labels is not None
    assert scan.up == (0.0, 0.0, 1.0)
    np.testing.assert_array_equal(scan.points, POINTS)


def test_text_of_three_and_six_columns(tmp_path: Path) -> None:
    path = tmp_path / "room.txt"
    np.savetxt(path, np.hstack([POINTS, COLORS]), fmt="%.3f %.3f %.3f %d %d %d")
    scan = read_single_scan(path, "room")
    assert scan.colors is not None
    np.testing.assert_array_equal(scan.colors, COLORS)
    np.testing.assert_allclose(scan.points, POINTS, atol=6e-4)
    np.savetxt(path, np.hstack([POINTS, np.tile([0.0, 0.6, 0.8], (50, 1))]))
    scan = read_single_scan(path, "room")
    assert scan.colors is None
    assert scan.normals is not None
    np.testing.assert_allclose(scan.normals[0], [0, 0.6, 0.8], atol=1e-6)
    np.savetxt(path, POINTS)
    assert read_single_scan(path, "room").colors is None
    path.write_text("x y z\n1 2 3\n")
    assert read_single_scan(path, "room").points.tolist() == [[1, 2, 3]]
    path.write_text("1 2\n3 4\n")
    with pytest.raises(InputError, match="no row starts with three numbers, the first is '1 2'"):
        read_single_scan(path, "room")


def test_far_points_are_written_with_their_digits(tmp_path: Path) -> None:
    far = POINTS.astype(np.float64) + 5_200_000
    write_point_ply(tmp_path / "far.ply", far, COLORS, columns={"label": np.arange(50)[::-1]})
    scan = read_single_scan(tmp_path / "far.ply", "far")
    np.testing.assert_array_equal(scan.points, far)
