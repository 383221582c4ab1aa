"""Vehicles and pistols: functions ``(rng) -> solids`` with the part numbers of ShapeNetPart."""

from __future__ import annotations

import numpy as np

from pointcontrast.synthetic.solids import rotation_about, turned
from tests.releases.shapenetpart.solids import (
    PLAIN,
    PartSolid,
    bar,
    box,
    corners,
    lying,
    plate,
    tube,
    upright,
    wheel,
)


def airplane(rng: np.random.Generator) -> list[PartSolid]:
    """Body (0), wings (1), tail (2) and engines (3)."""
    length, radius = rng.uniform((25, 1.5), (40, 2.2))
    span, chord, sweep = rng.uniform((11, 3, 3), (18, 6, 8))
    hull = [[0, 0], [0.3, 0.01], [1, 0.35], [1, 0.85], [0.6, 0.96], [0, 1]]
    profile = np.array(hull) * (radius, length)
    parts = [(0, lying(turned(profile, (0, 0, 0), PLAIN, num_sides=16), (-length / 2, 0, 0)))]
    tail = -length / 2
    for side in (1, -1):
        wing = [(chord / 2, 0), (-sweep, span), (-sweep - 0.35 * chord, span), (-chord / 2, 0)]
        small = [(tail + 4, 0), (tail + 1, 0.35 * span), (tail, 0.35 * span), (tail + 1, 0)]
        for number, outline in ((1, wing), (2, small)):
            turn = np.array(outline) * (1, side)
            parts.append((number, plate(turn[::side], -0.15, 0.15)))
        for row in range(int(rng.integers(1, 3))):
            y = side * span * (0.3 + 0.25 * row)
            x = chord / 2 - sweep * abs(y) / span
            parts.append((3, bar((x - 2.5, y, -1.2), (x + 1, y, -1.2), 0.6, 0.8)))
    fin = [(tail + 0.5, radius * 0.5), (tail + 4, radius * 0.5), (tail + 1.5, 5), (tail, 5)]
    return [*parts, (2, upright(plate(fin, -0.15, 0.15)))]


def car(rng: np.random.Generator) -> list[PartSolid]:
    """Roof (0), hood (1), wheels (2) and body (3)."""
    length, width, height = rng.uniform((3.8, 1.6, 1.35), (4.8, 1.9, 1.6))
    floor, waist = 0.25, 0.85
    front, back = 0.22 * length, -0.3 * length
    cabin = [
        (back - 0.2 * length * rng.uniform(0, 0.9), waist),
        (front, waist),
        (front - 0.6, height - 0.05),
        (back, height - 0.05),
    ]
    body = [
        box((0, 0, (floor + waist) / 2), (length, width, waist - floor)),
        upright(plate(cabin, -0.45 * width, 0.45 * width)),
    ]
    roof = front - 0.6 - back
    parts = [
        (0, box((back + roof / 2, 0, height - 0.02), (roof, 0.9 * width, 0.06))),
        (1, box(((front + length / 2) / 2, 0, waist + 0.03), (length / 2 - front, width, 0.06))),
        *((3, solid) for solid in body),
    ]
    for x, y in corners(0.62 * length, width):
        parts.append((2, wheel((x, y, 0.32), 0.32, 0.2)))
    return parts


def motorbike(rng: np.random.Generator) -> list[PartSolid]:
    """Tank (0), seat (1), wheels (2), handlebar (3), light (4) and frame (5)."""
    base, radius = rng.uniform((1.3, 0.28), (1.6, 0.34))
    front, back, top = base / 2, -base / 2, rng.uniform(0.8, 1.0)
    steer = (front - 0.25, 0, top)
    parts = [
        (0, box((0.05, 0, top - 0.05), (0.45, 0.28, 0.2))),
        (1, box((-0.4, 0, top - 0.1), (0.45, 0.26, 0.1))),
        (3, bar((steer[0] - 0.1, -0.35, top + 0.15), (steer[0] - 0.1, 0.35, top + 0.15), 0.02)),
        (4, bar((steer[0], 0, top), (steer[0] + 0.12, 0, top), 0.05, 0.09)),
        (5, box((-0.05, 0, 0.45), (0.5, 0.25, 0.4))),
        (
            5,
            tube(np.array([[back, 0.1, radius], [-0.2, 0.1, 0.5], [-0.4, 0.1, top - 0.15]]), 0.025),
        ),
    ]
    for x in (front, back):
        parts.append((2, wheel((x, 0, radius), radius, 0.12)))
    for y in (-0.1, 0.1):
        fork = np.array([[front, y, radius], [steer[0], y, top], [steer[0] - 0.1, y, top + 0.15]])
        parts.append((5, tube(fork, 0.02)))
    return parts


def pistol(rng: np.random.Generator) -> list[PartSolid]:
    """Barrel (0), handle (1) and trigger with its guard (2)."""
    length, grip = rng.uniform((0.16, 0.09), (0.24, 0.12))
    lean = rng.uniform(0.1, 0.4)
    handle = box((0, 0, -grip / 2), (0.04, 0.028, grip))
    guard = [[0.03, 0, 0], [0.035, 0, -0.03], [0.075, 0, -0.03], [0.08, 0, 0]]
    return [
        (0, box((length / 2 - 0.03, 0, 0.015), (length, 0.026, 0.03))),
        (1, handle.moved((0, 0, 0.002), rotation_about(1, lean))),
        (2, tube(np.array(guard), 0.003)),
        (2, box((0.05, 0, -0.012), (0.006, 0.006, 0.024))),
    ]


def rocket(rng: np.random.Generator) -> list[PartSolid]:
    """Body (0), fins (1) and nose (2), upright."""
    radius, height, nose = rng.uniform((0.3, 3, 0.6), (0.5, 6, 1.5))
    count = int(rng.integers(3, 5))
    span, tall = rng.uniform((0.3, 0.6), (0.7, 1.2))
    outline = [(0.9 * radius, 0), (radius + span, -0.2), (radius + span, 0.3 * tall)]
    fin = upright(plate([*outline, (0.9 * radius, tall)], -0.02, 0.02))
    parts = [
        (0, bar((0, 0, 0), (0, 0, height), radius)),
        (2, bar((0, 0, height), (0, 0, height + nose), radius, 0.02)),
    ]
    for number in range(count):
        turn = rotation_about(2, 2 * np.pi * number / count)
        parts.append((1, fin.moved((0, 0, 0), turn)))
    return parts


def skateboard(rng: np.random.Generator) -> list[PartSolid]:
    """Wheels (0), a deck (1) and sometimes a belt (2) over it."""
    length, width = rng.uniform((0.7, 0.18), (0.9, 0.25))
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    round_off = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    outline = np.sign(round_off) * np.abs(round_off) ** 0.4 * (length / 2, width / 2)
    parts = [(1, plate(outline, 0.08, 0.092))]
    for x, y in corners(0.62 * length, 0.75 * width):
        parts.append((0, wheel((x, y, 0.03), 0.03, 0.035)))
    if rng.uniform() < 0.5:
        parts.append((2, box((0.15 * length, 0, 0.098), (0.05, width, 0.012))))
    return parts
