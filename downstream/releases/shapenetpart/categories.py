"""The 16 categories of ShapeNetPart and their 50 parts, in the order of the release's numbers."""

from __future__ import annotations

from itertools import accumulate, pairwise

# The files hold numbers only: the first number and the count of each category's are those of
# PointNet (charlesq34/pointnet, part_seg) and PointNet++. The words are PointCLIP V2's
# (yangyangyang127/PointCLIP_V2, zeroshot_seg), made one word where they offer two; those of the
# lamp, of which it names two, are Find3D's (ziqi-ma/Find3D, evaluation on ShapeNetPart).
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
"""WordNet offsets: the folders of the release, a row for each category."""

CATEGORY_NAMES: tuple[str, ...] = tuple(name for name, _ in _CATEGORIES.values())

_FIRST = [0, *accumulate(len(parts) for _, parts in _CATEGORIES.values())]

PARTS_OF_CATEGORY: tuple[range, ...] = tuple(range(first, last) for first, last in pairwise(_FIRST))
"""The parts that a shape of each category may have, numbered over all categories: 0..49."""

PART_NAMES: tuple[str, ...] = tuple(
    f"{name} {part}" for name, parts in _CATEGORIES.values() for part in parts
)
