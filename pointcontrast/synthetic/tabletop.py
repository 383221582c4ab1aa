"""Objects on furniture: full shelves, laid tables, screens on desks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pointcontrast.synthetic.clutter import (
    book_pile,
    book_row,
    carton,
    lamp,
    monitor,
    ornament,
    plant,
)
from pointcontrast.synthetic.floorplan import footprint, overlap
from pointcontrast.synthetic.pieces import Piece, Placement, Surface

Maker = Callable[[np.random.Generator], Piece]


def laid_out(placed: Placement, rng: np.random.Generator) -> list[Placement]:
    """Draw small objects on every surface of a piece of furniture.

    Args:
        placed: Furniture at its place.
        rng: Source of randomness.

    Returns:
        The objects at their places in the world; none touches another.
    """
    c, s = np.cos(placed.yaw), np.sin(placed.yaw)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    items = []
    for surface in placed.piece.surfaces:
        open_top = not np.isfinite(surface.clearance) and placed.piece.class_name != "bookcase"
        for item in _on_top(placed, surface, rng) if open_top else _on_shelf(surface, rng):
            where = placed.position + turn @ item.position
            items.append(Placement(item.piece, where, placed.yaw + item.yaw))
    return items


def _on_shelf(surface: Surface, rng: np.random.Generator) -> list[Placement]:
    """Rows of books, boxes and objects from one end of a shelf to the other."""
    depth, room = surface.high[0] - surface.low[0], min(surface.clearance, 0.4)
    items, y = [], surface.low[1]
    while y < surface.high[1] - 0.15:
        width = min(rng.uniform(0.15, 0.6), surface.high[1] - y)
        kind = rng.choice(["books", "things", "nothing"], p=[0.6, 0.25, 0.15])
        if kind == "books":
            piece = book_row(rng, width, room, depth)
        else:
            piece = ornament(rng) if rng.uniform() < 0.6 else carton(rng, 0.3)
        low, high = piece.bounds()
        span = high - low
        if kind != "nothing" and span[0] <= depth and span[1] <= width and span[2] < room:
            middle = (surface.low[0] + surface.high[0]) / 2 - (low[0] + high[0]) / 2
            where = np.array([middle, y + width / 2 - (low[1] + high[1]) / 2, surface.z])
            items.append(Placement(piece, where, 0.0))
        y += width
    return items


def _on_top(placed: Placement, surface: Surface, rng: np.random.Generator) -> list[Placement]:
    """A few objects on a table top, desk or sideboard, none touching another."""
    low, high = np.asarray(surface.low), np.asarray(surface.high)
    makers: list[Maker] = [
        book_pile,
        ornament,
        ornament,
        lambda rng: lamp(rng, rng.uniform(0.4, 0.6)),
        lambda rng: plant(rng, rng.uniform(0.3, 0.5)),
        lambda rng: carton(rng, rng.uniform(0.15, 0.3)),
    ]
    wanted = [makers[k] for k in rng.integers(len(makers), size=int(rng.integers(1, 6)))]
    wide = high[1] - low[1] > 1.0
    name = placed.piece.class_name
    if name == "desk" or (name == "cabinet" and wide and rng.uniform() < 0.4):
        wanted.insert(0, monitor)
    taken: list[NDArray[np.float64]] = []
    items: list[Placement] = []
    for make in wanted:
        piece = make(rng)
        lower, upper = piece.bounds()
        for _ in range(8):
            yaw = rng.normal(0, 0.15) if make is monitor else rng.uniform(-np.pi, np.pi)
            where = np.append(rng.uniform(low, high), surface.z)
            if make is monitor:
                where[0] = low[0] + 0.13
            corners = footprint(lower, upper, where, float(yaw))
            fits = (corners >= low).all() and (corners <= high).all()
            if fits and not any(overlap(corners, other) for other in taken):
                taken.append(corners)
                items.append(Placement(piece, where, float(yaw)))
                break
    return items
