from __future__ import annotations

import json
import os
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from downstream.label_lists.point_choice import limited_points, points_rng
from downstream.label_lists.points import (
    PointList,
    keep_annotated,
    label_checksum,
    read_point_list,
    write_point_list,
)
from downstream.types import IGNORE, UNANNOTATED
from pointcontrast.errors import InputError
from pointcontrast.voxelize import merge_labels, voxelize_with_inverse

LABELS = np.array([3, 1, 4, 1, 5, -1], np.int32)


def some_points(**changes: Any) -> PointList:
    known: dict[str, Any] = {
        "points": {
            "b": np.array([0, 4], np.int32),
            "Area_1/a": np.array([2], np.int32),
            "c": np.zeros(0, np.int32),
        },
        "num_points": {"b": 6, "Area_1/a": 3, "c": 1},
        "source": "here",
        "meta": {"seed": 4, "num_points": 2},
    }
    return PointList(**known | changes)


def spoil(path: Path, **changes: Any) -> None:
    """Rewrite a list of points with other arrays."""
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | changes)


def test_all_other_points_are_unannotated() -> None:
    kept = keep_annotated(np.array([3, -1, 4, 2], np.int32), np.array([0, 1]))
    assert kept.dtype == np.int32
    np.testing.assert_array_equal(kept, [3, -1, UNANNOTATED, UNANNOTATED])


def test_every_annotated_point_reaches_its_voxel() -> None:
    # some seven points a voxel, as in S3DIS at 5 cm; were the others ignored and not
    # unannotated, they would take the label of nearly every voxel
    rng = np.random.default_rng(0)
    coord = rng.uniform(0, 1, (7000, 3)).astype(np.float32)
    labels = rng.integers(0, 13, 7000).astype(np.int32)
    rows = limited_points(labels, 100, points_rng(0, "room"))
    firsts, _, inverse = voxelize_with_inverse(coord, 0.1)
    alone = rows[np.bincount(inverse[rows])[inverse[rows]] == 1]
    assert len(alone) > 80
    kept = keep_annotated(labels, rows)
    voxels = merge_labels(kept, inverse, len(firsts), IGNORE, UNANNOTATED)
    np.testing.assert_array_equal(voxels[inverse[alone]], labels[alone])
    as_released = merge_labels(np.where(kept < 0, IGNORE, kept), inverse, len(firsts), IGNORE)
    assert (as_released[inverse[alone]] >= 0).mean() < 0.05


def test_a_list_of_points_comes_back(tmp_path: Path) -> None:
    write_point_list(tmp_path / "lists" / "points.npz", some_points())
    found = read_point_list(tmp_path / "lists" / "points.npz")
    assert found.names == ("Area_1/a", "b", "c")
    assert found.meta == {"seed": 4, "num_points": 2}
    np.testing.assert_array_equal(found.indices("b", num_points=6), [0, 4])
    assert found.indices("b", num_points=6).dtype == np.int64
    np.testing.assert_array_equal(found.indices("Area_2/b", num_points=6, labels=LABELS), [0, 4])
    assert len(found.indices("c", num_points=1)) == 0
    with pytest.raises(InputError, match=r"made for 6 points of 'b', which has 7 here"):
        found.indices("b", num_points=7)
    with pytest.raises(InputError, match="does not list 'd'"):
        found.indices("d", num_points=7)


def test_points_in_another_order_are_refused(tmp_path: Path) -> None:
    rows = np.array([0, 4])
    assert label_checksum(LABELS, rows) == zlib.crc32(struct.pack("<2i", 3, 5))
    sums = {"b": label_checksum(LABELS, rows), "Area_1/a": 0, "c": 0}
    write_point_list(tmp_path / "points.npz", some_points(checksums=sums))
    found = read_point_list(tmp_path / "points.npz")
    assert found.checksums == sums
    strided = np.repeat(LABELS, 2)[::2]
    np.testing.assert_array_equal(found.indices("b", num_points=6, labels=LABELS), rows)
    np.testing.assert_array_equal(found.indices("b", num_points=6, labels=strided), rows)
    with pytest.raises(InputError, match=r"points\.npz was made for points of 'b' with other lab"):
        found.indices("b", num_points=6, labels=LABELS[::-1])


def test_the_same_list_is_the_same_file(tmp_path: Path) -> None:
    for name in ("one.npz", "two.npz"):
        write_point_list(tmp_path / name, some_points())
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_list_that_says_too_little_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not say how many points 'b' has"):
        write_point_list(tmp_path / "points.npz", some_points(num_points={"Area_1/a": 3, "c": 1}))
    with pytest.raises(InputError, match="does not say any scene"):
        write_point_list(tmp_path / "points.npz", some_points(points={}))
    assert not list(tmp_path.iterdir())


def published(path: Path, value: object, *, legacy: bool = True) -> Path:
    """A file as written by PyTorch 1.5 and NumPy 1, like those of the benchmark."""
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    if legacy:
        path.write_bytes(path.read_bytes().replace(b"numpy._core.", b"numpy.core."))
    return path


