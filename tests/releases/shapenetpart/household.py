"""Household objects: functions ``(rng) -> solids`` with the part numbers of ShapeNetPart."""

from __future__ import annotations

import numpy as np

from pointcontrast.synthetic.solids import cushion, rotation_about, turned
from tests.releases.shapenetpart.solids import (
    PLAIN,
    PartSolid,
    arc,
    bar,
    box,
    corners,
    plate,
    tube,
    upright,
)


def bag(rng: np.random.Generator) -> list[PartSolid]:
    """A handle (0) over a body (1)."""
    depth, width, height = rng.uniform((0.1, 0.3, 0.2), (0.2, 0.5, 0.4))
    reach = 0.25 * width
    handle = arc((0, 0, height), reach, 0, np.pi, (1, 2))
    body = (
        box((0, 0, height / 2), (depth, width, height))
        if rng.uniform() < 0.5
        else cushion((0, 0, height / 2), (depth, width, height), PLAIN, 0.35)
    )
    return [(0, tube(handle, 0.01)), (1, body)]


def cap(rng: np.random.Generator) -> list[PartSolid]:
    """A crown (0) with a peak (1) to the front."""
    radius, height = rng.uniform((0.09, 0.09), (0.11, 0.15))
    angles = np.linspace(0, np.pi / 2, 9)
    dome = np.stack([radius * np.cos(angles), height * np.sin(angles)], axis=1)
    profile = [[0.9 * radius, 0], *dome, *(dome[::-1] * 0.9)]
    reach = radius + rng.uniform(0.05, 0.08)
    angle = np.linspace(-1.1, 1.1, 12)
    sides = radius * np.sin(angle)
    rim = np.stack([0.9 * radius * np.cos(angle), 0.9 * sides], axis=1)
    edge = np.stack([0.3 * radius + (reach - 0.3 * radius) * np.cos(angle), sides], axis=1)
    outline = np.concatenate([edge, rim[::-1]])
    return [
        (0, turned(profile, (0, 0, 0), PLAIN, num_sides=28)),
        (1, plate(outline, 0.0, 0.006)),
    ]


def chair(rng: np.random.Generator) -> list[PartSolid]:
    """Back (0), seat (1), four legs (2) and sometimes arms (3)."""
    depth, width, height = rng.uniform((0.4, 0.4, 0.4), (0.5, 0.55, 0.48))
    rise, thick, leg = rng.uniform((0.35, 0.03, 0.012), (0.6, 0.08, 0.025))
    parts = [
        (0, box((-depth / 2 + 0.02, 0, height + thick / 2 + rise / 2), (0.04, width, rise))),
        (1, box((0, 0, height), (depth, width, thick))),
    ]
    for x, y in corners(depth - 0.06, width - 0.06):
        parts.append((2, bar((x, y, 0), (x, y, height - thick / 2), leg)))
    if rng.uniform() < 0.5:
        top = height + rng.uniform(0.2, 0.28)
        for y in (-width / 2, width / 2):
            parts.append((3, box((0, y, top), (0.8 * depth, 0.05, 0.03))))
            parts.append((3, bar((0.3 * depth, y, height), (0.3 * depth, y, top), 0.015)))
    return parts


def earphone(rng: np.random.Generator) -> list[PartSolid]:
    """Two cups (0), a headband (1) and sometimes a wire (2)."""
    reach, radius, thick = rng.uniform((0.08, 0.03, 0.02), (0.1, 0.045, 0.035))
    parts = [(1, tube(arc((0, 0, 0), reach, 0, np.pi, (1, 2)), 0.007))]
    for side in (-1, 1):
        start, end = (0, side * (reach - thick), -0.01), (0, side * reach, -0.01)
        parts.append((0, bar(start, end, radius, 0.8 * radius)))
    if rng.uniform() < 0.6:
        drop = np.linspace(0, rng.uniform(0.15, 0.3), 7)
        wire = np.stack([0.02 * np.sin(20 * drop), np.full(7, reach), -radius - drop], axis=1)
        parts.append((2, tube(wire, 0.003)))
    return parts


def guitar(rng: np.random.Generator) -> list[PartSolid]:
    """Head (0), neck (1) and a body (2) with a waist, upright and facing forward."""
    length, width, thick = rng.uniform((0.45, 0.3, 0.06), (0.52, 0.4, 0.1))
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = 1 + 0.18 * np.cos(2 * angle) - 0.1 * np.sin(angle)
    outline = np.stack([width / 2.1 * np.cos(angle), length / 2.1 * np.sin(angle)], axis=1)
    body = upright(plate(outline * radius[:, None], -thick / 2, thick / 2))
    neck, head = rng.uniform((0.38, 0.12), (0.48, 0.18))
    start = 0.4 * length
    turn = rotation_about(2, np.pi / 2)
    return [
        (0, box((0, 0, start + neck + head / 2), (0.025, 0.09, head))),
        (1, box((0.01, 0, start + neck / 2), (0.025, 0.05, neck))),
        (2, body.moved((0, 0, 0), turn)),
    ]


