"""The empty room: floor, ceiling, walls with their openings, doors and windows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pointcontrast.synthetic.floorplan import FloorPlan, Wall
from pointcontrast.synthetic.pieces import Piece, Placement
from pointcontrast.synthetic.solids import Part, block, cushion, extruded, rectangle, rod, turned
from pointcontrast.synthetic.textures import (
    Material,
    fabric,
    hsv,
    metal,
    paint,
    pale_color,
    shade_of,
    textured,
    vivid_color,
    wood,
)


@dataclass(frozen=True)
class Opening:
    """A door or a window, in the frame of its wall (y along it, z up), metres.

    Attributes:
        wall: Index into ``FloorPlan.walls``.
        class_name: "door" or "window".
        low: (y, z) of one corner.
        high: (y, z) of the opposite corner.
        recess: Distance behind the surface of the wall.
    """

    wall: int
    class_name: str
    low: tuple[float, float]
    high: tuple[float, float]
    recess: float


def make_shell(plan: FloorPlan, rng: np.random.Generator) -> tuple[list[Placement], list[Opening]]:
    """Draw the room without furniture: floor, ceiling, walls, then doors and windows.

    Args:
        plan: Ground plan of the room.
        rng: Source of randomness.

    Returns:
        The pieces at their places, in that order, and the openings.
    """
    openings = _draw_openings(plan, rng)
    walls = plan.walls
    placements = [
        Placement(_floor(plan, rng), np.zeros(3), 0.0),
        Placement(_ceiling(plan, rng), np.array([0, 0, plan.height]), 0.0),
    ]
    finish = _wall_finish(rng)
    skirting = paint(rng, pale_color(rng)) if rng.uniform() < 0.5 else wood(rng, 1)
    for index, wall in enumerate(walls):
        # One wall in four has another finish.
        material = _wall_finish(rng) if rng.uniform() < 0.25 else finish
        holes = [opening for opening in openings if opening.wall == index]
        piece = _wall(wall.length, plan.height, holes, material, skirting)
        placements.append(Placement(piece, np.append(wall.start, 0.0), wall.heading))
    for opening in openings:
        wall = walls[opening.wall]
        piece = _door(opening, rng) if opening.class_name == "door" else _window(opening, rng)
        middle = wall.point((opening.low[0] + opening.high[0]) / 2)
        placements.append(Placement(piece, np.append(middle, 0.0), wall.heading))
    return placements, openings


def _draw_openings(plan: FloorPlan, rng: np.random.Generator) -> list[Opening]:
    """One door, and one to three windows on other walls."""
    walls: list[Wall] = plan.walls
    order = [int(index) for index in rng.permutation(len(walls))]
    roomy = [index for index in order if walls[index].length > 1.7]
    first, rest = roomy[0], roomy[1:]
    width, height = rng.uniform(0.8, 0.95), rng.uniform(2.0, 2.1)
    start = rng.uniform(0.2, walls[first].length - width - 0.2)
    openings = [Opening(first, "door", (start, 0.0), (start + width, height), 0.06)]
    for index in rest[: int(rng.integers(1, 4))]:
        width = rng.uniform(0.9, min(2.2, walls[index].length - 0.7))
        start = rng.uniform(0.35, walls[index].length - width - 0.35)
        sill, top = rng.uniform(0.8, 1.0), plan.height - rng.uniform(0.25, 0.45)
        openings.append(Opening(index, "window", (start, sill), (start + width, top), 0.12))
    return openings


def _floor(plan: FloorPlan, rng: np.random.Generator) -> Piece:
    """Planks, tiles, lino or carpet, often with a rug of 8 mm."""
    kind = str(rng.choice(["planks", "tiles", "checker", "blotches"], p=[0.4, 0.2, 0.15, 0.25]))
    base = wood(rng).color if kind == "planks" else pale_color(rng)
    if kind == "blotches":
        base = vivid_color(rng)
    other = shade_of(base, rng.uniform(0.55, 0.8))
    tile = rng.uniform(0.25, 0.6)
    scale = {
        "planks": (rng.uniform(1.2, 2.2), rng.uniform(0.1, 0.2), np.inf),
        "tiles": (tile, tile, np.inf),
        "checker": (tile, tile, np.inf),
        "blotches": (0.06, 0.06, np.inf),
    }[kind]
    material = textured(rng, kind, base, other, scale)
    parts = [
        rectangle((x0, y0, 0), (x1 - x0, 0, 0), (0, y1 - y0, 0), material)
        for x0, y0, x1, y1 in plan.rectangles
    ]
    if rng.uniform() < 0.6:
        x0, y0, x1, y1 = plan.rectangles[0]
        size = np.array([x1 - x0, y1 - y0]) * rng.uniform(0.4, 0.65, 2)
        middle = np.array([x0 + x1, y0 + y1]) / 2
        border = fabric(rng)
        parts.append(block((*middle, 0.003), (*size, 0.006), border))
        parts.append(block((*middle, 0.004), (*(size - 0.24), 0.008), fabric(rng)))
    return Piece("floor", tuple(parts))


def _ceiling(plan: FloorPlan, rng: np.random.Generator) -> Piece:
    material = paint(rng, hsv(rng.uniform(), 0.03, 0.95))
    return Piece(
        "ceiling",
        tuple(
            rectangle((x0, y0, 0), (0, y1 - y0, 0), (x1 - x0, 0, 0), material)
            for x0, y0, x1, y1 in plan.rectangles
        ),
    )


def _wall_finish(rng: np.random.Generator) -> Material:
    """Paint, wallpaper or bricks, constant across the thickness of the wall."""
    color = pale_color(rng)
    kind = str(rng.choice(["stains", "stripes", "dots", "bricks"], p=[0.6, 0.18, 0.1, 0.12]))
    period = rng.uniform(0.12, 0.3)
    if kind == "bricks":
        clay = hsv(rng.uniform(0.0, 0.08), rng.uniform(0.2, 0.6), rng.uniform(0.5, 0.8))
        return textured(rng, kind, clay, (0.75, 0.74, 0.7), (np.inf, 0.24, 0.08))
    scale = {
        "stains": (np.inf, 0.5, 0.5),
        "stripes": (np.inf, period, np.inf),
        "dots": (np.inf, period, period),
    }[kind]
    return textured(rng, kind, color, shade_of(color, rng.uniform(0.78, 0.9)), scale)


def _wall(
    length: float, height: float, holes: list[Opening], material: Material, skirting: Material
) -> Piece:
    """A wall with holes, the sides of the holes, and a skirting board; x out of the wall."""
    parts: list[Part] = []
    ys = sorted({0.0, length, *(y for hole in holes for y in (hole.low[0], hole.high[0]))})
    zs = sorted({0.0, height, *(z for hole in holes for z in (hole.low[1], hole.high[1]))})
    for y0, y1 in pairwise(ys):
        for z0, z1 in pairwise(zs):
            middle = ((y0 + y1) / 2, (z0 + z1) / 2)
            if not any(_inside(hole, middle) for hole in holes):
                parts.append(rectangle((0, y0, z0), (0, y1 - y0, 0), (0, 0, z1 - z0), material))
        if not any(_inside(hole, ((y0 + y1) / 2, 0.01)) for hole in holes):
            board = (0.006, (y0 + y1) / 2, 0.04), (0.012, y1 - y0, 0.08)
            parts.append(block(*board, skirting))
    for hole in holes:
        (y0, z0), (y1, z1), back = hole.low, hole.high, -hole.recess
        deep, wide, tall = (-back, 0, 0), (0, y1 - y0, 0), (0, 0, z1 - z0)
        parts.append(rectangle((back, y0, z0), deep, wide, material))
        parts.append(rectangle((back, y0, z1), wide, deep, material))
        parts.append(rectangle((back, y0, z0), tall, deep, material))
        parts.append(rectangle((back, y1, z0), deep, tall, material))
        if hole.class_name == "door":  # behind a leaf; a pane closes the room itself
            parts.append(rectangle((back, y0, z0), wide, tall, material))
    return Piece("wall", tuple(parts))


def _inside(hole: Opening, point: tuple[float, float]) -> bool:
    return all(a < value < b for a, value, b in zip(hole.low, point, hole.high, strict=True))


def _door(opening: Opening, rng: np.random.Generator) -> Piece:
    """A leaf with raised panels, a casing around the hole, and a handle."""
    width, height, back = opening.high[0] - opening.low[0], opening.high[1], -opening.recess
    leaf = wood(rng) if rng.uniform() < 0.5 else paint(rng, vivid_color(rng))
    casing = paint(rng, pale_color(rng)) if rng.uniform() < 0.5 else leaf
    panel, brass, board = paint(rng, shade_of(leaf.color, 0.8)), metal(rng), 0.08
    parts = [block((back + 0.01, 0, height / 2), (0.02, width, height), leaf)]
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    for z in (np.arange(rows) + 0.5) * (height - 0.2) / rows + 0.1:
        for y in (np.arange(columns) - (columns - 1) / 2) * (width - 0.1) / columns:
            size = (0.03, (width - 0.1) / columns - 0.1, (height - 0.2) / rows - 0.1)
            parts.append(block((back + 0.02, y, z), size, panel))
    for side in (-1, 1):
        y = side * (width / 2 + board / 2)
        parts.append(block((0.01, y, (height + board) / 2), (0.02, board, height + board), casing))
    parts.append(block((0.01, 0, height + board / 2), (0.02, width, board), casing))
    y = float(rng.choice([-1, 1])) * (width / 2 - 0.07)
    parts.append(rod((back, y, 1.02), (back + 0.06, y, 1.02), 0.012, brass))
    grip = cushion((back + 0.06, y - np.sign(y) * 0.05, 1.02), (0.02, 0.13, 0.02), brass, 0.7)
    return Piece("door", (*parts, grip))


def _window(opening: Opening, rng: np.random.Generator) -> Piece:
    """A pane with a view, frame and bars, a sill, and sometimes curtains."""
    (y0, z0), (y1, z1), back = opening.low, opening.high, -opening.recess
    width, height, middle = y1 - y0, z1 - z0, (z0 + z1) / 2
    frame = paint(rng, pale_color(rng)) if rng.uniform() < 0.7 else wood(rng)
    sky = hsv(rng.uniform(0.53, 0.62), rng.uniform(0.2, 0.5), 0.95)
    town = hsv(rng.uniform(0.0, 0.4), 0.3, rng.uniform(0.4, 0.6))
    phase = (0.0, float(rng.uniform(0, 500)), -z0 / height + 500.0)
    view = Material("sky", sky, town, (np.inf, height, height), phase, glow=1.0)
    pane = rectangle((back, -width / 2, z0), (0, width, 0), (0, 0, height), view)
    parts, bar = [pane], 0.05
    for y in np.linspace(-width / 2 + bar / 2, width / 2 - bar / 2, int(rng.integers(2, 5))):
        parts.append(block((back + 0.025, y, middle), (0.05, bar, height), frame))
    for z in (z0 + bar / 2, z1 - bar / 2, *([z0 + 0.68 * height] * int(rng.integers(2)))):
        parts.append(block((back + 0.02, 0, z), (0.04, width, bar), frame))
    sill = -back + 0.05
    parts.append(block((sill / 2 + back, 0, z0 + 0.012), (sill, width - 0.002, 0.024), frame))
    if rng.uniform() < 0.6:
        parts += _curtains(width, z0 - 0.15, z1 + 0.06, rng)
    return Piece("window", tuple(parts))


def _curtains(width: float, bottom: float, top: float, rng: np.random.Generator) -> list[Part]:
    """Two open wavy curtains on a rod, within 14 cm of the wall."""
    cloth, steel = fabric(rng), metal(rng)
    each, waves = rng.uniform(0.15, 0.3) * width, rng.uniform(9, 14)
    parts = [rod((0.09, -width / 2 - 0.15, top), (0.09, width / 2 + 0.15, top), 0.012, steel)]
    for side in (-1, 1):
        y = side * (width / 2 + 0.1) - np.linspace(0, side * each, 33)
        wave = 0.035 * np.sin(waves * np.linspace(0, each, 33) / each * 2)
        line: NDArray[np.float64] = np.stack([0.09 + wave, y], axis=1)
        thick = np.array([0.004, 0])
        front, behind = line + thick, line[::-1] - thick
        loop = np.concatenate([front, behind] if side < 0 else [front[::-1], behind[::-1]])
        parts.append(extruded(loop, bottom, top - 0.012, cloth))
        knob = [[0, -0.02], [0.02, -0.02], [0.02, 0.02], [0, 0.02]]
        parts.append(turned(knob, (0.09, side * (width / 2 + 0.15), top), steel, 12))
    return parts
