"""Reader of PLY files, vertex normals against a loop, and wrong files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from downstream.releases.scannet.mesh import Mesh, read_mesh, read_vertex_labels, vertex_normals
from pointcontrast.errors import InputError
from tests.releases.scannet.files import write_ply


def make_mesh(seed: int = 0) -> Mesh:
    rng = np.random.default_rng(seed)
    return Mesh(
        rng.normal(size=(40, 3)).astype(np.float32),
        rng.integers(0, 256, (40, 3), dtype=np.uint8),
        rng.integers(0, 39, (90, 3), dtype=np.int32),  # vertex 39 has no triangle
    )


def write(path: Path, mesh: Mesh, labels: np.ndarray | None = None) -> Path:
    write_ply(path, mesh.vertices, mesh.colors, mesh.triangles, labels)
    return path


def test_round_trip(tmp_path: Path):
    mesh = make_mesh()
    found = read_mesh(write(tmp_path / "mesh.ply", mesh))
    for name in ("vertices", "colors", "triangles"):
        np.testing.assert_array_equal(getattr(found, name), getattr(mesh, name))
        assert getattr(found, name).dtype == getattr(mesh, name).dtype
    labels = np.arange(40) * 1600
    path = write(tmp_path / "labels.ply", mesh, labels)
    np.testing.assert_array_equal(read_vertex_labels(path, mesh), labels)


def test_normals_against_a_loop():
    mesh = make_mesh(1)
    expected = np.zeros((40, 3))
    for a, b, c in mesh.triangles:
        p, q, r = mesh.vertices[[a, b, c]].astype(float)
        for corner in (a, b, c):
            expected[corner] += np.cross(q - p, r - p) / 2  # area times unit normal
    lengths = np.linalg.norm(expected, axis=1)
    expected[lengths > 0] /= lengths[lengths > 0, None]
    found = vertex_normals(mesh)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.dtype == np.float32
    assert (found[39] == 0).all(), "no triangle, no direction"


def test_a_square_faces_the_side_of_counter_clockwise_triangles():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    mesh = Mesh(square, np.zeros((4, 3), np.uint8), triangles)
    np.testing.assert_array_equal(vertex_normals(mesh), np.tile([0, 0, 1], (4, 1)))


@pytest.mark.parametrize("kept", [0, 3, 40, 0.3, 0.999])
def test_files_cut_short(tmp_path: Path, kept: float):
    path = write(tmp_path / "mesh.ply", make_mesh())
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept >= 3 else kept * len(content))])
    with pytest.raises(InputError, match=r"mesh\.ply is not a whole PLY file"):
        read_mesh(path)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b"property uchar green", b"property uchar grean", "no property 'green'"),
        (b"property float y", b"property float w", "no property 'y'"),
        (b"element vertex 40", b"element vertez 40", "no property"),
        (b"element face 90", b"element fake 90", "no faces"),
        (b"element face 90", b"element face 9999999999999", "not a whole PLY"),
        (b"vertex_indices", b"vertex_indexes", "no faces"),
        (b"ply\nformat", b"obj\nformat", "not a whole PLY"),
    ],
)
def test_files_with_another_header(tmp_path: Path, old: bytes, new: bytes, match: str):
    path = write(tmp_path / "mesh.ply", make_mesh())
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(InputError, match=match):
        read_mesh(path)


def test_bad_content(tmp_path: Path):
    mesh = make_mesh()
    path = tmp_path / "mesh.ply"
    with pytest.raises(InputError, match=r"mesh\.ply does not exist"):
        read_mesh(path)
    write(path, Mesh(mesh.vertices, mesh.colors, mesh.triangles + 20))
    with pytest.raises(InputError, match="only 40 vertices"):
        read_mesh(path)
    write(path, Mesh(np.full((40, 3), np.nan, np.float32), mesh.colors, mesh.triangles))
    with pytest.raises(InputError, match="NaN"):
        read_mesh(path)
    write(path, Mesh(mesh.vertices[:0], mesh.colors[:0], mesh.triangles[:0]))
    with pytest.raises(InputError, match="no vertices"):
        read_mesh(path)


def test_labels_of_another_mesh(tmp_path: Path):
    mesh, labels = make_mesh(), np.zeros(40, dtype=np.uint16)
    path = write(tmp_path / "labels.ply", mesh)
    with pytest.raises(InputError, match=r"labels\.ply has no property 'label'"):
        read_vertex_labels(path, mesh)
    write(path, mesh, labels)
    with pytest.raises(InputError, match="has 40 vertices, the scan's mesh 39"):
        read_vertex_labels(path, replace(mesh, vertices=mesh.vertices[:39]))
    with pytest.raises(InputError, match="other vertices"):
        read_vertex_labels(path, replace(mesh, vertices=mesh.vertices + np.float32(0.01)))
