from __future__ import annotations

import numpy as np

from pointcontrast.recordings.reconstruction.surface_points import sample_surface

VERTICES = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [4, 4, 0], [0, 0, 0.5]], float)
FACES = np.array([[0, 1, 2], [1, 3, 2], [0, 2, 4]])  # areas 8, 8 and 1
COLORS = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0], [200, 200, 0], [0, 0, 250]], np.uint8)


def sample(density: float = 1000.0, max_points: int = 10**6):
    rng = np.random.default_rng(0)
    return sample_surface(VERTICES, FACES, COLORS, density, max_points, rng)


def test_points_are_uniform_on_the_faces() -> None:
    cloud = sample()
    assert len(cloud) == 17_000
    x, _, z = cloud.points.T
    upright = np.abs(x) < 1e-6
    assert abs(np.count_nonzero(upright & (z > 0)) - 1000) <= 2  # its share of the area
    flat = cloud.points[z == 0]
    counts, _, _ = np.histogram2d(flat[:, 0], flat[:, 1], bins=8, range=[[0, 4], [0, 4]])
    assert counts.min() > 180  # 250 expected a square of a quarter square metre
    assert counts.max() < 320
    assert np.abs(cloud.normals[z == 0] - [0, 0, 1]).max() < 1e-6
    assert np.abs(np.abs(cloud.normals[upright & (z > 0)]) - [1, 0, 0]).max() < 1e-6


def test_colours_are_mixed_linearly() -> None:
    cloud = sample()
    flat = cloud.points[:, 2] == 0
    np.testing.assert_allclose(cloud.colors[flat, :2], cloud.points[flat, :2] * 50, atol=0.51)


def test_the_count_is_bounded_and_flat_meshes_are_empty() -> None:
    assert len(sample(max_points=100)) == 100
    line = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], float)
    empty = sample_surface(line, np.array([[0, 1, 2]]), None, 1e4, 10, np.random.default_rng(0))
    assert len(empty) == 0
    assert empty.colors is None