@pytest.mark.parametrize("kind", [np.int64, np.int32])
def test_a_published_list_loads(tmp_path: Path, kind: type) -> None:
    # ContrastiveSceneContexts: torch.save of scan id -> rows, nearest to the centres of clusters
    value = {
        "scene0191_00": np.array([40, 3, 17, 3], kind),
        "scene0000_00": np.arange(20, dtype=kind),
    }
    path = published(tmp_path / "points20", value)
    assert b"numpy.core.multiarray\n_reconstruct" in path.read_bytes()
    found = read_point_list(path)
    assert found.names == ("scene0000_00", "scene0191_00")
    assert not found.meta
    np.testing.assert_array_equal(found.indices("scene0191_00", num_points=50), [3, 17, 40])
    assert found.indices("train/scene0000_00", num_points=20).dtype == np.int64
    with pytest.raises(InputError, match=r"names the point 40 of 'scene0191_00', which has 30"):
        found.indices("scene0191_00", num_points=30)
    with pytest.raises(InputError, match=r"names the point 40 of 'scene0191_00', which has 40"):
        found.indices("scene0191_00", num_points=40)
    assert len(found.indices("scene0191_00", num_points=41)) == 3


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("make", [np.array, torch.tensor, list])
def test_a_list_of_any_age_loads(tmp_path: Path, legacy: bool, make: Any) -> None:
    path = published(tmp_path / "points20.pth", {"a": make([5, 2])}, legacy=legacy)
    np.testing.assert_array_equal(read_point_list(path).indices("a", num_points=6), [2, 5])


def test_rows_below_zero_are_refused(tmp_path: Path) -> None:
    path = published(tmp_path / "points20", {"a": np.array([-2, 3])})
    with pytest.raises(InputError, match=r"names the point -2 of 'a', which has 6"):
        read_point_list(path).indices("a", num_points=6)


class Runs:
    """A pickle that creates a file when it is executed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("form", ["legacy", "zip", "npz", "pickle"])
def test_nothing_in_a_file_runs(tmp_path: Path, form: str) -> None:
    marker, path = tmp_path / "ran", tmp_path / "points20.npz"
    if form == "npz":
        write_point_list(path, some_points())
        spoil(path, names=np.array([Runs(marker)], dtype=object))
    elif form == "pickle":
        path.write_bytes(pickle.dumps({"a": Runs(marker)}))
    else:
        published(path, {"a": Runs(marker)}, legacy=form == "legacy")
    with pytest.raises(InputError, match=r"points20\.npz is not a complete list of points"):
        read_point_list(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Runs(marker)))  # the trap works
    assert marker.exists()


def test_bad_lists_of_points_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.npz does not exist"):
        read_point_list(tmp_path / "none.npz")
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match="empty is not a complete list"):
        read_point_list(tmp_path / "empty")
    for value, message in (
        ({"a": ["x"]}, "'a' has no list of integers"),
        ({"a": torch.tensor([0.5])}, "'a' has no list of integers"),
        ({"a": np.array([0.5])}, "is not a complete list of points: .* other values than integers"),
        ({"a": np.array([[1]])}, "'a' has no list of integers"),
        ({3: np.array([1])}, "3 is not the name of a scene"),
        ({"a": []}, "'a' has no list of integers"),
        ([1, 2], "holds a list, not rows by scene"),
        ({}, "holds a dict, not rows by scene"),
    ):
        with pytest.raises(InputError, match=f"points20.*{message}"):
            read_point_list(published(tmp_path / "points20", value))


@pytest.mark.parametrize(
    "changes",
    [
        {"offsets": np.array([0, 1, 2, 2])},
        {"offsets": np.array([1, 1, 3, 3])},
        {"offsets": np.array([0, 3, 1, 3])},
        {"offsets": np.array([0, 3, 3])},
        {"names": np.array(["b"])},
        {"num_points": np.array([6])},
        {"checksums": np.array([6])},
        {"header": np.array("{")},
    ],
    ids=str,
)
def test_a_damaged_list_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "points.npz"
    write_point_list(path, some_points())  # rows 2, 0, 4 of three scenes from 0, 1, 3 to 3
    spoil(path, **changes)
    with pytest.raises(InputError, match=r"points\.npz is not a complete list"):
        read_point_list(path)


def test_half_a_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "points.npz"
    write_point_list(path, some_points())
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match=r"points\.npz is not a complete list"):
        read_point_list(path)


@pytest.mark.parametrize("change", [{"format": "other"}, {"format_version": 2}])
def test_another_format_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "points.npz"
    write_point_list(path, some_points())
    with np.load(path) as file:
        header = json.loads(str(file["header"]))
    spoil(path, header=np.array(json.dumps(header | change)))
    with pytest.raises(InputError, match=r"reads 'pointcontrast-points' version 1"):
        read_point_list(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_rows_may_be_numpy_integers(tmp_path: Path, legacy: bool) -> None:
    rows = [np.int64(7), np.int64(2), np.int64(300)]
    path = published(tmp_path / "points20", {"a": rows}, legacy=legacy)
    assert read_point_list(path).points["a"].tolist() == [2, 7, 300]
    path = published(tmp_path / "points20", {"a": [np.int32(7), np.uint16(2)]}, legacy=legacy)
    assert read_point_list(path).points["a"].tolist() == [2, 7]
