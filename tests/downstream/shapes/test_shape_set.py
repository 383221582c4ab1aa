"""Shape sets: round trip, and errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from downstream.shapes.shape_set import (
    Shape,
    ShapeSetInfo,
    problems_of_shape_set,
    read_shape_set,
)
from downstream.shapes.writer import LeftOut, write_shape_set
from pointcontrast.errors import InputError

INFO = ShapeSetInfo(
    category=1,
    category_names=("bag", "mug"),
    part_names=("bag body", "mug handle", "mug cup"),
    up_axis="y",
    source={"dataset": "none"},
    settings={"recipe": 1},
)


def make_shapes(counts: tuple[int, ...] = (5, 1, 40)) -> list[Shape]:
    rng = np.random.default_rng(1)
    shapes = []
    for number, count in enumerate(counts):
        normal = rng.normal(size=(count, 3))
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        shapes.append(
            Shape(
                id=f"shape{number}",
                coord=rng.normal(size=(count, 3)).astype(np.float32),
                normal=normal.astype(np.float32),
                part=rng.integers(1, 3, count).astype(np.int32),
            )
        )
    return shapes


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_shape_set(tmp_path / "mug", make_shapes(), INFO)
    return tmp_path / "mug"


def assert_same(found: Shape, wanted: Shape) -> None:
    assert found.id == wanted.id
    assert found.arrays().keys() == wanted.arrays().keys()
    for name, array in wanted.arrays().items():
        assert found.arrays()[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays()[name], array)


def test_shapes_come_back(tmp_path: Path):
    shapes = make_shapes()
    mixed = [shapes[0], LeftOut("broken", "it has no area"), *shapes[1:]]
    write_shape_set(tmp_path / "mug", mixed, INFO)
    found = read_shape_set(tmp_path / "mug")
    assert len(found) == 3
    assert found.ids == ("shape0", "shape1", "shape2")
    assert found.left_out == {"broken": "it has no area"}
    for name in ("category", "category_names", "part_names", "up_axis", "source", "settings"):
        assert getattr(found, name) == getattr(INFO, name)
    np.testing.assert_array_equal(found.offsets, [0, 5, 6, 46])
    assert isinstance(found.coord, np.memmap)
    for index, shape in enumerate(shapes):
        assert_same(found.shape(index), shape)
        assert len(found.shape(index)) == len(shape)
    for index in (-1, 3):
        with pytest.raises(IndexError):
            found.shape(index)
    assert problems_of_shape_set(tmp_path / "mug") == []


def test_points_alone_are_enough(tmp_path: Path):
    bare = [replace(shape, normal=None, part=None) for shape in make_shapes()]
    write_shape_set(tmp_path / "mug", bare, replace(INFO, part_names=()))
    found = read_shape_set(tmp_path / "mug")
    assert found.normal is None
    assert found.part is None
    assert_same(found.shape(2), bare[2])
    assert sorted(path.name for path in (tmp_path / "mug").iterdir()) == [
        "coord.npy",
        "meta.json",
        "offsets.npy",
    ]


def test_shapes_are_taken_one_by_one(tmp_path: Path):
    shape = make_shapes()[0]
    alive: list[int] = []

    def generate() -> Iterator[Shape]:
        for number in range(4):
            partial = next(tmp_path.glob(".mug.*"))
            alive.append(number)
            assert not (tmp_path / "mug").exists()
            assert partial.is_dir()
            yield replace(shape, id=str(number))

    write_shape_set(tmp_path / "mug", generate(), INFO)
    assert alive == [0, 1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["mug"]


def changed(**arrays: Any) -> Shape:
    return replace(make_shapes()[0], **arrays)


NAN = np.full((5, 3), np.nan, np.float32)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (changed(coord=np.zeros((5, 3))), "coord is float64"),
        (changed(coord=np.zeros((5, 2), np.float32)), r"coord is float32 \(5, 2\)"),
        (changed(coord=NAN), "coord holds NaN"),
        (changed(normal=NAN), "normal holds NaN"),
        (changed(normal=np.full((5, 3), 0.6, np.float32)), "not of unit length"),
        (changed(normal=np.zeros((4, 3), np.float32)), r"normal is float32 \(4, 3\)"),
        (changed(part=np.full(5, 3, np.int32)), r"part holds 3..3, not 0..2"),
        (changed(part=np.full(5, -1, np.int32)), r"part holds -1..-1, not 0..2"),
        (changed(part=None), "has other arrays than shape1"),
        (changed(id="shape1"), "two shapes have the id shape1"),
        (changed(id="a/b"), "'a/b' is not the id"),
        (changed(id=""), "'' is not the id"),
        (
            Shape(
                id="empty",
                coord=np.zeros((0, 3), np.float32),
                normal=np.zeros((0, 3), np.float32),
                part=np.zeros(0, np.int32),
            ),
            "empty has no points",
        ),
    ],
)
def test_wrong_shapes_are_refused(tmp_path: Path, shape: Shape, message: str):
    with pytest.raises(InputError, match=message):
        write_shape_set(tmp_path / "mug", [make_shapes()[1], shape], INFO)
    assert list(tmp_path.iterdir()) == []


def test_a_normal_without_direction_is_allowed(tmp_path: Path):
    shape = changed(normal=np.zeros((5, 3), np.float32))
    write_shape_set(tmp_path / "mug", [shape], INFO)
    assert problems_of_shape_set(tmp_path / "mug") == []


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (replace(INFO, category=2), "category 2 is not a row of the 2"),
        (replace(INFO, category=-1), "category -1"),
        (replace(INFO, up_axis="up"), "up_axis must be one of"),
        (replace(INFO, part_names=(1,)), "must be strings"),
    ],
)
def test_wrong_facts_are_refused(tmp_path: Path, info: ShapeSetInfo, message: str):
    with pytest.raises(InputError, match=message):
        write_shape_set(tmp_path / "mug", make_shapes(), info)


def test_a_set_without_shapes_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no shape that can be used: a: too small"):
        write_shape_set(tmp_path / "mug", [LeftOut("a", "too small")], INFO)
    with pytest.raises(InputError, match=r"no shape that can be used$"):
        write_shape_set(tmp_path / "mug", [], INFO)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_set(written: Path):
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    with pytest.raises(InputError):
        write_shape_set(written, [changed(coord=NAN)], INFO)
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before
    assert [path.name for path in written.parent.iterdir()] == ["mug"]


def edit(key: str, value: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        meta = json.loads((folder / "meta.json").read_text())
        meta[key] = value
        (folder / "meta.json").write_text(json.dumps(meta))

    return damage


def put(name: str, array: np.ndarray) -> Callable[[Path], None]:
    """Replace an array, and its size in ``meta.json``."""

    def damage(folder: Path) -> None:
        np.save(folder / name, array)
        meta = json.loads((folder / "meta.json").read_text())
        meta["files"][name]["bytes"] = (folder / name).stat().st_size
        (folder / "meta.json").write_text(json.dumps(meta))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "meta.json").unlink(), "is not a shape set"),
        (lambda folder: (folder / "meta.json").write_text("["), "not valid JSON"),
        (lambda folder: (folder / "coord.npy").unlink(), "coord.npy is missing"),
        (lambda folder: (folder / "part.npy").write_bytes(b""), "part.npy is damaged: it has 0"),
        (put("part.npy", np.zeros(3, np.int32)), r"part.npy holds int32 \(3,\)"),
        (put("normal.npy", np.zeros((46, 3))), "normal.npy holds float64"),
        (put("offsets.npy", np.array([0, 5, 6, 45])), "does not divide 46 points among 3"),
        (put("offsets.npy", np.array([1, 5, 6, 46])), "does not divide"),
        (put("offsets.npy", np.array([0, 6, 6, 46])), "does not divide"),
        (put("offsets.npy", np.array([0, 6, 46])), "does not divide"),
        (put("offsets.npy", np.array([0.0, 5, 6, 46])), "does not divide"),
        (edit("format_version", 2), "version 2, this program reads 1"),
        (edit("ids", ["a", "b", "a"]), "two shapes have the same id"),
        (edit("ids", ["a", "b", "../c"]), "'../c' is not the id"),
        (edit("ids", ["a", "b", 3]), "is not the id"),
        (edit("ids", None), "no 'ids' of type list"),
        (edit("category_index", True), "no 'category_index' of type int"),
        (edit("category_index", 5), "category 5 is not a row"),
        (edit("category", "bag"), "category_index is not that of 'bag'"),
        (edit("up_axis", "w"), "up_axis must be"),
        (edit("files", {"../evil.npy": {"bytes": 1}}), "lists a file '../evil.npy'"),
        (edit("files", {"coord.npy": {"bytes": 1}}), "lists no offsets.npy"),
    ],
)
def test_damage_is_named(written: Path, damage: Callable[[Path], Any], message: str):
    damage(written)
    with pytest.raises(InputError, match=message):
        read_shape_set(written)
    assert len(problems_of_shape_set(written)) == 1


def test_a_file_that_is_no_array_is_named(written: Path):
    size = (written / "part.npy").stat().st_size
    (written / "part.npy").write_bytes(b"\x80" * size)  # starts like a pickle
    with pytest.raises(InputError, match=r"part.npy is damaged \("):
        read_shape_set(written)


def test_verification_reads_every_byte(written: Path):
    data = bytearray((written / "coord.npy").read_bytes())
    data[-1] ^= 1  # the sign of a number, perhaps: still a number
    (written / "coord.npy").write_bytes(data)
    (written / "stranger").touch()
    found = problems_of_shape_set(written)
    assert len(found) == 2
    assert "coord.npy is damaged (its checksum differs)" in found[0]
    assert "stranger does not belong" in found[1]
    read_shape_set(written)  # opening trusts the values


def test_verification_looks_at_values(written: Path):
    coord = np.load(written / "coord.npy")
    coord[45, 2] = np.inf
    put("coord.npy", coord)(written)
    assert "coord holds NaN or infinite" in problems_of_shape_set(written)[0]


def test_verification_looks_at_the_last_of_many_points(tmp_path: Path):
    (shape,) = make_shapes((70_000,))  # more than one block
    write_shape_set(tmp_path / "mug", [shape], INFO)
    assert problems_of_shape_set(tmp_path / "mug") == []
    part = np.load(tmp_path / "mug" / "part.npy")
    part[-1] = 3
    put("part.npy", part)(tmp_path / "mug")
    assert "part holds 1..3, not 0..2" in problems_of_shape_set(tmp_path / "mug")[0]
