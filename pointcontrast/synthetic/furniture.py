"""Tables, desks and cases: functions ``(rng) -> Piece``, each of several solids.

Frame of every piece: x to the front (the side of its user), y left, z up, metres; the origin is on
the floor below the centre.
"""

from __future__ import annotations

import numpy as np

from pointcontrast.synthetic.pieces import Piece, Surface
from pointcontrast.synthetic.solids import Part, block, cushion, rod, turned
from pointcontrast.synthetic.textures import Material, metal, paint, pale_color, vivid_color, wood


def table(rng: np.random.Generator, low: bool = False) -> Piece:
    """A dining table, or a coffee table if ``low``; round or rectangular."""
    height = rng.uniform(0.38, 0.48) if low else rng.uniform(0.7, 0.78)
    thick = rng.uniform(0.025, 0.05)
    top, frame = wood(rng, 1), wood(rng) if rng.uniform() < 0.6 else metal(rng)
    if rng.uniform() < 0.35:
        radius = rng.uniform(0.35, 0.5) if low else rng.uniform(0.45, 0.65)
        foot, half = 0.6 * radius, radius * 0.65
        parts = [
            turned(
                [[0, -thick], [radius - 0.02, -thick], [radius, -thick / 2], [radius, 0], [0, 0]],
                (0, 0, height),
                top,
                num_sides=32,
            ),
            rod((0, 0, 0.02), (0, 0, height - thick), 0.05, frame, 0.035),
            turned([[0, 0], [foot, 0], [foot, 0.02], [0.06, 0.07], [0, 0.07]], (0, 0, 0), frame),
        ]
        return Piece("table", tuple(parts), (Surface((-half, -half), (half, half), height),))
    depth = rng.uniform(0.5, 0.7) if low else rng.uniform(0.75, 0.95)
    width = rng.uniform(0.8, 1.2) if low else rng.uniform(1.1, 1.8)
    parts = [block((0, 0, height - thick / 2), (depth, width, thick), top)]
    parts += legs(rng, depth - 0.1, width - 0.1, height - thick, frame)
    apron = 0.06
    for side in (-1, 1):
        x, y, z = side * (depth / 2 - 0.06), side * (width / 2 - 0.06), height - thick - apron / 2
        parts.append(block((x, 0, z), (0.02, width - 0.12, apron), frame))
        parts.append(block((0, y, z), (depth - 0.14, 0.02, apron), frame))
    if low and rng.uniform() < 0.5:
        parts.append(block((0, 0, 0.14), (depth - 0.12, width - 0.12, 0.02), top))
    return Piece("table", tuple(parts), (_top(depth, width, height),))


def desk(rng: np.random.Generator) -> Piece:
    """A desk with drawers on one side, a panel or legs on the other, and a modesty panel."""
    depth, width = rng.uniform(0.6, 0.75), rng.uniform(1.1, 1.6)
    height, thick = rng.uniform(0.7, 0.76), rng.uniform(0.025, 0.04)
    top = wood(rng, 1) if rng.uniform() < 0.7 else paint(rng, pale_color(rng))
    body, handle = paint(rng, pale_color(rng)) if rng.uniform() < 0.5 else top, metal(rng)
    side = float(rng.choice([-1, 1]))
    inner, chest = height - thick, rng.uniform(0.35, 0.45)
    middle = side * (width / 2 - chest / 2 - 0.02)
    parts = [
        block((0, 0, height - thick / 2), (depth, width, thick), top),
        block((-0.02, middle, inner / 2), (depth - 0.08, chest, inner), body),
        block((-depth / 2 + 0.06, 0, inner - 0.2), (0.02, width - 0.1, 0.35), body),
    ]
    parts += _fronts(rng, depth / 2 - 0.06, middle, 0.04, chest, inner - 0.05, 3, body, handle)
    if rng.uniform() < 0.5:
        panel = -side * (width / 2 - 0.03)
        parts.append(block((0, panel, inner / 2), (depth - 0.08, 0.03, inner), body))
    else:
        for x in (-1, 1):
            foot = (x * (depth / 2 - 0.06), -side * (width / 2 - 0.06))
            parts.append(rod((*foot, 0), (*foot, inner), 0.025, handle))
    return Piece("desk", tuple(parts), (_top(depth, width, height),))


