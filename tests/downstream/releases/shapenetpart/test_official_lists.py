"""A release with as many names as the official lists, 35 of them in two, converts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from downstream.releases.shapenetpart.categories import (
    CATEGORY_NAMES,
    PARTS_OF_CATEGORY,
    SYNSETS,
)
from downstream.releases.shapenetpart.layout import CATEGORY_FILE, LISTS
from downstream.releases.shapenetpart.shapes import convert_release
from downstream.shapes.splits import read_splits
from tests.helpers.repository import REPOSITORY

OFFICIAL = REPOSITORY.parent / "shared" / "reference" / "splits" / "shapenetpart"
"""The official lists, where they are at hand; this repository does not have them."""

NUM_LISTED = {"train": 12137, "validation": 1870, "test": 2874}
SHARED = {("train", "validation"): 9, ("train", "test"): 23, ("validation", "test"): 3}


def made_up_lists() -> dict[str, list[str]]:
    """Lists with as many names, and as many in two lists, as the official ones."""
    lists: dict[str, list[str]] = {split: [] for split in LISTS}
    for (first, second), count in SHARED.items():
        for number in range(count):
            name = entry(f"{first} {second} {number}", number)
            lists[first].append(name)
            lists[second].append(name)
    for split, names in lists.items():
        names += [entry(f"{split} {n}", n) for n in range(NUM_LISTED[split] - len(names))]
    return lists


def entry(seed: str, number: int) -> str:
    name = hashlib.md5(seed.encode(), usedforsecurity=False).hexdigest()
    return f"shape_data/{SYNSETS[number % len(SYNSETS)]}/{name}"


def official_lists() -> dict[str, list[str]]:
    if not OFFICIAL.is_dir():
        pytest.skip("the official lists are not here")
    return {
        split: json.loads((OFFICIAL / Path(file).name).read_text()) for split, file in LISTS.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("lists_of", [made_up_lists, official_lists])
def test_all_names_of_the_lists_convert(lists_of, tmp_path: Path):
    lists, raw = lists_of(), tmp_path / "raw"
    (raw / "train_test_split").mkdir(parents=True)
    for split, names in lists.items():
        (raw / LISTS[split]).write_text(json.dumps(names))
    pairs = zip(CATEGORY_NAMES, SYNSETS, strict=True)
    (raw / CATEGORY_FILE).write_text("".join(f"{name}\t{synset}\n" for name, synset in pairs))
    for synset in SYNSETS:
        (raw / synset).mkdir()
    for name in {name for names in lists.values() for name in names}:
        synset = name.split("/")[1]
        part = PARTS_OF_CATEGORY[SYNSETS.index(synset)].start
        path = raw / f"{name.removeprefix('shape_data/')}.txt"
        path.write_text(f"0 0 0 0 0 1 {part}.000000\n0 1 0 0 0 1 {part + 1}.000000\n")
    done = convert_release(raw, tmp_path / "out")
    assert (done.failures, done.num_unlisted) == ({}, 0)
    assert not any(each.left_out for each in done.finished)
    assert sum(each.num_shapes for each in done.finished) == 16_846
    (note,) = done.notes
    assert "(9 in train and validation, 23 in train and test, 3 in validation and test)" in note
    splits = read_splits(tmp_path / "out")
    assert {split: len(names) for split, names in splits.items()} == NUM_LISTED
    assert len({*splits["train"], *splits["validation"]}) == 13_998
