"""A colour for each class."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

UNLABELLED = (128, 128, 128)

_LEVELS = (0, 51, 102, 153, 204, 255)


def class_colors(num_classes: int) -> NDArray[np.uint8]:
    """(C, 3) RGB, at most 200; a class keeps its colour whatever C is."""
    return _palette()[:num_classes]


@lru_cache(maxsize=1)
def _palette() -> NDArray[np.uint8]:
    """Each colour is the one farthest from grey, black, white and all before it."""
    candidates = np.array(list(itertools.product(_LEVELS, repeat=3)), dtype=np.float64)
    taken = np.array([UNLABELLED, (0, 0, 0), (255, 255, 255)], dtype=np.float64)
    distance = np.linalg.norm(candidates[:, None] - taken[None], axis=2).min(axis=1)
    chosen = []
    for _ in range(200):
        best = int(np.argmax(distance))
        chosen.append(candidates[best])
        distance = np.minimum(distance, np.linalg.norm(candidates - candidates[best], axis=1))
    return np.array(chosen, dtype=np.uint8)
