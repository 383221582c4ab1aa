"""Small objects: functions ``(rng, ...) -> Piece`` for floors, table tops, shelves and walls."""

from __future__ import annotations

import numpy as np

from pointcontrast.synthetic.pieces import Piece
from pointcontrast.synthetic.solids import Part, block, cushion, rod, rotation_about, turned
from pointcontrast.synthetic.textures import (
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


def book_row(rng: np.random.Generator, width: float, tallest: float, deepest: float) -> Piece:
    """Books side by side with their spines to the front, the last ones leaning.

    Args:
        rng: Source of randomness.
        width: Width of the shelf along y, metres.
        tallest: Free height, metres.
        deepest: Free depth, metres.
    """
    parts: list[Part] = []
    y = -width / 2
    typical = min(tallest * 0.92, rng.uniform(0.2, 0.3))
    while True:
        thick = rng.uniform(0.015, 0.05)
        height = min(tallest * 0.95, typical * rng.uniform(0.75, 1.1))
        depth = min(deepest, height * rng.uniform(0.6, 0.8))
        if y + thick > width / 2:
            break
        color = vivid_color(rng) if rng.uniform() < 0.75 else pale_color(rng)
        bands = (np.inf, np.inf, height * rng.uniform(0.3, 0.9))
        cover = textured(rng, "stripes", color, shade_of(color, rng.uniform(0.6, 1.2)), bands)
        x = deepest / 2 - depth / 2 - rng.uniform(0, 0.02)
        parts.append(block((x, y + thick / 2, height / 2), (depth, thick, height), cover))
        y += thick + 0.001
    return Piece("books", tuple(parts))


def book_pile(rng: np.random.Generator) -> Piece:
    """A pile of books, each rotated slightly."""
    parts: list[Part] = []
    z, width = 0.0, rng.uniform(0.2, 0.3)
    for _ in range(int(rng.integers(2, 7))):
        thick = rng.uniform(0.015, 0.045)
        width *= rng.uniform(0.88, 1.0)
        cover = fabric(rng)
        book = block((0, 0, z + thick / 2), (0.72 * width, width, thick), cover)
        parts.append(book.moved((0, 0, 0), rotation_about(2, rng.uniform(-0.3, 0.3))))
        z += thick
    return Piece("books", tuple(parts))


def carton(rng: np.random.Generator, largest: float) -> Piece:
    """A closed box with an overhanging or taped lid, no side longer than ``largest`` metres."""
    size = rng.uniform(0.5, 1.0, 3) * largest * np.array([0.8, 1.0, 0.7])
    brown = hsv(0.09, rng.uniform(0.35, 0.55), rng.uniform(0.5, 0.75))
    body = paint(rng, brown) if rng.uniform() < 0.5 else fabric(rng)
    other = paint(rng, pale_color(rng))
    parts = [block((0, 0, size[2] / 2), size, body)]
    if rng.uniform() < 0.5:
        parts.append(block((0, 0, size[2]), (size[0] + 0.01, size[1] + 0.01, 0.04), other))
    else:
        parts.append(block((0, 0, size[2]), (0.05, size[1] + 0.004, 0.004), other))
    return Piece("box", tuple(parts))


def lamp(rng: np.random.Generator, height: float) -> Piece:
    """A lamp with a shade on a stem, ``height`` metres from foot to shade."""
    stem, wide = metal(rng), rng.uniform(0.3, 0.4) * min(height, 0.7)
    warm = hsv(0.1, rng.uniform(0.1, 0.35), 1.0)
    cloth = textured(rng, "stains", warm, shade_of(warm, 0.9), (0.2, 0.2, 0.2), glow=0.75)
    tall, narrow = rng.uniform(0.18, 0.3), wide * rng.uniform(0.45, 0.95)
    shade = [[wide - 0.01, 0], [wide, 0], [narrow, tall], [0, tall], [0, tall - 0.02]]
    shade += [[narrow - 0.015, tall - 0.02], [wide - 0.01, 0]]
    foot = 0.6 * wide
    parts = [
        turned([[0, 0], [foot, 0], [foot, 0.015], [0.02, 0.03], [0, 0.03]], (0, 0, 0), stem),
        rod((0, 0, 0.01), (0, 0, height - 0.03), 0.012, stem),
        turned(shade, (0, 0, height - tall), cloth, num_sides=28),
    ]
    if height < 0.8:
        body = paint(rng, vivid_color(rng))
        bulge = rng.uniform(0.05, 0.09)
        parts.append(cushion((0, 0, 0.35 * height), (bulge, bulge, 0.6 * height), body, 0.9))
    return Piece("lamp", tuple(parts))


def ceiling_lamp(rng: np.random.Generator, room_height: float) -> Piece:
    """A flat disc or a hanging globe, at least 2 m above the floor; z = 0 is the ceiling."""
    warm = hsv(0.1, rng.uniform(0.02, 0.2), 1.0)
    glass = textured(rng, "stains", warm, shade_of(warm, 0.95), (0.3, 0.3, 0.3), glow=0.9)
    radius = rng.uniform(0.18, 0.3)
    if rng.uniform() < 0.5:
        bowl = [[0, -0.1], [0.6 * radius, -0.09], [radius, -0.04], [radius, 0], [0, 0]]
        return Piece("lamp", (turned(bowl, (0, 0, 0), glass, num_sides=28),))
    radius = min(radius, 0.4 * (room_height - 2.0))
    drop, wire = rng.uniform(0.75, 1.0) * (room_height - 2.0 - 0.6 * radius), metal(rng)
    return Piece(
        "lamp",
        (
            rod((0, 0, -drop), (0, 0, 0), 0.008, wire),
            turned([[0, -0.03], [0.06, -0.03], [0.06, 0], [0, 0]], (0, 0, 0), wire),
            cushion((0, 0, -drop), (2 * radius, 2 * radius, 1.2 * radius), glass, 1.0),
        ),
    )


def waste_bin(rng: np.random.Generator) -> Piece:
    """An open round bin, wider at the top."""
    height, bottom = rng.uniform(0.28, 0.45), rng.uniform(0.1, 0.14)
    top, wall = bottom * rng.uniform(1.1, 1.4), 0.008
    skin = paint(rng, vivid_color(rng)) if rng.uniform() < 0.6 else metal(rng)
    shell = [[0, 0], [bottom, 0], [top, height], [top - wall, height], [bottom - wall, wall]]
    rim = [[top - wall, height - 0.02], [top + 0.01, height - 0.02], [top + 0.01, height]]
    rim += [[top - wall, height], [top - wall, height - 0.02]]
    parts = (
        turned([*shell, [0, wall]], (0, 0, 0), skin, num_sides=24),
        turned(rim, (0, 0, 0), metal(rng), num_sides=24),
    )
    return Piece("bin", parts)


def plant(rng: np.random.Generator, height: float) -> Piece:
    """A pot with leaves on stalks, about ``height`` metres high."""
    pot = 0.28 * height
    radius = rng.uniform(0.35, 0.5) * pot + 0.03
    clay = paint(rng, hsv(rng.uniform(0.02, 0.09), rng.uniform(0.3, 0.7), rng.uniform(0.5, 0.8)))
    profile = [[0, 0], [0.7 * radius, 0], [radius, 0.85 * pot], [1.1 * radius, 0.85 * pot]]
    profile += [[1.1 * radius, pot], [0.95 * radius, pot], [0.9 * radius, 0.9 * pot]]
    parts = [turned([*profile, [0, 0.9 * pot]], (0, 0, 0), clay)]
    green = hsv(rng.uniform(0.2, 0.4), rng.uniform(0.5, 0.8), rng.uniform(0.3, 0.55))
    leaf = textured(rng, "blotches", green, shade_of(green, 1.4), (0.05, 0.05, 0.05))
    long = rng.uniform(0.2, 0.35) * height
    for number in range(int(rng.integers(9, 18))):
        turn = rotation_about(2, 2.4 * number + rng.uniform(-0.3, 0.3))  # the golden angle
        tilt = rotation_about(1, rng.uniform(0.1, 1.1))
        reach = rng.uniform(0.35, 1.0) * (height - pot - long)
        foot, tip = np.array([0, 0, 0.88 * pot]), turn @ tilt @ np.array([0, 0, reach])
        parts.append(rod(foot, foot + tip, 0.005, leaf))
        blade = cushion((0, 0, long / 2), (0.012, 0.45 * long, long), leaf, 1.0)
        parts.append(blade.moved(foot + tip, turn @ tilt))
    return Piece("plant", tuple(parts))


def monitor(rng: np.random.Generator, width: float | None = None) -> Piece:
    """A screen on a foot, facing the front."""
    wide = rng.uniform(0.45, 0.65) if width is None else width
    tall, lift, black = 0.58 * wide, 0.2 * wide, paint(rng, hsv(0.6, 0.05, 0.1))
    text = (np.inf, rng.uniform(0.2, 0.4), rng.uniform(0.02, 0.05))
    picture = textured(rng, "screen", vivid_color(rng), pale_color(rng), text, glow=0.5)
    middle = lift + tall / 2
    parts = (
        block((0, 0, 0.008), (0.2, 0.4 * wide, 0.016), black),
        block((-0.03, 0, lift / 2 + 0.05), (0.02, 0.05, lift + 0.1), black),
        block((0, 0, middle), (0.035, wide, tall), black),
        block((0.0185, 0, middle), (0.002, wide - 0.03, tall - 0.03), picture),
    )
    return Piece("monitor", parts)


def picture(rng: np.random.Generator) -> Piece:
    """A framed painting in the frame of a wall: x out of the wall, centred at the origin."""
    wide, tall = rng.uniform(0.35, 1.0), rng.uniform(0.3, 0.75)
    frame = wood(rng, 1)
    period = rng.uniform(0.12, 0.3)
    scale = (period, period, period)
    canvas = textured(rng, "painting", vivid_color(rng), vivid_color(rng), scale)
    bar, parts = 0.035, [block((0.01, 0, 0), (0.012, wide, tall), canvas)]
    for side in (-1, 1):
        parts.append(block((0.014, side * (wide - bar) / 2, 0), (0.028, bar, tall), frame))
        parts.append(block((0.014, 0, side * (tall - bar) / 2), (0.028, wide, bar), frame))
    return Piece("picture", tuple(parts))


def ornament(rng: np.random.Generator) -> Piece:
    """A vase, a ball, a mug with a handle, or a bowl."""
    skin, size = fabric(rng), rng.uniform(0.7, 1.3)
    kind = int(rng.integers(4))
    if kind == 0:
        t = np.linspace(0, 1, 9)
        bulge = 0.05 + 0.03 * np.sin(2 * np.pi * (t + rng.uniform()))
        outside = np.stack([bulge, 0.26 * t], axis=1)
        profile = np.concatenate([[[0, 0]], outside, outside[::-1] - [0.008, 0], [[0, 0.02]]])
        profile[-2, 1] = 0.02
        return Piece("object", (turned(profile * size, (0, 0, 0), skin, 24),))
    if kind == 1:
        across = 0.2 * size
        return Piece("object", (cushion((0, 0, across / 2), (across,) * 3, skin, 1.0),))
    if kind == 2:
        cup = np.array([[0, 0], [0.04, 0], [0.045, 0.1], [0.04, 0.1], [0.036, 0.01], [0, 0.01]])
        grip = block((0, 0.058 * size, 0.055 * size), np.array([0.012, 0.03, 0.05]) * size, skin)
        return Piece("object", (turned(cup * size, (0, 0, 0), skin, 24), grip))
    bowl = np.array([[0, 0], [0.06, 0], [0.12, 0.05], [0.15, 0.1], [0.14, 0.1], [0.11, 0.05]])
    inside = np.array([[0.05, 0.015], [0, 0.015]])
    return Piece("object", (turned(np.concatenate([bowl, inside]) * size, (0, 0, 0), skin, 28),))
