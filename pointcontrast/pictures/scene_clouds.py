"""Views of a prepared scene as clouds to draw: chosen, merged, with the ceiling cut off."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.pictures.colored_points import ColoredPoints
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import PointCloud
from pointcontrast.voxelize import voxelize

GREY = 190
"""Colour of points that have none."""


def merge_views(views: Iterable[PointCloud], cell: float) -> PointCloud:
    """Concatenate the views of a scene, keeping the first point of every cell of a grid.

    With cells of half the network's voxel size the network still sees every voxel that the views
    fill.

    Args:
        views: Clouds in one world frame. Colours are kept if every view has them.
        cell: Side of a cell in metres.
    """
    thinned = [_thin(view, cell) for view in views]
    colors = [view.colors for view in thinned if view.colors is not None]
    return _thin(
        PointCloud(
            points=np.concatenate([view.points for view in thinned]),
            colors=np.concatenate(colors) if len(colors) == len(thinned) else None,
        ),
        cell,
    )


def below_ceiling(
    points: NDArray[np.floating], up: NDArray[np.floating], fraction: float
) -> NDArray[np.bool_]:
    """Mask of the points that remain when the top of a scene is cut off to look into it.

    Args:
        points: World coordinates (N, 3) in metres.
        up: Up direction of the scene in the world frame, unit vector (3,).
        fraction: Part of the height (1st to 99th percentile) to cut off, in [0, 1).

    Returns:
        Mask (N,), bool.

    Raises:
        InputError: ``fraction`` is not in [0, 1).
    """
    if not 0 <= fraction < 1:
        raise InputError(f"--cut-ceiling {fraction} is not in [0, 1); 0.2 cuts off the top fifth")
    if fraction == 0 or len(points) == 0:
        return np.ones(len(points), dtype=bool)
    heights = points @ np.asarray(up)
    low, high = np.percentile(heights, [1, 99])
    return heights <= high - fraction * (high - low)


def true_colors(view: PointCloud, caption: str = "") -> ColoredPoints:
    """Panel of a view in the colours of its camera, light grey if it has none."""
    colors = view.colors
    if colors is None:
        colors = np.full((len(view), 3), GREY, dtype=np.uint8)
    return ColoredPoints(view.points, colors, caption)


def evenly_spaced_views(store: ViewStore, max_views: int | None, folder: Path) -> list[int]:
    """Indices of at most ``max_views`` evenly spaced views of a scene; None takes all.

    Raises:
        InputError: The scene has no views, or ``max_views`` is below 1.
    """
    if len(store) == 0:
        raise InputError(f"{folder} holds no views; prepare the scene again")
    if max_views is not None and max_views < 1:
        raise InputError(f"--max-views {max_views} leaves nothing to draw; give 1 or more")
    count = min(len(store), max_views or len(store))
    return np.linspace(0, len(store) - 1, count).round().astype(int).tolist()


def check_view(index: int, store: ViewStore, folder: Path) -> int:
    """Return ``index`` if the scene has a view of that index.

    Raises:
        InputError: It has none.
    """
    if not 0 <= index < len(store):
        raise InputError(f"--view {index}: {folder} has the views 0 to {len(store) - 1}")
    return index


def _thin(cloud: PointCloud, cell: float) -> PointCloud:
    return cloud[np.sort(voxelize(cloud.points, cell)[0])]
