"""Shapes of all 16 categories from a few random numbers: stand-ins for CAD models.

A shape is turned as ShapeNetCore v2 says of its own, y up and front towards -z, and its bounding
box lies about the origin with a diagonal of 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.releases.shapenetpart import parametric_things as things
from tests.releases.shapenetpart import parametric_vehicles as vehicles
from tests.releases.shapenetpart.parametric_tools import PartSolid

_FROM_PIECE = np.array([[0.0, -1, 0], [0, 0, 1], [-1, 0, 0]])  # x front, y left, z up -> ShapeNet

BUILDERS: dict[str, Callable[[np.random.Generator], list[PartSolid]]] = {
    "02691156": vehicles.airplane,
    "02773838": things.bag,
    "02954340": things.cap,
    "02958343": vehicles.car,
    "03001627": things.chair,
    "03261776": things.earphone,
    "03467517": things.guitar,
    "03624134": things.knife,
    "03636649": things.lamp,
    "03642806": things.laptop,
    "03790512": vehicles.motorbike,
    "03797390": things.mug,
    "03948459": vehicles.pistol,
    "04099429": vehicles.rocket,
    "04225987": vehicles.skateboard,
    "04379243": things.table,
}
"""Synset -> a function that draws a shape: solids, each with the number of its part."""


def parametric_shape(synset: str, rng: np.random.Generator) -> list[PartSolid]:
    """Draw a shape of a category, in ShapeNet's frame and size.

    Args:
        synset: a key of ``BUILDERS``.
        rng: the source of randomness.

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
