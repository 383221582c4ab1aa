"""Parametric shapes of all 16 categories of ShapeNetPart.

The frame is that of ShapeNetCore v2: y up, front towards -z, the bounding box centred at the origin
with a diagonal of length 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.releases.shapenetpart import household, vehicles
from tests.releases.shapenetpart.solids import PartSolid

_FROM_PIECE = np.array([[0.0, -1, 0], [0, 0, 1], [-1, 0, 0]])  # x front, y left, z up -> ShapeNet

BUILDERS: dict[str, Callable[[np.random.Generator], list[PartSolid]]] = {
    "02691156": vehicles.airplane,
    "02773838": household.bag,
    "02954340": household.cap,
    "02958343": vehicles.car,
    "03001627": household.chair,
    "03261776": household.earphone,
    "03467517": household.guitar,
    "03624134": household.knife,
    "03636649": household.lamp,
    "03642806": household.laptop,
    "03790512": vehicles.motorbike,
    "03797390": household.mug,
    "03948459": vehicles.pistol,
    "04099429": vehicles.rocket,
    "04225987": vehicles.skateboard,
    "04379243": household.table,
}
"""Synset -> function that draws a random shape: solids, each with the number of its part."""


def parametric_shape(synset: str, rng: np.random.Generator) -> list[PartSolid]:
    """Draw a random shape of a category, in the frame and size of ShapeNet.

    Args:
        synset: Key of ``BUILDERS``.
        rng: Source of randomness.

    Returns:
        Solids, each with the number of its part within the category.
    """
    solids = BUILDERS[synset](rng)
    vertices = np.concatenate([solid.vertices for _, solid in solids])
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle, size = (low + high) / 2, float(np.linalg.norm(high - low))
    scaled = [
        (number, replace(solid, vertices=(solid.vertices - middle) / size))
        for number, solid in solids
    ]
    return [(number, solid.moved((0, 0, 0), _FROM_PIECE)) for number, solid in scaled]
