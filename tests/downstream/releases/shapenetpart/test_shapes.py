"""A release to shape sets: their content, finished sets, and errors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from downstream.releases.shapenetpart.categories import (
    CATEGORY_NAMES,
    PART_NAMES,
    SYNSETS,
    part_rows_of,
)
from downstream.releases.shapenetpart.layout import LISTS
from downstream.releases.shapenetpart.shapes import convert_release
from downstream.shapes.shape_set import problems_of_shape_set, read_shape_set
from downstream.shapes.splits import read_splits
from pointcontrast.errors import InputError
from pointcontrast.preparation.workers import Workers
from tests.helpers.converters import contents
from tests.helpers.shapenetpart_lines import slow_shape
from tests.releases.shapenetpart.release import shape_id, shape_truth

SEED, NUM_SHAPES, NUM_POINTS = 3, 4, 150  # of conftest.py
MUG, TABLE = "03797390", "04379243"


def test_every_point_comes_through(release: Path, tmp_path: Path):
    done = convert_release(release, tmp_path)
    assert done.failures == {}
    assert done.num_unlisted == 0
    for synset in (MUG, TABLE):
        shapes = read_shape_set(tmp_path / synset)
        assert problems_of_shape_set(tmp_path / synset) == []
        assert CATEGORY_NAMES[shapes.category] == {MUG: "Mug", TABLE: "Table"}[synset]
        assert shapes.category == SYNSETS.index(synset)
        assert (shapes.category_names, shapes.part_names) == (CATEGORY_NAMES, PART_NAMES)
        assert shapes.up_axis == "y"
        assert list(shapes.ids) == sorted(path.stem for path in (release / synset).iterdir())
        for index, name in enumerate(shapes.ids):
            slow = slow_shape(release / synset / f"{name}.txt")
            for key, array in shapes.shape(index).arrays().items():
                np.testing.assert_array_equal(array, slow[key])
        for number in range(NUM_SHAPES):
            truth = shape_truth(SEED, synset, number, NUM_POINTS)
            found = shapes.shape(shapes.ids.index(truth.id))
            np.testing.assert_array_equal(found.part, truth.part)
            np.testing.assert_allclose(found.coord, truth.coord, rtol=0, atol=6e-7)
            np.testing.assert_allclose(found.normal, truth.normal, rtol=0, atol=6e-7)


def test_splits_are_those_of_the_lists(release: Path, tmp_path: Path):
    convert_release(release, tmp_path)
    splits = read_splits(tmp_path)
    for split, file in LISTS.items():
        listed = [
            entry.removeprefix("shape_data/") for entry in json.loads((release / file).read_text())
        ]
        assert sorted(listed) == list(splits[split])
    name = f"{MUG}/{shape_id(SEED, MUG, 2)}"
    assert splits["validation"] == tuple(sorted([name, f"{TABLE}/{shape_id(SEED, TABLE, 2)}"]))


def test_a_finished_category_is_kept(copied: Path, tmp_path: Path):
    out = tmp_path / "out"
    first = convert_release(copied, out)
    assert [each.reused for each in first.finished] == [False, False]
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")}
    again = convert_release(copied, out)
    assert [each.reused for each in again.finished] == [True, True]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")} == before
    # damaged sets, and sets whose files changed, are made again
    (out / MUG / "part.npy").unlink()
    third = convert_release(copied, out)
    assert {each.name: each.reused for each in third.finished} == {MUG: False, TABLE: True}
    path = next((copied / TABLE).iterdir())
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    fourth = convert_release(copied, out)
    assert {each.name: each.reused for each in fourth.finished} == {MUG: True, TABLE: False}
    assert fourth.finished[1].num_points == third.finished[1].num_points - 1


def test_a_killed_attempt_is_swept_and_others_files_are_kept(release: Path, tmp_path: Path):
    out = tmp_path / "out"
    leftover = out / f".{MUG}.abcdefgh.partial"
    leftover.mkdir(parents=True)
    (out / TABLE).mkdir()
    (out / TABLE / "mine.txt").touch()
    done = convert_release(release, out)
    assert not leftover.exists()
    assert [each.name for each in done.finished] == [MUG]
    assert "holds other files" in done.failures[TABLE]
    assert (out / TABLE / "mine.txt").exists()


def test_many_workers_make_the_same_bytes(release: Path, tmp_path: Path):
    convert_release(release, tmp_path / "one")
    done = convert_release(release, tmp_path / "two", Workers(num_workers=2))
    assert done.failures == {}
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_paths_may_be_relative(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    convert_release(Path(os.path.relpath(release, tmp_path)), Path("out"))
    assert sorted(read_splits(tmp_path / "out")["train"])


def test_a_wrong_line_fails_its_shape_alone(copied: Path, tmp_path: Path):
    path = next((copied / MUG).iterdir())
    whole = path.read_text()
    path.write_text(whole.replace(" 37.000000", " 47.000000", 1))
    done = convert_release(copied, tmp_path / "out")
    assert (done.failures, done.complete) == ({}, True)
    mug = next(each for each in done.finished if each.name == MUG)
    assert list(mug.left_out) == [path.stem]
    assert f"{path}, line " in mug.left_out[path.stem]
    assert "part 47 is not one of 36..37" in mug.left_out[path.stem]
    names = {name for split in read_splits(tmp_path / "out").values() for name in split}
    assert len(names) == 2 * NUM_SHAPES - 1
    assert f"{MUG}/{path.stem}" not in names
    # repaired, to the same size, only its category is made again
    path.write_text(whole)
    again = convert_release(copied, tmp_path / "out")
    assert {each.name: each.reused for each in again.finished} == {MUG: False, TABLE: True}
    assert [each.left_out for each in again.finished] == [{}, {}]


def test_a_category_without_a_shape_that_can_be_read_fails(copied: Path, tmp_path: Path):
    for path in (copied / MUG).iterdir():
        path.write_text("")
    done = convert_release(copied, tmp_path / "out")
    assert [each.name for each in done.finished] == [TABLE]
    assert "has no shape that can be used" in done.failures[MUG]


def test_a_listed_file_that_is_absent_fails_alone(copied: Path, tmp_path: Path):
    name = shape_id(SEED, MUG, 2)
    (copied / MUG / f"{name}.txt").unlink()
    done = convert_release(copied, tmp_path / "out")
    (reason,) = (each.left_out[name] for each in done.finished if each.left_out)
    assert f"{name}.txt does not exist, but {LISTS['validation']} lists it" in reason


def test_a_shape_in_two_lists_is_in_both_splits(copied: Path, tmp_path: Path):
    name = f"{MUG}/{shape_id(SEED, MUG, 2)}"
    edit_list("test", lambda names: [*names, f"shape_data/{name}"])(copied)
    done = convert_release(copied, tmp_path / "out")
    assert "two splits (1 in validation and test)" in done.notes[0]
    splits = read_splits(tmp_path / "out")
    assert name in splits["validation"]
    assert name in splits["test"]
    assert sum(map(len, splits.values())) == 2 * NUM_SHAPES + 1


def test_own_categories_have_the_parts_of_their_files(copied: Path, tmp_path: Path):
    edit_categories(f"Spoon\t{MUG}\nDesk\t{TABLE}\n")(copied)
    done = convert_release(copied, tmp_path / "out")
    assert done.num_categories == 2
    assert done.notes[1:] == ("Spoon: parts 36..37", "Desk: parts 47..49")
    desk = read_shape_set(tmp_path / "out" / TABLE)
    assert desk.category_names == ("Spoon", "Desk")
    assert desk.part_names == ("Spoon 36", "Spoon 37", "Desk 47", "Desk 48", "Desk 49")
    assert desk.part is not None
    truth = [slow_shape(copied / TABLE / f"{name}.txt")["part"] for name in desk.ids]
    np.testing.assert_array_equal(desk.part, np.concatenate(truth) - 47 + 2)
    assert part_rows_of(desk.category_names, desk.part_names) == ((0, 1), (2, 3, 4))


@pytest.mark.parametrize("apart", [False, True])
def test_a_release_without_normals(copied: Path, tmp_path: Path, apart: bool):
    whole = convert_release(copied, tmp_path / "whole")
    assert whole.notes == ()
    for path in [path for name in (MUG, TABLE) for path in sorted((copied / name).iterdir())]:
        words = [line.split() for line in path.read_text().splitlines()]
        if apart:
            first = {MUG: 36, TABLE: 47}[path.parent.name]
            points = path.parent / "points" / f"{path.stem}.pts"
            labels = path.parent / "points_label" / f"{path.stem}.seg"
            points.parent.mkdir(exist_ok=True)
            labels.parent.mkdir(exist_ok=True)
            points.write_text("".join(f"{' '.join(line[:3])}\n" for line in words))
            labels.write_text("".join(f"{int(float(line[6])) - first + 1}\n" for line in words))
            path.unlink()
        else:
            path.write_text("".join(f"{' '.join([*line[:3], line[6]])}\n" for line in words))
    done = convert_release(copied, tmp_path / "out")
    assert "have no normals" in done.notes[0]
    for name in (MUG, TABLE):
        found = read_shape_set(tmp_path / "out" / name)
        wanted = read_shape_set(tmp_path / "whole" / name)
        assert found.normal is None
        np.testing.assert_array_equal(found.coord, wanted.coord)
        np.testing.assert_array_equal(found.part, wanted.part)


def test_a_category_may_be_absent_and_a_file_unlisted(copied: Path, tmp_path: Path):
    (copied / TABLE).rename(copied / "elsewhere")
    (copied / MUG / "stranger.txt").write_text("not read")
    done = convert_release(copied, tmp_path / "out")
    assert ([each.name for each in done.finished], done.failures) == ([MUG], {})
    assert done.num_unlisted == 1
    assert sum(map(len, read_splits(tmp_path / "out").values())) == NUM_SHAPES


def edit_list(split: str, change: Callable[[list[str]], Any]) -> Callable[[Path], None]:
    def damage(release: Path) -> None:
        path = release / LISTS[split]
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

    return damage


def edit_categories(text: str) -> Callable[[Path], Any]:
    return lambda release: (release / "synsetoffset2category.txt").write_text(text)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda release: (release / LISTS["test"]).unlink(), "test_file_list.json does not exist"),
        (edit_list("test", lambda names: {"all": names}), "is not a list of shapes"),
        (edit_list("validation", lambda names: [*names, 3]), "'3' is not shape_data/"),
        (
            edit_list("train", lambda names: [*names, "shape_data/03797390/../../x"]),
            "is not shape_data/",
        ),
        (edit_list("train", lambda names: [*names, "shape_data/00000000/a"]), "of the 16 synsets"),
        (edit_list("train", lambda names: [*names, f"shape_data/{MUG}/.hidden"]), "is not shape_"),
        (
            lambda release: (release / "synsetoffset2category.txt").unlink(),
            "synsetoffset2category.txt cannot be read",
        ),
        (edit_categories("Mug\t03797390\nSpoon\t../00000001\n"), "line 2: 'Spoon"),
        (edit_categories("Mug\t03797390\nMug\t04379243\n"), "line 2: .* names a category twice"),
        (edit_categories("Cup\t03797390\n"), "with one of the 1 synsets"),
        (edit_categories("\n"), "names no category"),
        (edit_categories("Mug\n"), "line 1: 'Mug'"),
    ],
)
def test_a_wrong_release_is_named(
    copied: Path, tmp_path: Path, damage: Callable[[Path], Any], message: str
):
    damage(copied)
    with pytest.raises(InputError, match=message):
        convert_release(copied, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_shape_that_is_listed_twice_counts_once(copied: Path, tmp_path: Path):
    edit_list("train", lambda names: [*names, names[0]])(copied)
    convert_release(copied, tmp_path / "out")
    assert len(read_splits(tmp_path / "out")["train"]) == 4


def test_the_largest_category_comes_first(copied: Path, tmp_path: Path):
    edit_list("train", lambda names: [name for name in names if MUG not in name])(copied)
    done = convert_release(copied, tmp_path / "a")
    assert [each.name for each in done.finished] == [TABLE, MUG]
    assert done.num_unlisted == 2
    edit_list("test", lambda names: [name for name in names if TABLE not in name])(copied)
    edit_list("train", lambda names: [])(copied)
    assert [each.name for each in convert_release(copied, tmp_path / "b").finished] == [MUG, TABLE]


def test_a_release_without_categories_is_named(copied: Path, tmp_path: Path):
    for synset in (MUG, TABLE):
        (copied / synset).rename(copied / f"old_{synset}")
    with pytest.raises(InputError, match="holds no category that its lists name"):
        convert_release(copied, tmp_path / "out")
