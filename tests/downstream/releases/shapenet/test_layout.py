"""Split file and folders of ShapeNetCore."""

from __future__ import annotations

from pathlib import Path

import pytest

from downstream.releases.shapenet.categories import CATEGORY_NAMES, SYNSETS
from downstream.releases.shapenet.layout import find_categories, read_split_file
from downstream.releases.shapenetpart.categories import SYNSETS as PART_SYNSETS
from pointcontrast.errors import InputError

HEADER = "id,synsetId,subSynsetId,modelId,split"
LINE = "1119,2691156,2690373,50da48c8e7644508fca1f1143bb6bc17,test"  # of the file (jackd/shapenet)


def write(folder: Path, *lines: str) -> Path:
    path = folder / "all.csv"
    path.write_text("\n".join([*lines, ""]))
    return path


def test_there_are_55_categories():
    assert len(SYNSETS) == len(set(SYNSETS)) == len(set(CATEGORY_NAMES)) == 55
    assert list(SYNSETS) == sorted(SYNSETS)
    assert all(len(synset) == 8 and synset.isdecimal() for synset in SYNSETS)
    assert set(PART_SYNSETS) < set(SYNSETS)


def test_a_real_line(tmp_path: Path):
    found = read_split_file(write(tmp_path, HEADER, LINE))
    model = ("02691156", "50da48c8e7644508fca1f1143bb6bc17")
    assert found == {"train": [], "validation": [], "test": [model]}


def test_forms_of_the_file(tmp_path: Path):
    lines = ["1,02691156,,u12-3.x,train", "2, 3001627, 3001627, b, val", LINE, LINE]
    path = write(tmp_path, HEADER, *lines)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    found = read_split_file(path)
    assert found["train"] == [("02691156", "u12-3.x")]
    assert found["validation"] == [("03001627", "b")]
    assert len(found["test"]) == 1
    own = tmp_path / "own.csv"
    own.write_text("split,modelId,synsetId\nval,a,02691156\n", encoding="utf-8-sig")
    assert read_split_file(own)["validation"] == [("02691156", "a")]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "has no lines with the columns synsetId, modelId, split"),
        ([HEADER], "has no lines with the columns"),
        (["id,synsetId,modelId", "1,2691156,a"], "has no lines with the columns"),
        ([HEADER, LINE, LINE.replace("2691156", "2834778")], "line 3: synset '2834778'"),
        ([HEADER, LINE.replace("test", "dev")], "line 2: .* split 'dev'"),
        ([HEADER, LINE.replace("50da", "../50da")], "line 2: .* model '../50da"),
        ([HEADER, "1,2691156"], "line 2: .* model ''"),
        ([HEADER, LINE, LINE.replace("test", "train")], "line 3: 02691156/50da.* is in test too"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, lines: list[str], message: str):
    with pytest.raises(InputError, match=message) as error:
        read_split_file(write(tmp_path, *lines))
    assert "all.csv" in str(error.value)


def test_a_missing_or_binary_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"all.csv does not exist; .* --split-file"):
        read_split_file(tmp_path / "all.csv")
    (tmp_path / "all.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not a table of text"):
        read_split_file(tmp_path / "all.csv")


def test_models_of_both_versions_are_found(tmp_path: Path):
    category = tmp_path / "02691156"
    for file in ("a/models/model_normalized.obj", "b/model.obj", "b/images/x.png", "d/model.mtl"):
        (category / file).parent.mkdir(parents=True, exist_ok=True)
        (category / file).touch()
    (category / "a" / "model.obj").touch()
    splits = {"train": [("02691156", name) for name in "dcba"], "test": [("03001627", "x")]}
    (found,) = find_categories(tmp_path, splits)
    assert (found.synset, found.listed) == ("02691156", ("a", "b", "c", "d"))
    assert found.path("a") == category / "a/models/model_normalized.obj"
    assert found.path("b") == category / "b/model.obj"
    assert found.path("c") is None
    assert found.path("d") is None
    assert found.num_unlisted() == 0
    (category / "e").mkdir()
    assert found.num_unlisted() == 1


def test_the_largest_category_comes_first(tmp_path: Path):
    for synset in ("02691156", "03001627"):
        (tmp_path / synset).mkdir()
    splits = {"train": [("02691156", "a"), ("03001627", "b"), ("03001627", "c")]}
    assert [each.synset for each in find_categories(tmp_path, splits)] == ["03001627", "02691156"]
    with pytest.raises(InputError, match="is not a folder"):
        find_categories(tmp_path / "absent", splits)
    with pytest.raises(InputError, match="holds no category"):
        find_categories(tmp_path / "02691156", splits)
