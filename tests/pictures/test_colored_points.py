from __future__ import annotations

from pathlib import Path

import numpy as np
from plyfile import PlyData

from pointcontrast.pictures.colored_points import ColoredPoints, write_ply
from tests.helpers.small_clouds import BLUE, RED, room


def test_ply_reads_back_points_colours_and_segments(tmp_path: Path) -> None:
    target = room(np.random.default_rng(4), 50)
    ends = np.random.default_rng(5).normal(size=(3, 2, 3)).astype(np.float32)
    colors = np.array([RED, BLUE, RED], dtype=np.uint8)
    path = tmp_path / "cloud.ply"
    write_ply(path, ColoredPoints(target.points, target.colors, "", ends, colors))
    ply = PlyData.read(str(path))
    vertices = ply["vertex"].data
    points = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    np.testing.assert_array_equal(points[:50], target.points)
    rgb = np.stack([vertices[name] for name in ("red", "green", "blue")], axis=1)
    np.testing.assert_array_equal(rgb[:50], target.colors)
    edges = ply["edge"].data
    np.testing.assert_array_equal(points[edges["vertex1"]], ends[:, 0])
    np.testing.assert_array_equal(points[edges["vertex2"]], ends[:, 1])
    np.testing.assert_array_equal(edges["blue"], colors[:, 2])
