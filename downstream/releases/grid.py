"""Thinning a scene to one point a grid cell, as some authors do before anything else."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from pointcontrast.voxelize import merge_labels, voxelize_with_inverse


def thin_to_grid(arrays: dict[str, NDArray[Any]], size: float) -> dict[str, NDArray[Any]]:
    """Keep the first point of each cell.

    Args:
        arrays: of a labelled scene, by name: ``coord`` (N, 3) metres, and others of N rows;
            ``semantic`` follows the label rule: a cell whose points disagree is ignored.
        size: edge of a cell, metres.

    Returns:
        The same arrays of the points that stay.
    """
    rows, _, inverse = voxelize_with_inverse(arrays["coord"], size)
    thinned = {name: array[rows] for name, array in arrays.items()}
    if "semantic" in arrays:
        thinned["semantic"] = merge_labels(arrays["semantic"], inverse, len(rows))
    return thinned
