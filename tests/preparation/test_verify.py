"""Damage that verify finds, all of which a second run of prepare repairs."""

import os
import shutil

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.preparation.prepare import prepare
from pointcontrast.preparation.prepare_scene import Settings
from pointcontrast.preparation.verify import remove_broken, verify
from pointcontrast.preparation.verify_scene import SCENE_FILES
from pointcontrast.prepare_cli import main
from pointcontrast.scenes.pairs import read_pair_settings, read_pair_table, read_pairs, write_pairs
from tests.helpers.edited_meta import edit_meta, seal
from tests.helpers.small_scenes import walk, write_seven_scenes

STORED = {
    "depth": ["depth.bin", "colors.bin"],
    "points": ["points.npy", "offsets.npy", "colors.npy", "normals.npy"],
}
FILES = ["meta.json", "overlap.npy", "pairs.parquet"]
SETTINGS = {"overlap_threshold": 0.05}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Two scenes, prepared with each storage."""
    folder = tmp_path_factory.mktemp("verify")
    for name in "ab":
        write_seven_scenes(folder / "raw" / name, walk(4))
    for storage in STORED:
        prepare([folder / "raw"], folder / storage, Settings(storage=storage, **SETTINGS))
    return folder


@pytest.fixture
def root(prepared, tmp_path):
    shutil.copytree(prepared / "depth", tmp_path / "root")
    return tmp_path / "root"


def _content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _kinds(report):
    return [finding.kind for finding in report.findings]


def _prepare_again(prepared, root, storage="depth"):
    prepare([prepared / "raw"], root, Settings(storage=storage, **SETTINGS))
    assert _content(root) == _content(prepared / storage)
    assert verify(root).findings == ()


@pytest.mark.parametrize("storage", STORED)
def test_what_was_just_prepared_is_whole(prepared, storage, capsys):
    root = prepared / storage
    report = verify(root, num_workers=2)
    assert report.findings == ()
    assert (report.num_scenes, report.num_views) == (2, 8)
    assert report.num_pairs == len(read_pairs(root / "pairs.parquet")) > 0
    names = {path.name for path in (root / "raw" / "a").iterdir()}
    assert names == {*STORED[storage], *FILES} <= SCENE_FILES
    assert main(["verify", str(root)]) == 0
    assert capsys.readouterr().out.endswith(" MB: nothing broken\n")


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def _cut(path):
    os.truncate(path, path.stat().st_size // 2)


def _append(path):
    with open(path, "ab") as file:
        file.write(b"\0" * 8)


@pytest.mark.parametrize("damage", [_flip, _cut, _append, os.unlink])
@pytest.mark.parametrize(
    ("storage", "name"), [(s, name) for s, names in STORED.items() for name in [*names, *FILES]]
)
def test_every_damage_to_a_scene_is_found_and_mended(prepared, tmp_path, storage, name, damage):
    root = tmp_path / "root"
    shutil.copytree(prepared / storage, root)
    damage(root / "raw" / "a" / name)
    if name == "meta.json" and damage is _flip:
        text = (prepared / storage / "raw" / "a" / name).read_text()
        (root / "raw" / "a" / name).write_text(text.replace('"poses": [', '"poses": [[', 1))
    report = verify(root)
    kind = "pairs" if name == "pairs.parquet" else "scene"
    assert _kinds(report) == [kind]
    assert report.findings[0].path.is_relative_to(root / "raw" / "a")
    # A store that cannot be opened at all may name its folder only.
    assert name in report.findings[0].problem or "is incomplete" in report.findings[0].problem
    removed, kept = remove_broken(report)
    place = root / "raw" / "a" / ("pairs.parquet" if kind == "pairs" else "")
    assert removed == [] if damage is os.unlink and kind == "pairs" else [place]
    assert kept == []
    _prepare_again(prepared, root, storage)


@pytest.mark.parametrize("name", [*STORED["depth"], "overlap.npy", "pairs.parquet"])
@pytest.mark.parametrize("damage", [_cut, os.unlink])
def test_sizes_are_noticed_by_the_next_run_itself(prepared, root, name, damage):
    damage(root / "raw" / "a" / name)
    _prepare_again(prepared, root)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda o: o * 2, "outside 0..1"),
        (lambda o: np.triu(o), "not symmetric"),
        (lambda o: o * 0.5, "not 1 on its diagonal"),
        (lambda o: np.where(o < 1, np.nan, o), "outside 0..1"),
        (lambda o: o.astype(np.float64), "not float32"),
        (lambda o: o[:3, :3], "for 4 views"),
    ],
)
def test_overlaps_that_cannot_be_are_told(prepared, root, change, problem):
    path = root / "raw" / "a" / "overlap.npy"
    np.save(path, change(np.load(path)))
    seal(root / "raw" / "a", "overlap.npy")
    report = verify(root)
    assert _kinds(report) == ["scene"]
    assert problem in report.findings[0].problem
    remove_broken(report)
    _prepare_again(prepared, root)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("frame_ids", ["a", "a", "b", "c"], "names a frame twice"),
        ("poses", np.eye(4)[None].repeat(3, 0).tolist(), "poses"),
        ("poses", (2 * np.eye(4))[None].repeat(4, 0).tolist(), "not rigid"),
        ("format_version", 99, "format version 99"),
        ("files", {}, "names no file"),
    ],
)
def test_a_meta_that_cannot_be_is_told(prepared, root, key, value, problem):
    edit_meta(root / "raw" / "b", **{key: value})
    report = verify(root)
    assert _kinds(report) == ["scene"]
    assert problem in report.findings[0].problem
    remove_broken(report)
    _prepare_again(prepared, root)


def _list_without_a_row(table):
    return table.slice(1)


def _list_with_a_row_twice(table):
    return table.take([0, *range(len(table) - 1)])


def _list_with_a_foreign_scene(table):
    return table.set_column(0, table.field("scene"), [["raw/c"] * len(table)])


def _list_with_another_overlap(table):
    overlap = table.column("overlap").to_numpy() * np.float32(0.5)
    return table.set_column(3, table.field("overlap"), [overlap])


def _list_with_another_pair(table):
    return table.set_column(2, table.field("view1"), [table.column("view1").to_numpy() + 100])


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (_list_without_a_row, "pairs are listed, not"),
        (_list_with_a_row_twice, "a pair is listed twice"),
        (_list_with_a_foreign_scene, "lists the scene raw/c, which does not exist"),
        (_list_with_another_overlap, "another overlap"),
        (_list_with_another_pair, "not among the scene's own"),
        (lambda table: table.take(np.arange(len(table))[::-1]), "not sorted"),
        (lambda table: table.slice(0, 0), "0 pairs are listed, not"),
    ],
)
def test_every_edit_of_the_list_is_found_and_mended(prepared, root, edit, problem):
    path = root / "pairs.parquet"
    write_pairs(path, edit(read_pair_table(path)), read_pair_settings(path))
    report = verify(root)
    assert {*_kinds(report)} == {"list"}
    assert any(problem in finding.problem for finding in report.findings)
    _prepare_again(prepared, root)


@pytest.mark.parametrize("damage", [_flip, _cut, os.unlink])
def test_a_damaged_list_is_found_and_mended(prepared, root, damage):
    damage(root / "pairs.parquet")
    assert _kinds(verify(root)) == ["list"]
    _prepare_again(prepared, root)


def test_a_list_with_more_than_it_says_is_found(prepared, root):
    path = root / "pairs.parquet"
    write_pairs(path, read_pairs(path), read_pair_settings(path) | {"max_pairs": 2})
    assert "not 1 (it has" in verify(root).findings[0].problem
    write_pairs(path, read_pairs(path))
    assert "does not say which --max-pairs" in verify(root).findings[0].problem
    _prepare_again(prepared, root)


def test_a_scene_that_is_not_listed_is_told_why(prepared, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(prepared / "depth", root)
    prepare([prepared / "raw"], root, Settings(**SETTINGS), max_pairs=1)
    report = verify(root)
    assert _kinds(report) == ["unlisted"]
    assert "--max-pairs 1 leaves it no share" in report.findings[0].problem
    assert not report.broken
    prepare([prepared / "raw"], root, Settings(overlap_threshold=1))
    report = verify(root)
    assert _kinds(report) == ["unlisted"] * 2
    assert "enough for a pair" in report.findings[0].problem
    # A scene that came from elsewhere since the list was written
    shutil.copytree(prepared / "depth" / "raw" / "a", root / "other")
    problems = [finding.problem for finding in verify(root).findings]
    assert any("names another scene than its folder's, other" in each for each in problems)


def test_leftovers_and_strangers_are_told_and_only_ours_removed(prepared, root, capsys):
    strangers = [root / "notes.txt", root / "raw" / "a" / "notes.npy", root / "frames"]
    strangers[0].touch()
    strangers[1].touch()
    (strangers[2] / "deep").mkdir(parents=True)
    (strangers[2] / "deep" / "meta.json").write_text("{}")
    leftover = root / "raw" / ".a.abcdefgh.partial"
    leftover.mkdir()
    (leftover / "depth.bin").touch()
    report = verify(root)
    assert sorted(_kinds(report)) == ["leftover", "stranger", "stranger", "stranger"]
    assert {f.path for f in report.findings} == {leftover, *strangers}
    assert main(["verify", str(root)]) == 0
    assert leftover.exists()
    _flip(root / "raw" / "a" / "depth.bin")
    capsys.readouterr()
    assert main(["verify", str(root), "--redo"]) == 1
    printed = capsys.readouterr().out
    assert f"removed {leftover}" in printed
    assert "is kept: it holds notes.npy" in printed
    assert not leftover.exists()
    assert all(path.exists() for path in strangers)
    assert (root / "raw" / "a" / "depth.bin").exists()


def test_the_command_says_what_is_broken_and_what_to_do(prepared, root, capsys):
    _flip(root / "raw" / "a" / "colors.bin")
    (root / "raw" / "b" / "pairs.parquet").unlink()
    before = _content(root)
    assert main(["verify", str(root), "--num-workers", "2"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == ["BROKEN", "BROKEN"]
    assert "colors.bin is damaged (its checksum differs)" in lines[0]
    assert "2 broken; verify --redo, then run prepare_pairs again" in lines[-1]
    assert _content(root) == before
    assert main(["verify", str(root), "--redo"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"removed {root / 'raw' / 'a'}" in lines
    _prepare_again(prepared, root)


def test_what_is_not_a_prepared_folder_is_an_error(tmp_path, capsys):
    with pytest.raises(InputError, match="is not a folder"):
        verify(tmp_path / "gone")
    assert main(["verify", str(tmp_path)]) == 2
    assert "holds no prepared scene" in capsys.readouterr().err
    with pytest.raises(InputError, match="--num-workers"):
        verify(tmp_path, num_workers=0)
