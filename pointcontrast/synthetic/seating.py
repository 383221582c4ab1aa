"""Chairs, sofas and beds: functions ``(rng) -> Piece`` in the frame of ``furniture``."""

from __future__ import annotations

import numpy as np

from pointcontrast.synthetic.furniture import legs
from pointcontrast.synthetic.pieces import Piece
from pointcontrast.synthetic.solids import block, cushion, rod, rotation_about
from pointcontrast.synthetic.textures import fabric, metal, pale_color, wood


def chair(rng: np.random.Generator) -> Piece:
    """A dining chair with slats, or an office chair on a star foot."""
    seat, depth, width = rng.uniform(0.43, 0.5), rng.uniform(0.4, 0.46), rng.uniform(0.4, 0.48)
    high = rng.uniform(0.38, 0.5)
    frame = wood(rng) if rng.uniform() < 0.6 else metal(rng)
    cloth = fabric(rng)
    if rng.uniform() < 0.35:
        parts = [
            cushion((0, 0, seat), (depth + 0.04, width + 0.04, 0.1), cloth, 0.4),
            cushion((-depth / 2, 0, seat + 0.33), (0.09, width, 0.5), cloth, 0.4),
            block((-depth / 2 - 0.02, 0, seat + 0.06), (0.03, 0.06, 0.3), frame),
            rod((0, 0, 0.08), (0, 0, seat - 0.03), 0.03, frame),
        ]
        for angle in np.arange(5) * (2 * np.pi / 5):
            tip = np.array([0.27 * np.cos(angle), 0.27 * np.sin(angle), 0.06])
            parts.append(rod((0, 0, 0.1), tip, 0.022, frame, 0.015))
            parts.append(cushion(tip - [0, 0, 0.03], (0.06, 0.06, 0.06), frame, 1.0))
        if rng.uniform() < 0.5:
            for y in (-width / 2 - 0.03, width / 2 + 0.03):
                parts.append(block((0, y, seat + 0.2), (0.25, 0.05, 0.03), frame))
                parts.append(block((-0.05, y, seat + 0.09), (0.04, 0.03, 0.2), frame))
        return Piece("chair", tuple(parts))
    lean = rotation_about(1, -rng.uniform(0.05, 0.2))
    back = np.array([-depth / 2 + 0.02, 0, seat])
    parts = [*legs(rng, depth - 0.04, width - 0.04, seat - 0.03, frame)]
    parts.append(cushion((0, 0, seat - 0.01), (depth, width, 0.07), cloth, 0.25))
    for y in (-width / 2 + 0.02, width / 2 - 0.02):
        parts.append(rod((0, y, -0.05), (0, y, high), 0.017, frame).moved(back, lean))
    num_slats = int(rng.integers(1, 5))
    tall = 0.6 * high / num_slats
    for z in high - (np.arange(num_slats) + 0.5) * (0.75 * high / num_slats):
        slat = block((0, 0, z), (0.018, width - 0.05, tall), cloth if num_slats == 1 else frame)
        parts.append(slat.moved(back, lean))
    return Piece("chair", tuple(parts))


def sofa(rng: np.random.Generator, num_seats: int | None = None) -> Piece:
    """A sofa of 1 to 3 seats (1: an armchair) with loose cushions."""
    seats = int(rng.integers(2, 4)) if num_seats is None else num_seats
    each, depth = rng.uniform(0.58, 0.75), rng.uniform(0.8, 0.95)
    seat, back, arm = rng.uniform(0.38, 0.45), rng.uniform(0.72, 0.92), rng.uniform(0.12, 0.22)
    width, soft = seats * each + 2 * arm, rng.uniform(0.2, 0.4)
    cloth, foot = fabric(rng), wood(rng)
    parts = [
        block((0, 0, seat / 2 - 0.02), (depth, width - 0.04, seat - 0.16), cloth),
        cushion(
            (-depth / 2 + 0.1, 0, back / 2 + 0.04), (0.2, width - 0.02, back - 0.08), cloth, 0.2
        ),
    ]
    for side in (-1, 1):
        y, arm_height = side * (width / 2 - arm / 2), rng.uniform(0.56, 0.58)
        parts.append(
            cushion((0, y, arm_height / 2 + 0.03), (depth, arm, arm_height - 0.06), cloth, soft)
        )
        for x in (-depth / 2 + 0.08, depth / 2 - 0.08):
            foot_y = side * (width / 2 - 0.08)
            parts.append(rod((x, foot_y, 0), (x, foot_y, 0.08), 0.02, foot, 0.03))
    for y in (np.arange(seats) - (seats - 1) / 2) * each:
        parts.append(cushion((0.09, y, seat), (depth - 0.2, each - 0.01, 0.16), cloth, soft))
        parts.append(
            cushion((0, 0, 0), (0.16, each - 0.02, back - seat - 0.02), cloth, soft).moved(
                (-depth / 2 + 0.24, y, (back + seat) / 2 + 0.05), rotation_about(1, -0.2)
            )
        )
    for _ in range(int(rng.integers(0, seats + 1))):
        y = rng.uniform(-0.4, 0.4) * seats * each
        pillow = cushion((0, 0, 0), (0.14, 0.4, 0.38), fabric(rng), 0.6)
        turn = rotation_about(2, rng.uniform(-0.4, 0.4)) @ rotation_about(1, -0.4)
        parts.append(pillow.moved((-depth / 2 + 0.4, y, seat + 0.26), turn))
    return Piece("sofa", tuple(parts))


def bed(rng: np.random.Generator) -> Piece:
    """A single or double bed with frame, mattress, blanket and pillows; the head is at the back."""
    double = rng.uniform() < 0.6
    width = rng.uniform(1.4, 1.7) if double else rng.uniform(0.9, 1.05)
    depth, base, head = rng.uniform(2.0, 2.1), rng.uniform(0.28, 0.36), rng.uniform(0.75, 1.1)
    frame, linen, cover = wood(rng, 1), fabric(rng, pale_color(rng)), fabric(rng)
    top = base + rng.uniform(0.16, 0.24)
    parts = [
        block((0, 0, base - 0.09), (depth, width, 0.18), frame),
        block((-depth / 2 - 0.03, 0, head / 2), (0.06, width + 0.06, head), frame),
        cushion((0, 0, (base + top) / 2), (depth - 0.02, width - 0.04, top - base), linen, 0.12),
        cushion((0.14 * depth, 0, top - 0.07), (0.72 * depth, width + 0.04, 0.22), cover, 0.15),
    ]
    for x in (-depth / 2 + 0.06, depth / 2 - 0.06):
        for y in (-width / 2 + 0.06, width / 2 - 0.06):
            parts.append(block((x, y, base / 2 - 0.08), (0.07, 0.07, base - 0.16), frame))
    num_pillows = 2 if double else 1
    for y in (np.arange(num_pillows) - (num_pillows - 1) / 2) * 0.75:
        turn = rotation_about(2, rng.uniform(-0.15, 0.15)) @ rotation_about(1, -0.25)
        pillow = cushion((0, 0, 0), (0.42, 0.62, 0.16), fabric(rng, pale_color(rng)), 0.6)
        parts.append(pillow.moved((-depth / 2 + 0.26, y, top + 0.07), turn))
    return Piece("bed", tuple(parts))
