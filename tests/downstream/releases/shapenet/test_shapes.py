"""Meshes to shape sets: their content, models left out, and finished sets."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from downstream.releases.shapenet.categories import CATEGORY_NAMES, SYNSETS
from downstream.releases.shapenet.layout import SPLIT_FILE
from downstream.releases.shapenet.shapes import SamplingSettings, convert_release
from downstream.shapes.shape_set import problems_of_shape_set, read_shape_set
from downstream.shapes.splits import read_splits
from pointcontrast.errors import InputError
from pointcontrast.preparation.workers import Workers
from tests.helpers.converters import contents
from tests.releases.shapenet.release import (
    SHARES,
    shape_counts,
    shape_mesh,
    write_shapenet_release,
)
from tests.releases.shapenetpart.release import shape_id

SEED = 2  # of conftest.py
COUNTS = {"03797390": 6, "04379243": 13, "02954340": 4}
MUG, TABLE, CAP = COUNTS
FEW = SamplingSettings(num_points=50, seed=4)


def test_every_model_becomes_a_shape(release: Path, tmp_path: Path):
    done = convert_release(release, tmp_path, FEW)
    assert (done.failures, done.num_unlisted) == ({}, 0)
    assert [each.name for each in done.finished] == [TABLE, MUG, CAP]
    assert [each.num_shapes for each in done.finished] == [13, 6, 4]
    for synset, count in COUNTS.items():
        shapes = read_shape_set(tmp_path / synset)
        assert problems_of_shape_set(tmp_path / synset) == []
        assert (len(shapes), len(shapes.coord)) == (count, count * FEW.num_points)
        assert shapes.category == SYNSETS.index(synset)
        assert (shapes.category_names, shapes.part_names) == (CATEGORY_NAMES, ())
        assert shapes.up_axis == "y"
        assert shapes.normal is not None
        for number in range(count):
            index = shapes.ids.index(shape_id(SEED, synset, number))
            vertices = shape_mesh(SEED, synset, number).vertices
            coord = shapes.shape(index).coord
            assert (coord >= vertices.min(axis=0) - 1e-6).all()
            assert (coord <= vertices.max(axis=0) + 1e-6).all()


def test_splits_are_those_of_the_file(release: Path, tmp_path: Path):
    convert_release(release, tmp_path, FEW)
    splits = read_splits(tmp_path)
    words = {"train": "train", "validation": "val", "test": "test"}
    with open(release / SPLIT_FILE, newline="") as file:
        rows = list(csv.DictReader(file))
    for split, word in words.items():
        names = [f"0{row['synsetId']}/{row['modelId']}" for row in rows if row["split"] == word]
        assert sorted(names) == list(splits[split])
        assert {name.split("/")[0] for name in names} == set(COUNTS)


def test_points_are_a_function_of_seed_and_name(release: Path, copied: Path, tmp_path: Path):
    convert_release(release, tmp_path / "all", FEW)
    # without the other models, a shape is the same
    lines = (copied / SPLIT_FILE).read_text().splitlines()
    name = shape_id(SEED, MUG, 3)
    kept = [line for line in lines if name in line]
    (copied / SPLIT_FILE).write_text("\n".join([lines[0], *kept]))
    done = convert_release(copied, tmp_path / "one", FEW)
    assert done.num_unlisted == COUNTS[MUG] - 1
    shapes = read_shape_set(tmp_path / "all" / MUG)
    alone = read_shape_set(tmp_path / "one" / MUG).shape(0)
    wanted = shapes.shape(shapes.ids.index(name))
    np.testing.assert_array_equal(alone.coord, wanted.coord)
    # another seed draws others; two shapes of one mesh are drawn apart
    convert_release(copied, tmp_path / "other", SamplingSettings(num_points=50, seed=5))
    other = read_shape_set(tmp_path / "other" / MUG).shape(0)
    assert not np.isclose(alone.coord, other.coord).all(axis=1).any()


def test_two_shapes_of_one_mesh_are_drawn_apart(copied: Path, tmp_path: Path):
    first, second = sorted((copied / MUG).iterdir())[:2]
    mesh = "models/model_normalized.obj"
    (second / mesh).write_bytes((first / mesh).read_bytes())
    convert_release(copied, tmp_path / "out", FEW)
    shapes = read_shape_set(tmp_path / "out" / MUG)
    one, other = (shapes.shape(shapes.ids.index(path.name)) for path in (first, second))
    assert not np.isclose(one.coord, other.coord).all(axis=1).any()


def test_models_that_cannot_be_used_are_left_out(copied: Path, tmp_path: Path):
    absent, empty, flat, broken = sorted((copied / TABLE).iterdir())[:4]
    mesh = "models/model_normalized.obj"
    (absent / mesh).unlink()
    (empty / mesh).write_text("vt 0 0\n")
    (flat / mesh).write_text("v 0 0 0\nv 1 1 1\nv 2 2 2\nf 1 2 3\n")
    (broken / mesh).write_text("v 0 0 0\nv 1 0 0\nf 1 2 3\n")
    done = convert_release(copied, tmp_path / "out", FEW)
    assert done.failures == {}
    reasons = read_shape_set(tmp_path / "out" / TABLE).left_out
    assert sorted(reasons) == [path.name for path in (absent, empty, flat, broken)]
    assert reasons[absent.name] == f"it has neither {mesh} nor model.obj"
    assert reasons[empty.name] == "it has no faces"
    assert reasons[flat.name] == "its faces have no area"
    assert reasons[broken.name] == "a face names vertex 3 of 2"
    assert done.finished[0].left_out == reasons
    assert done.finished[0].num_shapes == COUNTS[TABLE] - 4
    assert sum(map(len, read_splits(tmp_path / "out").values())) == sum(COUNTS.values()) - 4
    # a mesh that came later is taken
    (absent / "model.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    again = convert_release(copied, tmp_path / "out", FEW)
    assert [each.reused for each in again.finished] == [False, True, True]
    assert absent.name in read_shape_set(tmp_path / "out" / TABLE).ids


def test_a_category_without_a_usable_model_fails_alone(copied: Path, tmp_path: Path):
    for path in (copied / CAP).rglob("*.obj"):
        path.unlink()
    done = convert_release(copied, tmp_path / "out", FEW)
    assert list(done.failures) == [CAP]
    assert "has no shape that can be used: " in done.failures[CAP]
    assert not (tmp_path / "out" / CAP).exists()
    assert len(read_splits(tmp_path / "out")["train"]) > 0


def test_a_finished_category_is_kept(copied: Path, tmp_path: Path):
    out = tmp_path / "out"
    convert_release(copied, out, FEW)
    before = contents(out)
    again = convert_release(copied, out, FEW)
    assert all(each.reused for each in again.finished)
    assert contents(out) == before
    for other in (SamplingSettings(num_points=51, seed=4), SamplingSettings(num_points=51, seed=5)):
        assert not any(each.reused for each in convert_release(copied, out, other).finished)
    # a split file that names fewer, or others, makes another set
    lines = (copied / SPLIT_FILE).read_text().splitlines()
    name = shape_id(SEED, MUG, 0)
    (copied / SPLIT_FILE).write_text("\n".join(line for line in lines if name not in line))
    fewer = convert_release(copied, out, other)
    assert {each.name: each.reused for each in fewer.finished} == {
        TABLE: True,
        MUG: False,
        CAP: True,
    }


def test_a_model_of_another_name_makes_another_set(copied: Path, tmp_path: Path):
    convert_release(copied, tmp_path / "out", FEW)
    old = sorted((copied / MUG).iterdir())[0]
    new = old.with_name("0" * 32)
    old.rename(new)  # the sizes of the files, in order, are what they were
    lines = (copied / SPLIT_FILE).read_text().replace(old.name, new.name)
    (copied / SPLIT_FILE).write_text(lines)
    convert_release(copied, tmp_path / "out", FEW)
    assert read_shape_set(tmp_path / "out" / MUG).ids[0] == new.name


def test_many_workers_make_the_same_bytes(release: Path, tmp_path: Path):
    convert_release(release, tmp_path / "one", FEW)
    done = convert_release(release, tmp_path / "two", FEW, Workers(num_workers=2))
    assert done.failures == {}
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_both_versions_give_the_same_shapes(release: Path, tmp_path: Path):
    write_shapenet_release(tmp_path / "v1", seed=SEED, version="v1", counts=COUNTS)
    assert len(list((tmp_path / "v1").glob("*/*/model.obj"))) == sum(COUNTS.values())
    convert_release(release, tmp_path / "a", FEW)
    convert_release(tmp_path / "v1", tmp_path / "b", FEW)
    for synset in COUNTS:
        one, other = (read_shape_set(tmp_path / name / synset) for name in "ab")
        np.testing.assert_array_equal(one.coord, other.coord)


@pytest.mark.parametrize("settings", [{"num_points": 0}, {"seed": -1}])
def test_wrong_settings_are_refused(settings: dict[str, int]):
    with pytest.raises(InputError, match=r"must be 1 or more, --seed .* 0 or more"):
        SamplingSettings(**settings)


def test_a_generated_release_has_a_tail():
    counts = shape_counts(40)
    assert counts.keys() == SHARES.keys()
    assert max(counts.values()) == 40
    assert min(counts.values()) == 10
    assert set(shape_counts(1).values()) == {5}
    with pytest.raises(InputError, match="must be 1 or more"):
        write_shapenet_release(Path("unused"), 0)
