"""Colours of classes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from downstream.releases.scannet.classes import CLASS_NAMES as SCANNET_CLASSES
from pointcontrast.errors import InputError

UNLABELLED = (128, 128, 128)

_LEVELS = (0, 51, 102, 153, 204, 255)

_MOST_COLORS = 200

# Source: ScanNet BenchmarkScripts/util.py create_color_palette, at the NYU40 ids of the 20 classes
_SCANNET_COLORS = (
    (174, 199, 232), (152, 223, 138), (31, 119, 180), (255, 187, 120), (188, 189, 34),
    (140, 86, 75), (255, 152, 150), (214, 39, 40), (197, 176, 213), (148, 103, 189),
    (196, 156, 148), (23, 190, 207), (247, 182, 210), (219, 219, 141), (255, 127, 14),
    (158, 218, 229), (44, 160, 44), (112, 128, 144), (227, 119, 194), (82, 84, 163),
)  # fmt: skip


def palette_of(class_names: Sequence[str]) -> NDArray[np.uint8]:
    """Colours (C, 3) RGB: the usual ones for ScanNet's 20 classes, else :func:`class_colors`."""
    if tuple(class_names) == SCANNET_CLASSES:
        return np.array(_SCANNET_COLORS, dtype=np.uint8)
    return class_colors(len(class_names))


def class_colors(num_classes: int) -> NDArray[np.uint8]:
    """Colours (C, 3) RGB; a class has the same colour for every C.

    Raises:
        InputError: there are more than 200 classes.
    """
    if num_classes > _MOST_COLORS:
        raise InputError(
            f"{num_classes} classes: there are only {_MOST_COLORS} distinguishable colours"
        )
    return _palette()[:num_classes]


@lru_cache(maxsize=1)
def _palette() -> NDArray[np.uint8]:
    """Choose colours greedily, each farthest from grey, black, white and all before it."""
    candidates = np.array(list(itertools.product(_LEVELS, repeat=3)), dtype=np.float64)
    taken = np.array([UNLABELLED, (0, 0, 0), (255, 255, 255)], dtype=np.float64)
    distance = np.linalg.norm(candidates[:, None] - taken[None], axis=2).min(axis=1)
    chosen = []
    for _ in range(_MOST_COLORS):
        best = int(np.argmax(distance))
        chosen.append(candidates[best])
        distance = np.minimum(distance, np.linalg.norm(candidates - candidates[best], axis=1))
    return np.array(chosen, dtype=np.uint8)
