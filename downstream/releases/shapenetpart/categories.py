"""The categories of ShapeNetPart, and which parts each has."""

from __future__ import annotations

_TABLE = (
    ("Airplane", "02691156", 4),
    ("Bag", "02773838", 2),
    ("Cap", "02954340", 2),
    ("Car", "02958343", 4),
    ("Chair", "03001627", 4),
    ("Earphone", "03261776", 3),
    ("Guitar", "03467517", 3),
    ("Knife", "03624134", 2),
    ("Lamp", "03636649", 4),
    ("Laptop", "03642806", 2),
    ("Motorbike", "03790512", 6),
    ("Mug", "03797390", 2),
    ("Pistol", "03948459", 3),
    ("Rocket", "04099429", 3),
    ("Skateboard", "04225987", 3),
    ("Table", "04379243", 3),
)
"""Category, its synset, and how many parts it has; the parts of all are numbered in this order
(facts of the release: ``synsetoffset2category.txt`` and the last column of its files)."""

CATEGORY_NAMES: tuple[str, ...] = tuple(name for name, _, _ in _TABLE)
SYNSETS: tuple[str, ...] = tuple(synset for _, synset, _ in _TABLE)

_FIRST = [sum(count for _, _, count in _TABLE[:row]) for row in range(len(_TABLE))]

PARTS_OF_CATEGORY: tuple[tuple[int, ...], ...] = tuple(
    tuple(range(first, first + count)) for first, (_, _, count) in zip(_FIRST, _TABLE, strict=True)
)

PART_NAMES: tuple[str, ...] = tuple(
    f"{name.lower()} {number}" for name, _, count in _TABLE for number in range(count)
)
"""The release numbers its parts and does not name them."""
