"""Forms of files with closed answers: polygons, strips, LZF, text, OBJ, OFF, glTF, gzip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open3d
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats.column_values import valued_columns
from pointcontrast.recordings.file_formats.columns import named_columns
from pointcontrast.recordings.file_formats.lzf import decompress
from pointcontrast.recordings.file_formats.polygons import fan_triangles, strip_triangles
from pointcontrast.recordings.point_files import read_point_file

rng = np.random.default_rng(0)


def test_polygons_become_fans() -> None:
    corners, counts = np.array([5, 6, 7, 8, 1, 2, 3, 9, 4]), np.array([4, 3, 2])
    assert fan_triangles(corners, counts).tolist() == [[5, 6, 7], [5, 7, 8], [1, 2, 3]]
    assert fan_triangles(np.array([1, 2]), np.array([2])).shape == (0, 3)


def test_strips_keep_one_winding() -> None:
    assert strip_triangles([0, 1, 2, 3, -1, 7, 8, 9]).tolist() == [
        [0, 1, 2],
        [2, 1, 3],
        [7, 8, 9],
    ]


def test_lzf_repeats_and_copies() -> None:
    # "abc", then 9 bytes from 3 back, which overlap what they make, then "z"
    packed = bytes([2]) + b"abc" + bytes([(7 << 5), 0, 2, 0]) + b"z"
    assert decompress(packed, 13) == b"abcabcabcabcz"
    for wrong in (packed[:-1], packed[1:], bytes([1 << 5, 9])):
        with pytest.raises(ValueError, match="its compressed data"):
            decompress(wrong, 13)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("text", [False, True])
def test_a_pcd_of_open3d(tmp_path: Path, compressed: bool, text: bool) -> None:
    points = np.repeat(rng.uniform(0, 5, (300, 3)).round(3), 4, axis=0)  # repeats: LZF has matches
    colors = np.repeat(rng.integers(0, 256, (300, 3)), 4, axis=0)
    vector = open3d.utility.Vector3dVector
    cloud = open3d.geometry.PointCloud(vector(points))
    cloud.colors, cloud.normals = vector(colors / 255), vector(np.tile([0.0, 0.6, 0.8], (1200, 1)))
    path = str(tmp_path / "a.pcd")
    assert open3d.io.write_point_cloud(path, cloud, write_ascii=text, compressed=compressed)
    stored = read_point_file(tmp_path / "a.pcd")
    np.testing.assert_allclose(stored.points, points, atol=1e-6)
    np.testing.assert_array_equal(stored.colors, colors)
    assert stored.normals is not None
    np.testing.assert_allclose(stored.normals, np.tile([0.0, 0.6, 0.8], (1200, 1)), atol=1e-6)


def test_columns_by_name() -> None:
    one = np.arange(4.0)
    for names in (("Nx", "Ny", "Nz"), ("normal_x", "normal_y", "normal_z"), ("n_x", "n_y", "n_z")):
        found = named_columns(dict.fromkeys(("//X", "Y", "Z", *names, "Label"), one))
        assert found is not None
        assert found.normals is not None
        assert found.colors is None
        assert list(found.fields) == ["Label"]
    assert named_columns({"a": one, "b": one}) is None


def test_columns_by_value() -> None:
    points = list(rng.uniform(-5, 5, (3, 50)))
    normals = rng.normal(size=(50, 3))
    normals = list((normals / np.linalg.norm(normals, axis=1, keepdims=True)).T)
    colors = list(rng.integers(0, 256, (3, 50)).astype(float))
    intensity, label = [rng.normal(0, 900, 50)], [np.arange(50.0) % 7]
    for columns, has_colors, has_normals, fields in (
        ([*points], False, False, []),
        ([*points, *intensity], False, False, ["column 4"]),
        ([*points, *colors], True, False, []),
        ([*points, *normals], False, True, []),
        ([*points, *colors, *normals], True, True, []),
        ([*points, *normals, *colors, *label], True, True, ["column 10"]),
        ([*points, *intensity, *colors], True, False, ["column 4"]),
        ([*points, *colors, *label], True, False, ["column 7"]),
    ):
        found = valued_columns(columns)
        assert (found.colors is not None, found.normals is not None) == (has_colors, has_normals)
        assert list(found.fields) == fields
        if has_colors:
            np.testing.assert_array_equal(found.colors, np.stack(colors, axis=1))


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("1,5 2,5 3,5\n4 5 6\n", [[1.5, 2.5, 3.5], [4, 5, 6]]),
        ("1.5, 2.5, 3.5,\n4, 5, 6,\n", [[1.5, 2.5, 3.5], [4, 5, 6]]),
        ('"1.5","2","3"\n"4","5","6"\n', [[1.5, 2, 3], [4, 5, 6]]),
        ("# made by hand\n\n  1   2  3\n4 5 6  # the last\n", [[1, 2, 3], [4, 5, 6]]),
        ("1\n1 2 3\n2\n4 5 6\n7 8 9\n", [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),  # two scans of a .pts
        ("-1.5e+01 2E0 .5\n", [[-15, 2, 0.5]]),
    ],
)
def test_texts(tmp_path: Path, text: str, points: list) -> None:
    (tmp_path / "a.pts").write_text(text)
    assert read_point_file(tmp_path / "a.pts").points.tolist() == points


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2 3\n4 5\n", r"row 2 has 2 columns, the first has 3"),
        ("1,2,3\n4,,6\n", r"y '' is not a number"),
        ("1 2 3\n4 five 6\n", r"y 'five' is not a number"),
        ("3\n1 2 3\n4 5 6\n", r"promises 3 points, 2 can"),
        ("1\n1 2 3\n4 5 6\n", r"promises 1 points, 2 can"),
        ("", r"holds no points: no row starts with three numbers; is it"),
    ],
)
def test_texts_that_are_damaged(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.xyz").write_text(text)
    with pytest.raises(InputError, match=rf"a\.xyz.*{said}"):
        read_point_file(tmp_path / "a.xyz")


def test_numbers_are_read_exactly(tmp_path: Path) -> None:
    points = rng.uniform(-1, 1, (500, 3)) * 10.0 ** rng.integers(-8, 9, (500, 1))
    for separator in (" ", ",", ";", "\t", "   "):
        rows = (separator.join(map(repr, row)) for row in points.tolist())
        (tmp_path / "a.xyz").write_text("\n".join(rows) + "\n")
        np.testing.assert_array_equal(read_point_file(tmp_path / "a.xyz").points, points)


def test_an_obj_of_mixed_faces_and_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.obj"
    path.write_text(
        "o one\nv 0 0 0\nv 1 0 0\nv 1 1 0\nvt 0 0\nf 1/1 2/1 3/1\no two\nv 0 0 1 1.0\nv 1 0 1\n"
        "v 1 1 1\nv 0 1 1\nv 0 2 1\nf -5 -4 -3 -2 -1\nl 1 2\nf 1// 4// \\\n 5//\n"
    )
    stored = read_point_file(path)
    assert len(stored.points) == 8
    assert stored.faces is not None
    assert stored.faces.tolist() == [[0, 1, 2], [3, 4, 5], [3, 5, 6], [3, 6, 7], [0, 3, 4]]
    for wrong, said in (("f 1 2 9", "names vertex 9 of 8"), ("f 0 1 2", "names vertex 0 of 8"),
                        ("f 1 2", "a face has the corners '1 2'"), ("v 1 2", "coordinates '1 2'"),
                        ("f 1 2 x", "invalid literal")):  # fmt: skip
        text = path.read_text() + wrong + "\n"
        (tmp_path / "b.obj").write_text(text)
        with pytest.raises(InputError, match=rf"b\.obj.*{said}"):
            read_point_file(tmp_path / "b.obj")


def test_an_off_with_normals_and_colours(tmp_path: Path) -> None:
    path = tmp_path / "a.off"
    path.write_text("CNOFF\n# a point\n2 0 0\n1 2 3 0 0 1 255 0 0\n4 5 6 0 1 0 0 255 0\n")
    stored = read_point_file(path)
    assert stored.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert stored.normals is not None
    assert stored.normals.tolist() == [[0, 0, 1], [0, 1, 0]]
    assert stored.colors is not None
    assert stored.colors.tolist() == [[255, 0, 0], [0, 255, 0]]


def test_compressed_gltf_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.gltf").write_text(
        '{"extensionsRequired": ["KHR_draco_mesh_compression"], "buffers": [], "meshes": []}'
    )
    with pytest.raises(InputError, match=r"a\.gltf is compressed by Draco; export it without"):
        read_point_file(tmp_path / "a.gltf")


def test_gzip_names_the_file_that_was_given(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "a.xyz.gz"
    path.write_bytes(gzip.compress(b"1 2 3\n4 5 6\n"))
    assert read_point_file(path).points.tolist() == [[1, 2, 3], [4, 5, 6]]
    path.write_bytes(gzip.compress(b"1 2\n"))
    with pytest.raises(InputError) as raised:
        read_point_file(path)
    assert str(raised.value).startswith(f"{path} holds no points")
    path.write_bytes(gzip.compress(b"1 2 3\n" * 50)[:18])
    with pytest.raises(InputError, match=r"a\.xyz\.gz is damaged or cut short"):
        read_point_file(path)


def test_large_surveys_are_thinned_as_they_are_read(tmp_path: Path) -> None:
    from tests.inputs.makers_point_files import COLORS, POINTS
    from tests.inputs.makers_surveys import las

    las()(tmp_path / "a.las")
    stored = read_point_file(tmp_path / "a.las", 1000)
    np.testing.assert_allclose(stored.points, POINTS[::4], atol=1e-4)
    np.testing.assert_array_equal(stored.colors, COLORS[::4])
    assert stored.notes == (f"one of 4 of its {len(POINTS):,} points is kept",)


def test_las_in_many_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pointcontrast.recordings.file_formats import las as reader
    from tests.inputs.makers_point_files import POINTS
    from tests.inputs.makers_surveys import las

    las(7)(tmp_path / "a.laz")
    monkeypatch.setattr(reader, "_CHUNK", 700)
    for step, limit in ((1, None), (3, 1100)):
        stored = read_point_file(tmp_path / "a.laz", limit)
        np.testing.assert_allclose(stored.points, POINTS[::step], atol=1e-4)


def test_a_gltf_changes_with_the_file_of_its_arrays(tmp_path: Path) -> None:
    import base64
    import json

    from pointcontrast.recordings.layouts import open_sequence
    from tests.inputs.makers_point_files import gltf

    path = tmp_path / "room.gltf"
    gltf()(path)
    value = json.loads(path.read_text())
    data = base64.b64decode(value["buffers"][0]["uri"].partition(",")[2])
    value["buffers"][0]["uri"] = "the%20room.bin"
    path.write_text(json.dumps(value))
    (tmp_path / "the room.bin").write_bytes(data)
    assert open_sequence(path).files() == [path, tmp_path / "the room.bin"]
    before = open_sequence(path).fingerprint()
    assert len(read_point_file(path).points) == 16
    (tmp_path / "the room.bin").write_bytes(data[::-1])
    assert open_sequence(path).fingerprint() != before
    (tmp_path / "the room.bin").unlink()
    with pytest.raises(InputError, match=r"room\.gltf needs .*the room\.bin, which does not exist"):
        read_point_file(path)
