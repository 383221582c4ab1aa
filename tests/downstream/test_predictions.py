from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import open3d
import pytest
from plyfile import PlyData

from downstream.class_colors import class_colors
from downstream.predictions import (
    write_prediction_ply,
    write_scannet_submission,
    zip_scannet_submission,
)
from pointcontrast.errors import InputError
from pointcontrast.scannet.classes import class_rows


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


def test_colours_are_far_apart() -> None:
    palette = class_colors(50).astype(int)
    apart = np.abs(palette[:, None] - palette[None]).max(axis=2) + 255 * np.eye(50, dtype=int)
    assert apart.min() >= 51
    assert np.array_equal(class_colors(13), class_colors(50)[:13])  # a class keeps its colour


def test_a_submission_holds_benchmark_ids(tmp_path: Path) -> None:
    predictions = np.array([0, 19, 12, 5])
    path = write_scannet_submission(tmp_path / "submission", "scene0707_00", predictions)
    ids = [int(line) for line in path.read_text().splitlines()]
    assert ids == [1, 39, 14, 6] or class_rows(np.array(ids)).tolist() == predictions.tolist()
    np.testing.assert_array_equal(class_rows(np.array(ids)), predictions)
    packed = zip_scannet_submission(tmp_path / "submission")
    with zipfile.ZipFile(packed) as file:
        assert file.namelist() == ["scene0707_00.txt"]
        assert file.read("scene0707_00.txt") == path.read_bytes()
    with pytest.raises(InputError, match="scene0708_00: predictions must be rows"):
        write_scannet_submission(tmp_path, "scene0708_00", np.array([20]))
    with pytest.raises(InputError, match="no scene"):
        zip_scannet_submission(tmp_path / "nothing")
