"""Numbers of ShapeNetPart's parts, as in published evaluations."""

from __future__ import annotations

from downstream.releases.shapenetpart.categories import (
    CATEGORY_NAMES,
    PART_NAMES,
    PARTS_OF_CATEGORY,
    SYNSETS,
    part_rows_of,
)
from tests.releases.shapenetpart.shapes import BUILDERS

# charlesq34/pointnet2, part_seg/evaluate.py: seg_classes
PUBLISHED = {
    "Earphone": [16, 17, 18],
    "Motorbike": [30, 31, 32, 33, 34, 35],
    "Rocket": [41, 42, 43],
    "Car": [8, 9, 10, 11],
    "Laptop": [28, 29],
    "Cap": [6, 7],
    "Skateboard": [44, 45, 46],
    "Mug": [36, 37],
    "Guitar": [19, 20, 21],
    "Bag": [4, 5],
    "Lamp": [24, 25, 26, 27],
    "Table": [47, 48, 49],
    "Airplane": [0, 1, 2, 3],
    "Pistol": [38, 39, 40],
    "Chair": [12, 13, 14, 15],
    "Knife": [22, 23],
}


def test_parts_are_numbered_as_published():
    found = dict(zip(CATEGORY_NAMES, map(list, PARTS_OF_CATEGORY), strict=True))
    assert found == PUBLISHED
    assert len(SYNSETS) == len(set(SYNSETS)) == 16
    assert len(PART_NAMES) == len(set(PART_NAMES)) == 50


def test_a_part_is_named_after_its_category():
    for category, parts in zip(CATEGORY_NAMES, PARTS_OF_CATEGORY, strict=True):
        assert all(PART_NAMES[part].split()[0] == category for part in parts)
    assert PART_NAMES[37] == "Mug cup"


def test_every_category_can_be_generated():
    assert sorted(BUILDERS) == sorted(SYNSETS)


def test_the_parts_of_a_category_are_found_by_their_names() -> None:
    assert part_rows_of(CATEGORY_NAMES, PART_NAMES) == tuple(map(tuple, PARTS_OF_CATEGORY))
    assert part_rows_of(("Cup", "Cupboard"), ("Cup 0", "Cupboard 0", "Cup 1")) == ((0, 2), (1,))
