"""Subsampling of a scene to one point per grid cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from downstream.releases.scene_size import check_unit
from pointcontrast.errors import InputError
from pointcontrast.voxelize import merge_labels, voxelize_with_inverse


@dataclass(frozen=True, kw_only=True)
class GridSettings:
    """Settings of a conversion with optional subsampling.

    Attributes:
        grid: Size of a grid cell, metres. The first point of each cell is kept; a cell whose points
            have different labels is labelled -1. 0 keeps all points.
        unit: Metres per unit of the coordinates in the files; None is the release's own.
    """

    grid: float = 0.0
    unit: float | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: ``grid`` is negative or not finite, or ``unit`` not positive and finite.
        """
        if self.unit is not None:
            check_unit(self.unit)
        if not 0 <= self.grid < math.inf:
            raise InputError(f"--grid {self.grid} must be 0 or a positive size in metres")


def thin_to_grid(arrays: dict[str, NDArray[Any]], size: float) -> dict[str, NDArray[Any]]:
    """Keep the first point of each grid cell.

    Args:
        arrays: Arrays of a labelled scene, by name: ``coord`` (N, 3), metres, and others with N
            rows. In ``semantic``, cells whose points have different labels become -1.
        size: Edge length of a cell, metres.

    Returns:
        The same arrays for the kept points.
    """
    rows, _, inverse = voxelize_with_inverse(arrays["coord"], size)
    thinned = {name: array[rows] for name, array in arrays.items()}
    if "semantic" in arrays:
        thinned["semantic"] = merge_labels(arrays["semantic"], inverse, len(rows))
    return thinned
