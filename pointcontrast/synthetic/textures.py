"""Procedural textures, evaluated at points of a surface in the frame of its piece."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Color = tuple[float, float, float]
Array = NDArray[np.floating]


@dataclass(frozen=True)
class Material:
    """Appearance of a surface.

    Attributes:
        pattern: Key of ``PATTERNS``.
        color: RGB in 0..1, as displayed (gamma-encoded).
        second_color: Second colour of the pattern.
        scale: Period of the pattern along x, y, z, metres; infinite along a constant axis.
        offset: Phase of the pattern along x, y, z, periods.
        glow: Fraction of the light that the surface emits: 1 for a lamp, 0 for wood.
    """

    pattern: str
    color: Color
    second_color: Color
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    glow: float = 0.0


def textured(
    rng: np.random.Generator,
    pattern: str,
    color: Color,
    second_color: Color,
    scale: tuple[float, float, float],
    glow: float = 0.0,
) -> Material:
    """Make a material with a random phase."""
    # Half a period along constant axes avoids the joints of tiles and planks.
    phase = np.where(np.isfinite(scale), rng.uniform(0, 500, 3), 0.5)
    return Material(pattern, color, second_color, scale, (phase[0], phase[1], phase[2]), glow)


def shade_of(color: Color, factor: float) -> Color:
    """Darken (factor below 1) or lighten a colour, within 0..1."""
    red, green, blue = (min(1.0, max(0.0, value * factor)) for value in color)
    return red, green, blue


def hsv(hue: float, saturation: float, value: float) -> Color:
    """Convert hue (turns), saturation and value to RGB in 0..1."""
    return colorsys.hsv_to_rgb(hue % 1.0, saturation, value)


def vivid_color(rng: np.random.Generator) -> Color:
    """A strong colour of any hue."""
    return hsv(rng.uniform(), rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.8))


def pale_color(rng: np.random.Generator) -> Color:
    """A wall or bed-linen colour."""
    return hsv(rng.uniform(), rng.uniform(0.03, 0.25), rng.uniform(0.75, 0.95))


def wood(rng: np.random.Generator, grain_axis: int = 2) -> Material:
    """Timber whose grain runs along ``grain_axis``."""
    base = hsv(rng.uniform(0.05, 0.11), rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.8))
    width, length = rng.uniform(0.04, 0.09), rng.uniform(0.5, 0.9)
    scale = (
        length if grain_axis == 0 else width,
        length if grain_axis == 1 else width,
        length if grain_axis == 2 else width,
    )
    return textured(rng, "wood", base, shade_of(base, rng.uniform(0.55, 0.8)), scale)


def paint(rng: np.random.Generator, color: Color) -> Material:
    """One colour with faint stains."""
    return textured(rng, "stains", color, shade_of(color, 0.85), (0.3, 0.3, 0.3))


def metal(rng: np.random.Generator) -> Material:
    """Grey, black or white enamel."""
    grey = float(rng.choice([0.12, 0.3, 0.6, 0.85]))
    return paint(rng, hsv(rng.uniform(), 0.06, grey))


def fabric(rng: np.random.Generator, color: Color | None = None) -> Material:
    """Cloth: plain, mottled, striped, checked or dotted."""
    base = vivid_color(rng) if color is None else color
    other = shade_of(base, 0.6) if rng.uniform() < 0.5 else pale_color(rng)
    pattern = str(rng.choice(["stains", "blotches", "stripes", "checker", "dots"]))
    period = rng.uniform(0.07, 0.18)
    across = np.inf if pattern == "stripes" else period
    return textured(rng, pattern, base, other, (across, period, across))


def value_noise(q: Array) -> Array:
    """Return smooth noise in 0..1 with one random value on each point of the integer lattice.

    Args:
        q: (N, 3) float32 points, lattice units.

    Returns:
        (N,) float32.
    """
    cell = np.floor(q)
    f = q - cell
    f *= f * (3 - 2 * f)
    keys = cell.astype(np.int64).astype(np.uint32)
    keys *= np.array([0x6C8E9CF5, 0xB5297A4D, 0x1B56C4E9], dtype=np.uint32)
    near = keys
    far = keys + np.array([0x6C8E9CF5, 0xB5297A4D, 0x1B56C4E9], dtype=np.uint32)
    total = np.zeros(len(q), dtype=np.float32)
    for corner in range(8):
        picks = [corner >> axis & 1 for axis in range(3)]
        key = np.zeros(len(q), dtype=np.uint32)
        weight = np.ones(len(q), dtype=np.float32)
        for axis, pick in enumerate(picks):
            key ^= (far if pick else near)[:, axis]
            weight *= f[:, axis] if pick else 1 - f[:, axis]
        total += weight * _scrambled(key)
    return total


def _scrambled(key: NDArray[np.uint32]) -> Array:
    """Hash keys to float32 in 0..1."""
    key = key ^ (key >> np.uint32(15))
    key *= np.uint32(0x2C9277B5)
    key ^= key >> np.uint32(13)
    key *= np.uint32(0x5F356495)
    key ^= key >> np.uint32(16)
    return (key.astype(np.float32) * np.float32(2**-32)).astype(np.float32)


def _cell_noise(cell: Array) -> Array:
    """Return one random value in 0..1 for every integer cell (N, 3)."""
    keys = cell.astype(np.int64).astype(np.uint32)
    factors = np.array([0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D], dtype=np.uint32)
    return _scrambled(np.bitwise_xor.reduce(keys * factors, axis=1))


def _mixed(first: Array, second: Array, share: NDArray[np.floating]) -> Array:
    return first + (second - first) * share.astype(np.float32)[:, None]


def _stains(q: Array, a: Array, b: Array) -> Array:
    return _mixed(a, b, value_noise(q))


def _checker(q: Array, a: Array, b: Array) -> Array:
    return np.where((np.floor(q).sum(axis=1) % 2 < 0.5)[:, None], a, b)


def _stripes(q: Array, a: Array, b: Array) -> Array:
    return np.where((q.sum(axis=1) % 1 < 0.5)[:, None], a, b)


def _wood(q: Array, a: Array, b: Array) -> Array:
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (0.4 * q.sum(axis=1) + 2.0 * value_noise(q)))
    return _mixed(a, b, 0.8 * rings + 0.2 * value_noise(3 * q))


def _blotches(q: Array, a: Array, b: Array) -> Array:
    cloud = 0.65 * value_noise(q) + 0.35 * value_noise(2.3 * q)
    return _mixed(a, b, np.clip((cloud - 0.42) * 6, 0, 1))


def _tiles(q: Array, a: Array, b: Array) -> Array:
    cell = np.floor(q)
    joint = np.minimum(q - cell, cell + 1 - q).min(axis=1) < 0.02
    tinted = a * (0.82 + 0.25 * _cell_noise(cell) + 0.08 * value_noise(4 * q))[:, None]
    return np.where(joint[:, None], b, tinted)


def _bricks(q: Array, a: Array, b: Array) -> Array:
    shifted = q.copy()
    shifted[:, 1] += 0.5 * (np.floor(q[:, 2]) % 2)
    cell = np.floor(shifted)
    edge = np.minimum(shifted - cell, cell + 1 - shifted)
    joint = (edge[:, 1] < 0.03) | (edge[:, 2] < 0.09)
    tinted = a * (0.7 + 0.45 * _cell_noise(cell) + 0.1 * value_noise(5 * q))[:, None]
    return np.where(joint[:, None], b, tinted)


def _planks(q: Array, a: Array, b: Array) -> Array:
    row = np.floor(q[:, 1])
    shifted = q.copy()
    shifted[:, 0] += _cell_noise(np.stack([row, row * 0, row * 0], axis=1))
    cell = np.floor(shifted)
    edge = np.minimum(shifted - cell, cell + 1 - shifted)
    joint = (edge[:, 1] < 0.03) | (edge[:, 0] < 0.005)
    grain = value_noise(q * np.array([5, 6, 1], dtype=np.float32) + 31 * cell)
    share = 0.6 * _cell_noise(cell) + 0.4 * grain + 0.6 * joint
    return _mixed(a, b, np.clip(share, 0, 1))


def _dots(q: Array, a: Array, b: Array) -> Array:
    away = q - np.floor(q) - 0.5
    return np.where(((away**2).sum(axis=1) < 0.12)[:, None], b, a)


def _painting(q: Array, a: Array, b: Array) -> Array:
    """Overlapping patches of the two colours, their complement, and a light and a dark one."""
    color = _mixed(a, b, value_noise(q))
    for number, patch in enumerate((1 - a, 0.4 + 0.6 * b, 0.3 * a)):
        inside = value_noise(q * np.float32(1 + 0.6 * number) + np.float32(17.5)) > 0.66
        color = np.where(inside[:, None], patch, color)
    return color


def _sky(q: Array, a: Array, b: Array) -> Array:
    """Lit from above, cloudy, with the roofs of a town at the bottom (z in window heights)."""
    cloud = np.clip(2 * value_noise(4 * q) - 0.6, 0, 1)
    color = _mixed(a, np.ones_like(a), 0.7 * cloud)
    block_number = np.floor(7 * q[:, 1:2])
    roof = 0.15 + 0.3 * _cell_noise(np.repeat(block_number, 3, axis=1))
    facade = b * (0.5 + 0.8 * _cell_noise(np.floor(q * 30)))[:, None]
    return np.where((q[:, 2] % 1 < roof)[:, None], facade, color)


def _screen(q: Array, a: Array, b: Array) -> Array:
    """Rows of blocks of various lengths on a plain ground, like text in a window."""
    row = np.floor(q[:, 2])
    word = value_noise(np.stack([q[:, 1] * 3, row * 7.3, row * 0], axis=1)) > 0.45
    return np.where((word & (q[:, 2] - row < 0.6))[:, None], b, a)


PATTERNS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "stains": _stains,
    "checker": _checker,
    "stripes": _stripes,
    "wood": _wood,
    "blotches": _blotches,
    "tiles": _tiles,
    "bricks": _bricks,
    "planks": _planks,
    "dots": _dots,
    "painting": _painting,
    "sky": _sky,
    "screen": _screen,
}


class TextureTable:
    """Materials as arrays, to evaluate many points at once."""

    def __init__(self, materials: Sequence[Material]) -> None:
        names = list(PATTERNS)
        self._kind = np.array([names.index(material.pattern) for material in materials])
        self._scale = np.array([material.scale for material in materials], dtype=np.float32)
        self._offset = np.array([material.offset for material in materials], dtype=np.float32)
        self._first = np.array([material.color for material in materials], dtype=np.float32)
        self._second = np.array([material.second_color for material in materials], dtype=np.float32)
        self.glow = np.array([material.glow for material in materials], dtype=np.float32)

    def color(self, which: NDArray[np.integer], coordinates: Array) -> Array:
        """Return the colours of points on textured surfaces, without lighting.

        Args:
            which: (N,) rows of the materials of the points.
            coordinates: (N, 3) float32 metres in the frame of the piece.

        Returns:
            (N, 3) float32 RGB in 0..1, gamma-encoded.
        """
        colors = np.zeros((len(which), 3), dtype=np.float32)
        kinds = self._kind[which]
        for kind, pattern in enumerate(PATTERNS.values()):
            rows = np.flatnonzero(kinds == kind)
            if len(rows):
                chosen = which[rows]
                q = coordinates[rows] / self._scale[chosen] + self._offset[chosen]
                colors[rows] = pattern(q, self._first[chosen], self._second[chosen])
        return np.clip(colors, 0, 1)
