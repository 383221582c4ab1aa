"""Picture of the features of views: one row per view, its colours and then each network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from pointcontrast.pictures.cameras import Viewpoint
from pointcontrast.pictures.colored_points import ColoredPoints
from pointcontrast.pictures.drawing import Window, draw
from pointcontrast.pictures.feature_colors import pca_colors
from pointcontrast.pictures.scene_clouds import (
    below_ceiling,
    check_view,
    evenly_spaced_views,
    merge_views,
    true_colors,
)
from pointcontrast.pictures.scene_encoder import Encode, load_encoder
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import PointCloud


def draw_features(
    network: Path,
    scene: Path,
    *,
    views: Sequence[int] | None = (0,),
    max_views: int | None = None,
    compare_untrained: bool = False,
    cut_ceiling: float = 0.0,
    seed: int = 0,
    png: Path | None = None,
    ply: Path | None = None,
    window: Window = "auto",
    size: tuple[int, int] = (1000, 750),
    azimuth: float | None = None,
    elevation: float = 40.0,
) -> list[Path]:
    """Draw views in true colours and coloured by their features, side by side.

    Args:
        network: Backbone file, or its run's folder.
        scene: Folder of a prepared scene.
        views: Indices of the views, one row each. None merges all views into one cloud.
        max_views: Maximum number of views to merge, evenly spaced. None merges all.
        compare_untrained: Whether to add a network with random weights, its batch norm
            calibrated on the clouds that are drawn.
        cut_ceiling: See :func:`.scene_clouds.below_ceiling`. The networks see the ceiling.
        seed: Seed of the untrained network's weights.
        png: See :func:`.drawing.draw`.
        ply: See :func:`.drawing.draw`.
        window: See :func:`.drawing.draw`.
        size: Width and height of one panel in pixels.
        azimuth: See :class:`.cameras.Viewpoint`.
        elevation: See :class:`.cameras.Viewpoint`.

    Returns:
        Paths of the files written.

    Raises:
        InputError: The network or the scene cannot be read, or a value is out of range.
    """
    store = ViewStore(scene)
    trained = load_encoder(network, store.meta)
    if views is None:
        chosen = evenly_spaced_views(store, max_views, scene)
        clouds = [merge_views((store[i] for i in chosen), trained.voxel_size / 2)]
        names, poses = [f"{scene.resolve().name}, {len(chosen)} views"], [None]
    else:
        chosen = [check_view(i, store, scene) for i in views]
        clouds = [store[i] for i in chosen]
        names = [f"view {i}" for i in chosen]
        poses = [store.meta.camera_pose(i) for i in chosen]
    networks = {"trained": trained.encode}
    if compare_untrained:
        untrained = load_encoder(network, store.meta, seed, calibration_views=clouds)
        networks = {"untrained": untrained.encode, **networks}
    panels = [
        panel[below_ceiling(panel.points, store.meta.up, cut_ceiling)]
        for panel in feature_panels(clouds, names, networks)
    ]
    columns = 1 + len(networks)
    viewpoint = Viewpoint(store.meta.up, size[0] / size[1], azimuth, elevation)
    cameras = [
        viewpoint.camera(panel.points, poses[index // columns])
        for index, panel in enumerate(panels)
    ]
    return draw(
        panels,
        cameras=cameras,
        png=png,
        ply=ply,
        window=window,
        columns=columns,
        size=size,
        origin=store.meta.origin,
    )


def feature_panels(
    views: Sequence[PointCloud], names: Sequence[str], networks: Mapping[str, Encode]
) -> list[ColoredPoints]:
    """Panels of the picture: for each view its true colours, and then each network's features.

    Args:
        views: Clouds to colour.
        names: Names of the views, for the captions.
        networks: Networks by caption. In the panels of one network, equal colours are equal
            features.

    Returns:
        ``len(views) * (1 + len(networks))`` panels, row by row.
    """
    rows = [[true_colors(v, f"{n}: colour")] for v, n in zip(views, names, strict=True)]
    for caption, encode in networks.items():
        encoded = [encode(view) for view in views]
        reference = np.concatenate([features for _, features in encoded])
        for row, view, name, (points, features) in zip(rows, views, names, encoded, strict=True):
            # a point shows its nearest voxel, so that all panels have the detail of the view
            nearest = KDTree(points, balanced_tree=False).query(view.points)[1]
            colors = pca_colors(features, reference)[nearest]
            row.append(ColoredPoints(view.points, colors, f"{name}: {caption}"))
    return [panel for row in rows for panel in row]
