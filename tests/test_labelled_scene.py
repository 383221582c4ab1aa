"""The folder of a labelled scene: scenes are read back, and faults are named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import (
    BOX_COLUMNS,
    LabelledScene,
    find_labelled_scenes,
    problems_of_scene,
    read_labelled_scene,
    write_labelled_scene,
)
from pointcontrast.labelled_scene_checks import check_origin

UTM = np.array([450_123.4, 5_201_234.7, 312.5])
UTM_ROOM = np.random.default_rng(4).uniform(0, 3, (50, 3)) + UTM
NAMES = ("coord", "color", "normal", "semantic", "instance", "boxes")


def make_scene(num_points: int = 50) -> LabelledScene:
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(num_points, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    normal[3] = 0
    boxes = np.concatenate([rng.uniform(0.1, 1, (4, 7)), [[0], [1], [-1], [1]]], axis=1)
    return LabelledScene(
        coord=rng.normal(size=(num_points, 3)).astype(np.float32),
        color=rng.integers(0, 256, (num_points, 3), dtype=np.uint8),
        normal=normal.astype(np.float32),
        semantic=rng.integers(-1, 2, num_points).astype(np.int32),
        instance=rng.integers(-1, 7, num_points).astype(np.int32),
        boxes=boxes.astype(np.float32),
        box_instances=np.array([0, 2, 3, 6], dtype=np.int32),
        class_names=("wall", "chair"),
        source={"dataset": "test"},
        settings={"seed": 3},
        details={"notes": ["odd"]},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_labelled_scene(tmp_path / "scene", make_scene())
    return tmp_path / "scene"


@pytest.mark.parametrize("mmap", [True, False])
def test_round_trip(folder: Path, mmap: bool):
    scene, found = make_scene(), read_labelled_scene(folder, mmap=mmap)
    for name in (*NAMES, "box_instances"):
        np.testing.assert_array_equal(getattr(found, name), getattr(scene, name))
        assert getattr(found, name).dtype == getattr(scene, name).dtype
    assert isinstance(found.coord, np.memmap) == mmap
    for name in ("class_names", "up_axis", "source", "settings", "details"):
        assert getattr(found, name) == getattr(scene, name)
    assert len(found) == 50
    np.testing.assert_array_equal(found.up, [0, 0, 1])
    assert problems_of_scene(folder) == []


def test_unlabelled_scenes_load_and_bytes_repeat(tmp_path: Path):
    scene = make_scene()
    bare = LabelledScene(coord=scene.coord, color=scene.color, up_axis="-y")
    for name in ("one", "two"):
        write_labelled_scene(tmp_path / name, bare)
    found = read_labelled_scene(tmp_path / "one")
    assert found.semantic is None
    assert found.normal is None
    assert found.boxes is None
    np.testing.assert_array_equal(found.up, [0, -1, 0])
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    ]
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"coord.npy", "color.npy", "meta.json"}


def test_georeferenced_scenes_keep_all_places(tmp_path: Path):
    scene, points = make_scene(), np.random.default_rng(1).uniform(0, 5, (5000, 3)) + UTM
    boxes = np.array([[*UTM + 1, 1, 1, 1, 0.5, 1]])
    many = dict.fromkeys(("normal", "semantic", "instance", "box_instances"))
    arrays: dict[str, Any] = {"coord": points, "color": np.zeros((5000, 3)), "boxes": boxes}
    far = replace(scene, **arrays, **many)
    write_labelled_scene(tmp_path / "far", far)
    found = read_labelled_scene(tmp_path / "far")
    assert found.coord.dtype == np.float32
    assert len(np.unique(found.coord, axis=0)) == 5000
    assert np.abs(found.coord).max() < 3
    assert (found.origin == np.rint(found.origin)).all()
    np.testing.assert_allclose(found.source_points, points, rtol=0, atol=1e-6)
    assert found.boxes is not None
    np.testing.assert_allclose(found.boxes[0, :3] + found.origin, UTM + 1, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.boxes[0, 3:], boxes[0, 3:])
    write_labelled_scene(tmp_path / "again", found)
    again = read_labelled_scene(tmp_path / "again")
    np.testing.assert_array_equal(again.coord, found.coord)
    np.testing.assert_array_equal(again.origin, found.origin)


def test_arrays_of_common_forms_are_taken(tmp_path: Path):
    scene = make_scene()
    arrays: dict[str, Any] = {
        "coord": scene.coord.astype(np.float64),
        "color": np.asarray(scene.color) / 255,
        "normal": np.asarray(scene.normal, np.float64),
        "semantic": np.asarray(scene.semantic, np.float64),
        "instance": np.asarray(scene.instance, np.int64),
    }
    given = LabelledScene(**arrays, class_names=scene.class_names)
    write_labelled_scene(tmp_path / "scene", given)
    found = read_labelled_scene(tmp_path / "scene")
    for name in NAMES[:-1]:
        np.testing.assert_array_equal(getattr(found, name), getattr(scene, name))


def test_scenes_without_colours_and_of_older_programs(folder: Path, tmp_path: Path):
    write_labelled_scene(tmp_path / "grey", LabelledScene(coord=make_scene().coord))
    assert read_labelled_scene(tmp_path / "grey").color is None
    meta = json.loads((folder / "meta.json").read_text())
    assert meta.pop("origin") == [0, 0, 0]
    (folder / "meta.json").write_text(json.dumps(meta))
    assert read_labelled_scene(folder).origin.tolist() == [0, 0, 0]


def test_the_meta_names_columns_and_units(folder: Path):
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["box_columns"] == list(BOX_COLUMNS)
    assert meta["units"] == "metres"


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("coord", np.full((50, 3), np.nan, dtype=np.float32), "coord holds NaN"),
        ("coord", np.zeros((50, 2), dtype=np.float32), r"coord holds float32 \(50, 2\)"),
        ("coord", np.zeros((50, 3), dtype=np.float16), "coord is in half precision"),
        ("coord", np.zeros((50, 3), dtype=bool), "coord holds bool"),
        ("coord", UTM_ROOM.astype(np.float32), r"coord: x reaches 4501"),
        ("coord", 1000 * (UTM_ROOM - UTM), r"coord spans \d+ x \d+ x \d+ m, .* divide by 1000"),
        ("coord", np.zeros((0, 3), dtype=np.float32), "coord holds no points"),
        ("color", np.zeros((49, 3), dtype=np.uint8), r"color holds uint8 \(49, 3\)"),
        ("normal", np.full((50, 3), 0.9, dtype=np.float32), "normal holds vectors"),
        (
            "semantic",
            np.full(50, 3, dtype=np.int32),
            r"semantic holds 3\.\.3, not -1\.\.1, in 50 of 50",
        ),
        ("semantic", np.tile([1, 2], 25), r"1\.\.2, not -1\.\.1, in 25 of 50 .* count from 0"),
        ("semantic", np.array([255] * 3 + [0] * 47, np.uint8), r"in 3 of 50 .* is 255 for unl"),
        ("semantic", np.full(50, -2, dtype=np.int32), "semantic holds -2"),
        ("semantic", np.full(50, 0.5), r"semantic holds 0\.5 and so on in 50 of 50 points"),
        ("semantic", np.full(50, np.nan), "semantic holds nan"),
        ("semantic", np.full(50, 2**40), "beyond 32 bits"),
        ("semantic", np.full(50, "wall"), "semantic holds <U4"),
        ("color", np.full((50, 3), 1.5), r"color: floating-point colours"),
        ("instance", np.full(50, -2, dtype=np.int32), "instance holds -2"),
        ("boxes", np.full((4, 8), -1, dtype=np.float32), "boxes holds a negative size"),
        ("boxes", np.full((4, 8), 2, dtype=np.float32), "boxes holds a class"),
        ("boxes", np.full((4, 8), 0.5, dtype=np.float32), "boxes holds a class"),
        ("boxes", np.full((4, 8), [0, 0, 0, 1, 1, 1, 90, 0]), "yaw 90 in row 0; give radians"),
        (
            "boxes",
            np.full((4, 8), [2e3, 0, 0, 1, 1, 1, 0, 0]),
            r"about \(2000, 0, 0\), 199\d.* m from",
        ),
        ("boxes", np.zeros((4, 7), dtype=np.float32), r"boxes holds float32 \(4, 7\)"),
        ("box_instances", np.zeros(3, dtype=np.int32), "box_instances"),
        ("up_axis", "w", "up_axis"),
        ("origin", np.zeros(2), "origin must be three numbers"),
    ],
)
def test_bad_scenes_are_not_written(tmp_path: Path, name: str, value: object, match: str):
    with pytest.raises(InputError, match=match):
        write_labelled_scene(tmp_path / "scene", replace(make_scene(), **{name: value}))
    assert not list(tmp_path.iterdir())


def replace_array(folder: Path, name: str, array: np.ndarray) -> None:
    """Replace an array by another of the same size in bytes."""
    np.save(folder / f"{name}.npy", array)
    meta = json.loads((folder / "meta.json").read_text())
    meta["files"][f"{name}.npy"]["bytes"] = (folder / f"{name}.npy").stat().st_size
    (folder / "meta.json").write_text(json.dumps(meta))


@pytest.mark.parametrize(
    ("name", "array", "match"),
    [
        ("semantic", np.full(50, 9, dtype=np.int32), r"semantic\.npy holds 9\.\.9"),
        ("normal", np.full((50, 3), np.inf, dtype=np.float32), r"normal\.npy holds NaN"),
        ("instance", np.zeros(50, dtype=np.int16), r"instance\.npy holds int16"),
        ("color", np.zeros((50, 4), dtype=np.uint8), r"color\.npy holds uint8 \(50, 4\)"),
    ],
)
def test_the_wrong_file_is_named(folder: Path, name: str, array: np.ndarray, match: str):
    replace_array(folder, name, array)
    with pytest.raises(InputError, match=match):
        read_labelled_scene(folder)
    assert len(problems_of_scene(folder)) == 1


def test_values_can_be_trusted_for_speed(folder: Path):
    replace_array(folder, "semantic", np.full(50, 9, dtype=np.int32))
    scene = read_labelled_scene(folder, check_values=False)
    assert scene.semantic is not None


def test_missing_short_and_spoilt_files(folder: Path):
    path = folder / "instance.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-4])
    with pytest.raises(InputError, match=r"instance\.npy is damaged: it has \d+ bytes"):
        read_labelled_scene(folder)
    path.write_bytes(b"x" * len(content))
    with pytest.raises(InputError, match=r"instance\.npy is damaged"):
        read_labelled_scene(folder)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    path.unlink()
    with pytest.raises(InputError, match=r"instance\.npy is missing"):
        read_labelled_scene(folder)


def test_verification_reads_every_byte_and_sees_orphans(folder: Path):
    path = folder / "color.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    (folder / "notes.txt").write_text("mine")
    found = problems_of_scene(folder)
    assert len(found) == 2
    assert "color.npy is damaged (its checksum differs)" in found[0]
    assert "notes.txt does not belong" in found[1]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format_version": 1}, "format version 1"),
        ({"class_names": None}, "class_names"),
        ({"units": "feet"}, "units"),
        ({"details": []}, "details"),
        ({"box_instances": [1, "x"]}, "box_instances"),
        ({"box_instances": [1]}, "box_instances"),
        ({"up_axis": "up"}, "up_axis"),
        ({"files": {"../../outside.npy": {"bytes": 1}}}, "lists a file"),
        ({"files": {"color.npy": {"bytes": 278}}}, "lists no coord"),
        ({"origin": [1, 2]}, "origin must be three numbers"),
        ({"origin": ["x", 2, 3]}, "origin must be three numbers"),
    ],
)
def test_damaged_meta(folder: Path, change: dict, match: str):
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, **change}))
    with pytest.raises(InputError, match=match):
        read_labelled_scene(folder)


def test_meta_that_is_no_json_or_absent(folder: Path):
    (folder / "meta.json").write_text("{")
    with pytest.raises(InputError, match=r"meta\.json is not valid JSON"):
        read_labelled_scene(folder)
    (folder / "meta.json").unlink()
    with pytest.raises(InputError, match=r"no meta\.json"):
        read_labelled_scene(folder)


def test_find(tmp_path: Path):
    with pytest.raises(InputError, match="holds no labelled scene"):
        find_labelled_scenes(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        find_labelled_scenes(tmp_path / "absent")
    for name in ("b", "a", "deep/er/c", ".a.x.partial"):
        write_labelled_scene(tmp_path / name, make_scene())
    expected = [tmp_path / name for name in ("a", "b", "deep/er/c")]
    assert find_labelled_scenes(tmp_path) == expected
    assert find_labelled_scenes(tmp_path / "a") == [tmp_path / "a"]


@pytest.mark.parametrize("value", [None, "here", [1, 2], [1, 2, float("nan")], [1, 2, 1e300], {}])
def test_origin_from_a_file_is_checked(value: object) -> None:
    with pytest.raises(InputError, match=r"^meta\.json: origin must be three numbers"):
        check_origin(value, "meta.json: origin")
    np.testing.assert_array_equal(check_origin([1, 2.5, -3], "a"), [1, 2.5, -3])
