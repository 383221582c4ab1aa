"""The folder of a labelled scene: scenes are read back, and faults are named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

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


def test_the_meta_names_columns_and_units(folder: Path):
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["box_columns"] == list(BOX_COLUMNS)
    assert meta["units"] == "metres"


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("coord", np.full((50, 3), np.nan, dtype=np.float32), "coord holds NaN"),
        ("coord", np.zeros((50, 2), dtype=np.float32), r"coord holds float32 \(50, 2\)"),
        ("coord", np.zeros((50, 3)), "coord holds float64"),
        ("coord", np.zeros((0, 3), dtype=np.float32), "coord holds no points"),
        ("color", np.zeros((49, 3), dtype=np.uint8), r"color holds uint8 \(49, 3\)"),
        ("normal", np.full((50, 3), 0.9, dtype=np.float32), "normal holds vectors"),
        ("semantic", np.full(50, 2, dtype=np.int32), r"semantic holds 2\.\.2, not -1\.\.1"),
        ("semantic", np.full(50, -2, dtype=np.int32), "semantic holds -2"),
        ("semantic", np.zeros(50, dtype=np.int64), "semantic holds int64"),
        ("instance", np.full(50, -2, dtype=np.int32), "instance holds -2"),
        ("boxes", np.full((4, 8), -1, dtype=np.float32), "boxes holds a negative size"),
        ("boxes", np.full((4, 8), 2, dtype=np.float32), "boxes holds a class"),
        ("boxes", np.full((4, 8), 0.5, dtype=np.float32), "boxes holds a class"),
        ("boxes", np.zeros((4, 7), dtype=np.float32), r"boxes holds float32 \(4, 7\)"),
        ("box_instances", np.zeros(3, dtype=np.int32), "box_instances"),
        ("up_axis", "w", "up_axis"),
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
        ({"files": {"coord.npy": {"bytes": 728}}}, "lists no color"),
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
