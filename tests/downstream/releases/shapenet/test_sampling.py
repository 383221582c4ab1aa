"""Points sampled on meshes: on the faces, uniformly by area, a function of seed and name."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from downstream.releases.shapenet.obj_mesh import ObjMesh
from downstream.releases.shapenet.shapes import sample_shape
from pointcontrast.errors import InputError
from tests.releases.shapenet.release import shape_mesh

SIZE = np.array([1.0, 2.0, 3.0])


def box() -> ObjMesh:
    """1 x 2 x 3 about the origin, and a triangle without area."""
    vertices = (np.array(list(itertools.product((0, 1), repeat=3))) - 0.5) * SIZE
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    triangles = [[q[0], q[i], q[i + 1]] for q in quads for i in (1, 2)]
    return ObjMesh(vertices, np.array([[0, 0, 1], *triangles]))


def test_faces_have_points_by_their_area():
    num_points = 20_000
    shape = sample_shape(box(), "a", num_points, np.random.default_rng(0))
    assert len(shape) == num_points
    assert shape.normal is not None
    for axis, area in enumerate((2 * 3, 1 * 3, 1 * 2)):
        for side in (-1, 1):
            direction = side * np.eye(3)[axis]
            inside = (shape.normal == direction.astype(np.float32)).all(axis=1)
            # one point for each equal share of the area: a face is at most two shares short
            assert abs(inside.sum() - num_points * area / 22) <= 2
            np.testing.assert_allclose(
                shape.coord[inside, axis], side * SIZE[axis] / 2, rtol=0, atol=1e-6
            )
            flat = np.delete(shape.coord[inside] / SIZE, axis, axis=1)  # within -0.5..0.5
            assert np.abs(flat).max() <= 0.5 + 1e-6
            # mean of a uniform position on the unit square, within five standard errors
            error = 5 / math.sqrt(inside.sum())
            np.testing.assert_allclose(flat.mean(axis=0), 0, atol=error * math.sqrt(1 / 12))
            np.testing.assert_allclose(
                (flat**2).mean(axis=0), 1 / 12, atol=error * math.sqrt(1 / 80 - 1 / 144)
            )
            np.testing.assert_allclose(flat.prod(axis=1).mean(), 0, atol=error / 12)


def test_a_triangle_is_covered_evenly():
    corners = np.array([[0, 0, 0], [2, 0, 1], [0.5, 1, 3]])
    num_points = 8000
    mesh = ObjMesh(corners, np.array([[0, 1, 2]]))
    shape = sample_shape(mesh, "a", num_points, np.random.default_rng(1))
    edges = np.stack([corners[1] - corners[0], corners[2] - corners[0]], axis=1)
    weights, *_ = np.linalg.lstsq(edges, (shape.coord - corners[0]).T.astype(float), rcond=None)
    np.testing.assert_allclose(edges @ weights, (shape.coord - corners[0]).T, atol=1e-6)
    u, v = weights
    assert min(u.min(), v.min(), (1 - u - v).min()) > -1e-6
    # Sixteen equal small triangles; the counts are multinomial: chi-square with 15 degrees, whose
    # 99.9th percentile is 37.7.
    row, column = np.floor(4 * u).astype(int), np.floor(4 * v).astype(int)
    upper = (4 * u - row) + (4 * v - column) > 1
    cells = np.bincount((row * 4 + column) * 2 + upper, minlength=32)
    counts = cells[cells > 0]
    assert len(counts) == 16
    expected = num_points / 16
    assert ((counts - expected) ** 2 / expected).sum() < 37.7


def test_points_lie_on_a_real_mesh():
    mesh = shape_mesh(0, "03001627", 1)
    shape = sample_shape(mesh, "a", 300, np.random.default_rng(0))
    assert shape.normal is not None
    corners = mesh.vertices[mesh.triangles]  # (T, 3, 3)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = cross / np.linalg.norm(cross, axis=1, keepdims=True)
    for point, normal in zip(shape.coord.astype(float), shape.normal, strict=True):
        height = np.abs(((point - corners[:, 0]) * normals).sum(axis=1))
        areas = [
            np.linalg.norm(np.cross(corners[:, i] - point, corners[:, i - 1] - point), axis=1)
            for i in range(3)
        ]
        spill = np.sum(areas, axis=0) - np.linalg.norm(cross, axis=1)  # 0 inside the triangle
        same = (normals * normal).sum(axis=1) > 1 - 1e-5
        assert ((height < 1e-6) & (spill < 1e-5) & same).any()
    assert (shape.coord.dtype, shape.normal.dtype) == (np.float32, np.float32)
    assert shape.part is None


@pytest.mark.parametrize("num_points", [1, 2, 4096])
def test_as_many_points_as_asked(num_points: int):
    for scale in (1e-5, 1.0, 1e4):
        mesh = ObjMesh(box().vertices * scale, box().triangles)
        assert len(sample_shape(mesh, "a", num_points, np.random.default_rng(0))) == num_points


def test_a_mesh_without_area_is_refused():
    flat = ObjMesh(np.array([[0.0, 0, 0], [1, 1, 1], [2, 2, 2]]), np.array([[0, 1, 2]]))
    with pytest.raises(InputError, match="no area"):
        sample_shape(flat, "a", 10, np.random.default_rng(0))
    far = ObjMesh(box().vertices * 1e200, box().triangles)
    with pytest.raises(InputError, match=r"reaches 1\.5e\+200 units"):
        sample_shape(far, "a", 10, np.random.default_rng(0))
