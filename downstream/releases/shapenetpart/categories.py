"""The 16 categories of ShapeNetPart and their 50 parts, in the order of the release."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

# The files have part numbers only. The numbers of each category are those of PointNet
# (charlesq34/pointnet, part_seg) and PointNet++. The names are those of PointCLIP V2
# (yangyangyang127/PointCLIP_V2, zeroshot_seg), reduced to one word. It names two parts of the lamp
# only, so the names of the lamp are those of Find3D (ziqi-ma/Find3D, evaluation on ShapeNetPart).
_CATEGORIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "02691156": ("Airplane", ("body", "wing", "tail", "engine")),
    "02773838": ("Bag", ("handle", "body")),
    "02954340": ("Cap", ("crown", "peak")),
    "02958343": ("Car", ("roof", "hood", "wheel", "body")),
    "03001627": ("Chair", ("back", "seat", "leg", "arm")),
    "03261776": ("Earphone", ("earcup", "headband", "wire")),
    "03467517": ("Guitar", ("head", "neck", "body")),
    "03624134": ("Knife", ("blade", "handle")),
    "03636649": ("Lamp", ("base", "shade", "bracket", "stem")),
    "03642806": ("Laptop", ("keyboard", "screen")),
    "03790512": ("Motorbike", ("tank", "seat", "wheel", "handlebar", "light", "frame")),
    "03797390": ("Mug", ("handle", "cup")),
    "03948459": ("Pistol", ("barrel", "handle", "trigger")),
    "04099429": ("Rocket", ("body", "fin", "nose")),
    "04225987": ("Skateboard", ("wheel", "deck", "belt")),
    "04379243": ("Table", ("top", "leg", "drawer")),
}

SYNSETS: tuple[str, ...] = tuple(_CATEGORIES)
"""WordNet offsets, the folders of the release, one per category."""

CATEGORY_NAMES: tuple[str, ...] = tuple(name for name, _ in _CATEGORIES.values())

_FIRST = [0, *accumulate(len(parts) for _, parts in _CATEGORIES.values())]

PARTS_OF_CATEGORY: tuple[range, ...] = tuple(range(first, last) for first, last in pairwise(_FIRST))
"""Parts of each category, numbered 0..49 over all categories."""

PART_NAMES: tuple[str, ...] = tuple(
    f"{name} {part}" for name, parts in _CATEGORIES.values() for part in parts
)


def part_rows_of(
    category_names: Sequence[str], part_names: Sequence[str]
) -> tuple[tuple[int, ...], ...]:
    """Return the rows of each category's parts, whose names begin with that of the category."""
    return tuple(
        tuple(row for row, part in enumerate(part_names) if part.startswith(f"{name} "))
        for name in category_names
    )
