from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import open3d
import pytest
from plyfile import PlyData

from downstream.predictions.class_colors import class_colors, palette_of
from downstream.predictions.files import (
    read_scannet_submission,
    write_prediction_ply,
    write_scannet_submission,
    zip_scannet_submission,
)
from downstream.releases.scannet.classes import CLASS_NAMES, class_rows
from pointcontrast.errors import InputError


def test_a_cloud_opens_in_other_programs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = rng.random((50, 3)).astype(np.float32)
    predictions = rng.integers(-1, 3, 50)
    truth = rng.integers(-2, 3, 50)
    path = tmp_path / "Area_5" / "office.ply"
    write_prediction_ply(path, points, predictions, ["wall", "floor", "a b"], labels=truth)
    ply = PlyData.read(path)
    vertices = ply["vertex"].data
    np.testing.assert_array_equal(np.stack([vertices[a] for a in "xyz"], axis=1), points)
    np.testing.assert_array_equal(vertices["label"], predictions)
    np.testing.assert_array_equal(vertices["truth"], np.maximum(truth, -1))
    assert any("class 2 a b" in comment for comment in ply.comments)
    cloud = open3d.io.read_point_cloud(str(path))
    colors = np.round(np.asarray(cloud.colors) * 255).astype(int)
    palette = class_colors(3)
    for prediction, color in zip(predictions, colors, strict=True):
        expected = (128, 128, 128) if prediction < 0 else palette[prediction]
        np.testing.assert_array_equal(color, expected)


def test_a_mesh_keeps_its_faces(tmp_path: Path) -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    path = tmp_path / "mesh.ply"
    write_prediction_ply(path, points, np.array([0, 1, 1, -1]), ["a", "b"], faces=faces)
    mesh = open3d.io.read_triangle_mesh(str(path))
    np.testing.assert_array_equal(np.asarray(mesh.triangles), faces)
    np.testing.assert_array_equal(np.asarray(mesh.vertices), points)
    colors = np.round(np.asarray(mesh.vertex_colors) * 255).astype(int)
    np.testing.assert_array_equal(
        colors, np.vstack([class_colors(2), (128, 128, 128)])[[0, 1, 1, 2]]
    )
    for wrong, message in ((faces + 2, "faces name vertices outside 0..3"), (faces[:, :2], "not ")):
        with pytest.raises(InputError, match=message):
            write_prediction_ply(path, points, np.zeros(4, int), ["a", "b"], faces=wrong)


def test_colours_are_far_apart() -> None:
    palette = class_colors(50).astype(int)
    apart = np.abs(palette[:, None] - palette[None]).max(axis=2) + 255 * np.eye(50, dtype=int)
    assert apart.min() >= 51
    assert np.array_equal(class_colors(13), class_colors(50)[:13])  # a class keeps its colour


def test_scannet_has_the_colours_it_is_known_by() -> None:
    palette = palette_of(CLASS_NAMES)
    assert palette[[0, 1, 14, 19]].tolist() == [
        [174, 199, 232],
        [152, 223, 138],
        [255, 127, 14],
        [82, 84, 163],
    ]
    assert len(np.unique(palette, axis=0)) == len(CLASS_NAMES)
    np.testing.assert_array_equal(palette_of(CLASS_NAMES[:5]), class_colors(5))
    assert len(np.unique(class_colors(200), axis=0)) == 200
    with pytest.raises(InputError, match="201 classes"):
        class_colors(201)


def test_a_file_has_the_colours_that_are_given_and_a_header_of_ascii_lines(tmp_path: Path) -> None:
    path = tmp_path / "room.ply"
    colors = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    names = ["caf\u00e9\nend_header", "floor"]
    write_prediction_ply(path, np.zeros((2, 3), np.float32), np.array([1, 0]), names, colors=colors)
    ply = PlyData.read(path)
    assert not ply.text
    assert ply["vertex"].data["green"].tolist() == [5, 2]
    assert "truth" not in ply["vertex"].data.dtype.names
    assert "caf\\xe9 end_header" in ply.comments[0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["room.ply"]


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([0, 2], None, "room.ply: prediction 2 is none of the 2 classes"),
        ([-2, 0], None, "prediction -2 is none"),
        ([0], None, "do not fit together"),
        ([0, 1], [0], "do not fit together"),
        ([0, 1], [0, 7], "label 7 is none of the 2 classes"),
    ],
)
def test_what_does_not_fit_is_named_and_not_written(
    tmp_path: Path, predictions: list, labels: list | None, message: str
) -> None:
    points, truth = np.zeros((2, 3), np.float32), None if labels is None else np.array(labels)
    with pytest.raises(InputError, match=message):
        write_prediction_ply(
            tmp_path / "room.ply", points, np.array(predictions), ["a", "b"], labels=truth
        )
    assert not list(tmp_path.iterdir())


def test_a_submission_holds_benchmark_ids(tmp_path: Path) -> None:
    predictions = np.array([0, 19, 12, 5])
    folder = tmp_path / "submission.v2"
    path = write_scannet_submission(folder, "scene0707_00", predictions)
    assert path.read_bytes() == b"1\n39\n14\n6\n"
    np.testing.assert_array_equal(class_rows(np.array([1, 39, 14, 6])), predictions)
    packed = zip_scannet_submission(folder)
    assert packed == tmp_path / "submission.v2.zip"
    with zipfile.ZipFile(packed) as file:
        assert file.namelist() == ["scene0707_00.txt"]
        assert file.read("scene0707_00.txt") == path.read_bytes()


def test_every_class_comes_back_from_a_submission(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 3))
    path = write_scannet_submission(tmp_path, "scene0707_00", rows)
    np.testing.assert_array_equal(read_scannet_submission(path, len(rows)), rows)


def test_a_bad_submission_is_not_written(tmp_path: Path) -> None:
    for wrong in (20, -1):
        with pytest.raises(InputError, match=f"scene0708_00: prediction {wrong} is none of the 20"):
            write_scannet_submission(tmp_path, "scene0708_00", np.array([3, wrong]))
    with pytest.raises(InputError, match="is not a scan's id"):
        write_scannet_submission(tmp_path, "../office", np.array([0]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n2\n", "has 2 lines, the scan's mesh 3 vertices"),
        ("1\n2\n13\n", "line 3: 13 is none of the 20 NYU40 ids"),
        ("1\n-2\n2\n", "line 2: -2 is none"),
        ("1\n2\n41\n", "line 3: 41 is none"),
        ("1\n2\nwall\n", "is not one whole number a line"),
        ("1\n\n2\n", "is not one whole number a line"),
    ],
)
def test_a_damaged_submission_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "scene0707_00.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_scannet_submission(path, 3)


def test_only_whole_submissions_are_packed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_scannet_submission(tmp_path / "scene0707_00.txt")
    with pytest.raises(InputError, match="no scene"):
        zip_scannet_submission(tmp_path / "nothing")
    folder = tmp_path / "submission"
    write_scannet_submission(folder, "scene0707_00", np.array([0]))
    (folder / "scene0708_00.txt").write_text("13\n")
    with pytest.raises(InputError, match="13 is none"):
        zip_scannet_submission(folder)
    (folder / "scene0708_00.txt").rename(folder / "scene0708.txt")
    with pytest.raises(InputError, match="'scene0708' is not a scan's id"):
        zip_scannet_submission(folder)
    assert not (tmp_path / "submission.zip").exists()
