"""Scenes far from zero: networks see what they see near zero, files are in the source's frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from downstream.benchmarks import Synthia4D
from downstream.benchmarks.labelled_scenes import upright_cloud
from downstream.predictions.box_picture import write_boxes_ply
from downstream.releases.grid import GridSettings
from downstream.releases.scannet.mesh import read_mesh, read_vertex_labels
from downstream.releases.synthia4d.classes import CLASS_NAMES as STREET
from downstream.releases.synthia4d.frames import convert_frame
from downstream.samples import SampleMaker
from downstream.types import DetectedBoxes
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene, write_labelled_scene

UTM = np.array([450_123.0, 5_201_234.0, 312.0])
CLASSES = ("wall", "floor")


def room(seed: int = 0, count: int = 2000) -> np.ndarray:
    return np.rint(np.random.default_rng(seed).uniform(0, 5, (count, 3)) * 1000) / 1000 + 0.0003


def stored(folder: Path, points: np.ndarray, **more: Any) -> LabelledScene:
    rng = np.random.default_rng(1)
    count = len(points)
    arrays: dict[str, Any] = {"coord": points, "semantic": rng.integers(-1, 2, count)}
    colors = rng.integers(0, 256, (count, 3)).astype(np.uint8)
    more = {"class_names": CLASSES, **more}
    write_labelled_scene(folder, LabelledScene(**arrays, color=colors, **more))
    return read_labelled_scene(folder)


@pytest.mark.parametrize("voxel_size", [0.02, 0.05, 0.1])
def test_a_network_sees_the_same_voxels_in_utm(tmp_path: Path, voxel_size: float) -> None:
    near = upright_cloud(stored(tmp_path / "near", room()), "near")
    far = upright_cloud(stored(tmp_path / "far", room() + UTM), "far")
    make = SampleMaker(NetworkInput(voxel_size=voxel_size, features=("color", "height")))
    expected, found = make(near, None), make(far, None)
    np.testing.assert_array_equal(found.coordinates, expected.coordinates)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.features, expected.features, atol=1e-5)


def test_points_that_lost_their_places_are_not_voxelised(tmp_path: Path) -> None:
    cloud = upright_cloud(stored(tmp_path / "far", room() + UTM), "scene_1")
    lost = replace(cloud, points=(room() + UTM).astype(np.float32))
    make = SampleMaker(NetworkInput(voxel_size=0.05))
    with pytest.raises(InputError, match=r"^scene_1: x reaches 45012\d m, where float32 steps"):
        make(lost, None)


@pytest.mark.parametrize("up_axis", ["z", "y", "-x"])
def test_clouds_know_the_frame_of_their_source(tmp_path: Path, up_axis: str) -> None:
    points = room() + UTM
    cloud = upright_cloud(stored(tmp_path / "a", points, up_axis=up_axis), "a")
    np.testing.assert_allclose(cloud.in_source_frame(cloud.points), points, rtol=0, atol=1e-5)
    assert np.abs(cloud.points).max() < 4
    rows = np.array([5, 3])
    moved = cloud[rows]
    np.testing.assert_allclose(moved.in_source_frame(moved.points), points[rows], atol=1e-5)


def test_clouds_near_zero_keep_their_frame_and_bits(tmp_path: Path) -> None:
    cloud = upright_cloud(stored(tmp_path / "a", room()), "a")
    assert cloud.source_from_cloud is None
    assert cloud.in_source_frame(cloud.points) is cloud.points
    np.testing.assert_array_equal(cloud.points, room().astype(np.float32))


def test_frames_of_a_clip_share_an_origin(tmp_path: Path) -> None:
    places = [room(seed, 300) + UTM + np.array([40 * seed, 0, 0]) for seed in range(3)]
    for number, points in enumerate(places):
        name = f"SYNTHIA-SEQS-05-FOG/{number:06d}"
        stored(tmp_path / name, points, up_axis="y", class_names=STREET)
    benchmark = Synthia4D(str(tmp_path), frames_per_clip=3, evaluation_crop=0)
    (name,) = benchmark.names("validation")
    clip = benchmark.read(name)
    expected = np.concatenate(places)
    np.testing.assert_allclose(clip.in_source_frame(clip.points), expected, rtol=0, atol=1e-4)


def test_boxes_are_written_in_the_frame_of_the_source(tmp_path: Path) -> None:
    boxes = np.array([[*(UTM + 1), 1, 2, 1, 0, 1]])
    cloud = upright_cloud(stored(tmp_path / "a", room() + UTM, boxes=boxes), "a")
    scene = read_labelled_scene(tmp_path / "a")
    assert scene.boxes is not None
    found = DetectedBoxes(
        boxes=scene.boxes[:, :7], classes=np.array([1]), scores=np.ones(1, np.float32)
    )
    (path,) = write_boxes_ply(tmp_path / "out", cloud, found, CLASSES)
    vertices = PlyData.read(str(path))["vertex"].data
    written = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    np.testing.assert_allclose(written[:2000], room() + UTM, rtol=0, atol=1e-5)
    corners = written[2000:].reshape(-1, 2, 3)[:12].reshape(-1, 3)
    np.testing.assert_allclose(corners.min(axis=0), UTM + np.array([0.5, 0, 0.5]), atol=1e-4)
    np.testing.assert_allclose(corners.max(axis=0), UTM + np.array([1.5, 2, 1.5]), atol=1e-4)


def write_ply(path: Path, points: np.ndarray, **columns: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {axis: points[:, i] for i, axis in enumerate("xyz")} | columns
    kinds = [(name, column.dtype.str) for name, column in columns.items()]
    table = np.empty(len(points), kinds)
    for name, column in columns.items():
        table[name] = column
    faces = np.empty(1, [("vertex_indices", "<i4", (3,))])
    faces["vertex_indices"] = [[0, 1, 2]]
    elements = [PlyElement.describe(table, "vertex"), PlyElement.describe(faces, "face")]
    PlyData(elements).write(str(path))


def test_meshes_of_scannets_layout_keep_their_places(tmp_path: Path) -> None:
    points = room(count=200) + UTM
    colors = {name: np.full(200, 90, np.uint8) for name in ("red", "green", "blue")}
    labels = np.arange(200, dtype=np.uint16) % 40
    write_ply(tmp_path / "mesh.ply", points, **colors)
    write_ply(tmp_path / "labels.ply", points, **colors, label=labels)
    mesh = read_mesh(tmp_path / "mesh.ply")
    np.testing.assert_allclose(mesh.vertices + mesh.origin, points, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(read_vertex_labels(tmp_path / "labels.ply", mesh), labels)
    write_ply(tmp_path / "labels.ply", points + np.array([0.01, 0, 0]), **colors, label=labels)
    with pytest.raises(InputError, match="other vertices"):
        read_vertex_labels(tmp_path / "labels.ply", mesh)


@pytest.mark.parametrize("grid", [0.0, 0.01])
def test_frames_of_synthias_layout_keep_their_places(tmp_path: Path, grid: float) -> None:
    points = room(count=500)
    sizes = []
    for name, places in (("near", points), ("far", points + UTM)):
        path = tmp_path / name / "SYNTHIA-SEQS-05-FOG" / "point_clouds" / "000000.ply"
        colors = {c: np.full(500, 90, np.uint8) for c in ("red", "green", "blue")}
        write_ply(path, places * 100, **colors, label=np.full(500, 3, np.uint8))
        convert_frame(tmp_path / name, "SYNTHIA-SEQS-05-FOG/000000", tmp_path / "out" / name,
                      GridSettings(grid=grid))  # fmt: skip
        scene = read_labelled_scene(tmp_path / "out" / name / "SYNTHIA-SEQS-05-FOG" / "000000")
        sizes.append(len(scene))
        if not grid:
            np.testing.assert_allclose(scene.source_points, places, rtol=0, atol=1e-5)
    assert sizes[0] == sizes[1]