def cabinet(rng: np.random.Generator, kind: str | None = None) -> Piece:
    """A wardrobe, sideboard or bedside cabinet with doors; None draws one of the first two."""
    sizes = {  # depth, width, height, rows of fronts, columns
        "wardrobe": ((0.5, 0.62), (0.9, 1.6), (1.85, 2.15), (1, 2), (2, 4)),
        "sideboard": ((0.38, 0.48), (1.0, 1.8), (0.6, 0.95), (1, 4), (2, 5)),
        "bedside": ((0.35, 0.42), (0.4, 0.5), (0.45, 0.6), (1, 4), (1, 2)),
    }
    chosen = str(rng.choice(["wardrobe", "sideboard"])) if kind is None else kind
    depth, width, height = (rng.uniform(*span) for span in sizes[chosen][:3])
    rows, columns = (int(rng.integers(*span)) for span in sizes[chosen][3:])
    body = wood(rng) if rng.uniform() < 0.6 else paint(rng, vivid_color(rng))
    front = body if rng.uniform() < 0.5 else paint(rng, pale_color(rng))
    handle, plinth = metal(rng), rng.uniform(0.05, 0.12)
    parts = [
        block((-0.03, 0, plinth / 2), (depth - 0.08, width - 0.06, plinth), handle),
        block((-0.01, 0, (height + plinth) / 2), (depth - 0.02, width, height - plinth), body),
        block((0, 0, height - 0.012), (depth + 0.03, width + 0.03, 0.024), body),
    ]
    each = width / columns
    for y in (np.arange(columns) - (columns - 1) / 2) * each:
        parts += _fronts(rng, depth / 2 - 0.02, y, plinth, each, height - 0.03, rows, front, handle)
    surfaces = (_top(depth, width, height),) if height < 1.2 else ()
    return Piece("cabinet", tuple(parts), surfaces)


def bookcase(rng: np.random.Generator) -> Piece:
    """Open shelves between two sides and a back; objects on them are drawn elsewhere."""
    depth, width = rng.uniform(0.26, 0.36), rng.uniform(0.6, 1.2)
    height, thick = rng.uniform(1.2, 2.1), 0.022
    body = wood(rng, 1) if rng.uniform() < 0.7 else paint(rng, pale_color(rng))
    back = body if rng.uniform() < 0.5 else paint(rng, vivid_color(rng))
    parts = [block((-depth / 2 + 0.006, 0, height / 2), (0.012, width - 0.02, height), back)]
    for y in (-width / 2 + thick / 2, width / 2 - thick / 2):
        parts.append(block((0, y, height / 2), (depth, thick, height), body))
    num_shelves = round(height / rng.uniform(0.3, 0.42))
    levels = np.linspace(0.06, height - thick / 2, num_shelves + 1)
    surfaces = []
    for z, following in zip(levels, [*levels[1:], np.inf], strict=True):
        parts.append(block((0.004, 0, z), (depth - 0.02, width - 2 * thick, thick), body))
        surfaces.append(
            Surface(
                (-depth / 2 + 0.02, -width / 2 + thick + 0.005),
                (depth / 2 - 0.02, width / 2 - thick - 0.005),
                z + thick / 2,
                following - z - thick,
            )
        )
    parts.append(block((-0.01, 0, 0.025), (depth - 0.06, width - 2 * thick, 0.05), body))
    return Piece("bookcase", tuple(parts), tuple(surfaces))


def legs(
    rng: np.random.Generator, depth: float, width: float, height: float, material: Material
) -> list[Part]:
    """Four legs around a rectangle: square, turned and tapered, or splayed."""
    kind, thick = int(rng.integers(3)), rng.uniform(0.03, 0.06)
    splay = 0.04 if kind == 2 else 0.0
    parts = []
    for x in (-depth / 2, depth / 2):
        for y in (-width / 2, width / 2):
            if kind == 0:
                parts.append(block((x, y, height / 2), (thick, thick, height), material))
            else:
                foot = (x * (1 + splay), y * (1 + splay), 0.0)
                head = (x * (1 - splay), y * (1 - splay), height)
                parts.append(rod(foot, head, 0.3 * thick, material, 0.6 * thick))
    return parts


def _top(depth: float, width: float, height: float) -> Surface:
    margin = 0.03
    x, y = depth / 2 - margin, width / 2 - margin
    return Surface((-x, -y), (x, y), height)


def _fronts(
    rng: np.random.Generator,
    x: float,
    y: float,
    bottom: float,
    width: float,
    top: float,
    rows: int,
    material: Material,
    handle: Material,
) -> list[Part]:
    """Drawer or door fronts above each other in the plane ``x``, each with a handle."""
    parts = []
    each = (top - bottom) / rows
    knob = rng.uniform() < 0.5
    for z in bottom + (np.arange(rows) + 0.5) * each:
        parts.append(block((x + 0.008, y, z), (0.02, width - 0.012, each - 0.012), material))
        if knob:
            parts.append(cushion((x + 0.028, y, z + 0.2 * each), (0.03, 0.03, 0.03), handle, 1.0))
        elif each > 0.6:
            grip = (x + 0.028, y + 0.4 * width, z)
            parts.append(block(grip, (0.02, 0.015, 0.18), handle))
        else:
            parts.append(block((x + 0.028, y, z + 0.2 * each), (0.02, 0.12, 0.012), handle))
    return parts