def knife(rng: np.random.Generator) -> list[PartSolid]:
    """A pointed blade (0) and a handle (1), along x."""
    blade, handle, height = rng.uniform((0.15, 0.1, 0.02), (0.25, 0.13, 0.04))
    point = rng.uniform(0.5, 0.85) * blade
    outline = [(0, 0), (point, 0), (blade, 0.8 * height), (blade, height), (0, height)]
    grip = box((-handle / 2, 0, 0.55 * height), (handle, 0.018, 0.8 * height))
    return [(0, upright(plate(outline, -0.0015, 0.0015))), (1, grip)]


def lamp(rng: np.random.Generator) -> list[PartSolid]:
    """Base (0), shade (1) and stem (3), or shade, ceiling bracket (2) and stem."""
    radius, height = rng.uniform((0.1, 0.3), (0.25, 1.2))
    tall, narrow = rng.uniform((0.12, 0.4), (0.25, 0.9))
    shade = [
        [radius, 0],
        [radius * narrow, tall],
        [radius * narrow - 0.006, tall],
        [radius - 0.006, 0],
    ]
    closed = [*shade, shade[0]]
    if rng.uniform() < 0.4:
        top = height + tall
        return [
            (1, turned(closed, (0, 0, 0), PLAIN, num_sides=24)),
            (2, bar((0, 0, top - 0.02), (0, 0, top), 0.06)),
            (3, bar((0, 0, 0.3 * tall), (0, 0, top - 0.02), 0.008)),
        ]
    foot = rng.uniform(0.07, 0.16)
    return [
        (0, bar((0, 0, 0), (0, 0, 0.03), foot, 0.8 * foot)),
        (1, turned(closed, (0, 0, height - 0.6 * tall), PLAIN, num_sides=24)),
        (3, bar((0, 0, 0.03), (0, 0, height), 0.012)),
    ]


def laptop(rng: np.random.Generator) -> list[PartSolid]:
    """Keyboard (0) and an opened screen (1)."""
    depth, width = rng.uniform((0.2, 0.28), (0.26, 0.38))
    lean = rng.uniform(-0.5, 0.1)
    screen = box((0, 0, depth / 2), (0.008, width, depth))
    return [
        (0, box((0, 0, 0.009), (depth, width, 0.018))),
        (1, screen.moved((-depth / 2, 0, 0.018), rotation_about(1, lean))),
    ]


def mug(rng: np.random.Generator) -> list[PartSolid]:
    """A handle (0) on a cup (1) with a bottom."""
    radius, height, flare = rng.uniform((0.035, 0.08, 0.85), (0.05, 0.12, 1.1))
    low, wall = flare * radius, 0.004
    profile = [
        [0, 0],
        [low, 0],
        [radius, height],
        [radius - wall, height],
        [low - wall, wall],
        [0, wall],
    ]
    reach = 0.28 * height
    center = (0, -0.5 * (radius + low) + 0.005, 0.5 * height)
    return [
        (0, tube(arc(center, reach, 0.5 * np.pi, 1.5 * np.pi, (1, 2)), 0.005)),
        (1, turned(profile, (0, 0, 0), PLAIN, num_sides=28)),
    ]


def table(rng: np.random.Generator) -> list[PartSolid]:
    """A top (0), legs (1) and sometimes a drawer (2)."""
    depth, width, height = rng.uniform((0.6, 0.8, 0.4), (0.9, 1.8, 0.78))
    thick, leg = rng.uniform((0.02, 0.02), (0.06, 0.04))
    under = height - thick
    if rng.uniform() < 0.3:
        return [
            (0, bar((0, 0, under), (0, 0, height), depth / 2)),
            (1, bar((0, 0, 0.03), (0, 0, under), 0.05)),
            (1, bar((0, 0, 0), (0, 0, 0.03), 0.3 * depth)),
        ]
    parts = [(0, box((0, 0, height - thick / 2), (depth, width, thick)))]
    for x, y in corners(depth - 0.1, width - 0.1):
        parts.append((1, bar((x, y, 0), (x, y, under), 0.7 * leg, leg)))
    if rng.uniform() < 0.5:
        drawer = (0.7 * depth, rng.uniform(0.3, 0.5) * width, 0.12)
        parts.append((2, box((0, 0, under - 0.06), drawer)))
    return parts
