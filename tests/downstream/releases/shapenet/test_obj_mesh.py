"""Reader of OBJ files against a slow reader, in all styles, and errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from downstream.releases.shapenet.obj_mesh import read_obj
from pointcontrast.errors import InputError
from tests.oracles import obj_mesh
from tests.releases.shapenet.release import obj_text, shape_mesh

CORNERS = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0.5 2 0\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "model.obj"
    path.write_bytes(text.encode())
    return path


def check(path: Path) -> None:
    found = read_obj(path)
    vertices, triangles = obj_mesh.read_obj(path)
    assert (found.vertices.dtype, found.triangles.dtype) == (np.float64, np.int64)
    np.testing.assert_array_equal(found.vertices, vertices)
    np.testing.assert_array_equal(found.triangles, triangles)


@pytest.mark.parametrize("style", range(12))
def test_every_style_is_read(tmp_path: Path, style: int):
    mesh = shape_mesh(1, "02958343", style)
    path = write(tmp_path, obj_text(mesh, style))
    check(path)
    found = read_obj(path)
    np.testing.assert_array_equal(found.vertices, mesh.vertices)
    order = np.lexsort(found.triangles.T), np.lexsort(mesh.triangles.T)
    np.testing.assert_array_equal(found.triangles[order[0]], mesh.triangles[order[1]])


def test_styles_differ():
    mesh = shape_mesh(1, "02958343", 0)
    faces = [
        [line for line in obj_text(mesh, style).splitlines() if line.startswith("f ")]
        for style in range(12)
    ]
    first = [lines[0] for lines in faces]
    assert {line.count("/") // (len(line.split()) - 1) for line in first} == {0, 1, 2}
    assert any("//" in line for line in first)
    assert any("-" in line for line in first)
    assert {max(len(line.split()) - 1 for line in lines) for lines in faces} == {3, 4}


@pytest.mark.parametrize(
    "faces",
    [
        "f 1 2 3 4 5",
        "f 1/1 2//2 3/3/3\nf 1 3 4",  # a mixture: two slashes a corner only on average
        "f 1//1 2/2/2 3//3\nf 1/7/7 3/7/7 4/7/7",
        "f 1/1/1 2/2/2 3/3/3 4/4/4\nf 3 4 5",
        "f\t1\t2\t3\r\nf  1 3  4 \r\n",
        "f -5 -4 -3\nv 7 7 7\nf -1 -3 -2\nf 1 -2 6",
        "f 1 2\nf 3\nf 1 2 3",  # a line and a point
        "f 1 2 2",
    ],
)
def test_faces_by_hand(tmp_path: Path, faces: str):
    check(write(tmp_path, CORNERS + faces))


def test_indices_that_count_back_depend_on_the_place(tmp_path: Path):
    path = write(tmp_path, "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\n" * 2)
    np.testing.assert_array_equal(read_obj(path).triangles, [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("extra", [" 1.0", " 0.2 0.3 0.4", "\t1 0 0 1"])
def test_weights_and_colours_are_ignored(tmp_path: Path, extra: str):
    text = CORNERS.replace("\n", f"{extra}\n") + "f 1 2 3\n"
    check(write(tmp_path, text))


def test_other_lines_are_passed_over(tmp_path: Path):
    text = "# v 9 9 9\nmtllib x.mtl\nvn 0 0 1\nvt 0 0\nvp 0\n" + CORNERS
    check(write(tmp_path, text + "g f\nusemtl v\ns 1\nl 1 2\np 1\nf 1 2 3\nfoo 1 2 3\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no faces"),
        (CORNERS, "has no faces"),
        (CORNERS + "f\n", "has no faces"),
        ("vt 0 0\nf 1 2 3\n", "a face names vertex 1 of 0"),
        (CORNERS + "f 1 2 6\n", "a face names vertex 6 of 5"),
        (CORNERS + "f 0 1 2\n", "a face names vertex 0 of 5"),
        (CORNERS + "f -6 1 2\n", "a face names vertex 0 of 5"),
        (CORNERS + "f 1 2 x\n", "is not of"),
        (CORNERS + "f 1/a/a 2/a/a 3/a/a\n", "is not of"),
        (CORNERS + "f 1.5 2 3\n", "is not of"),
        ("v 0 0\nv 1 0\nv 0 1\nf 1 2 3\n", "a vertex is not three numbers"),
        ("v 0 0 0\nv 1 0\nv 0 1 0\nf 1 2 3\n", "a vertex is not three numbers"),
        ("v a 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "is not of numbers"),
        ("v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "a corner that is NaN"),
        ("v inf 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "a corner that is NaN or infinite"),
    ],
)
def test_errors_name_their_cause(tmp_path: Path, text: str, message: str):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as error:
        read_obj(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_vertex_that_no_face_names_may_be_anything(tmp_path: Path):
    check(write(tmp_path, CORNERS + "v nan nan nan\nf 1 2 3\n"))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"model.obj: it cannot be read \(No such file"):
        read_obj(tmp_path / "model.obj")
