"""Subsampling of a scene to one point per grid cell."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from pointcontrast.voxelize import merge_labels, voxelize_with_inverse


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
