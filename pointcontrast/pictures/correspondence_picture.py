"""Picture of two views side by side, their matches in feature space drawn as lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.pictures.cameras import Viewpoint
from pointcontrast.pictures.colored_points import ColoredPoints
from pointcontrast.pictures.drawing import Window, draw
from pointcontrast.pictures.feature_matches import Matches, match_features
from pointcontrast.pictures.scene_clouds import check_view, true_colors
from pointcontrast.pictures.scene_encoder import load_encoder
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import PointCloud

RIGHT_COLOR, WRONG_COLOR = (0, 150, 60), (215, 30, 30)


def draw_correspondences(
    network: Path,
    scene: Path,
    *,
    views: tuple[int, int] = (0, 1),
    num_matches: int = 100,
    tolerance: float | None = None,
    seed: int = 0,
    png: Path | None = None,
    ply: Path | None = None,
    window: Window = "auto",
    size: tuple[int, int] = (1600, 800),
    azimuth: float | None = None,
    elevation: float = 40.0,
) -> list[Path]:
    """Draw two views side by side with their matches in feature space as lines.

    Args:
        network: Backbone file, or its run's folder.
        scene: Folder of a prepared scene.
        views: Indices of the two views. Points of the first are matched to the second.
        num_matches: Maximum number of lines.
        tolerance: See :func:`.feature_matches.match_features`. None is two voxels.
        seed: Seed of the choice of points.
        png: See :func:`.drawing.draw`.
        ply: See :func:`.drawing.draw`.
        window: See :func:`.drawing.draw`.
        size: Width and height of the panel in pixels.
        azimuth: See :class:`.cameras.Viewpoint`.
        elevation: See :class:`.cameras.Viewpoint`.

    Returns:
        Paths of the files written.

    Raises:
        InputError: The network or the scene cannot be read, the views do not overlap, or a value
            is out of range.
    """
    store = ViewStore(scene)
    index0, index1 = (check_view(i, store, scene) for i in views)
    encoder = load_encoder(network, store.meta)
    encoded0, encoded1 = encoder.encode(store[index0]), encoder.encode(store[index1])
    matches = match_features(
        encoded0,
        encoded1,
        num_matches=num_matches,
        tolerance=2 * encoder.voxel_size if tolerance is None else tolerance,
        rng=np.random.default_rng(seed),
    )
    # a long lens: the second view, far to the right, must not look turned
    viewpoint = Viewpoint(store.meta.up, size[0] / size[1], azimuth, elevation, focal=2.4)
    pose = store.meta.camera_pose(index0)
    panel = correspondence_panel(
        store[index0],
        store[index1],
        matches,
        (encoded0[0], encoded1[0]),
        viewpoint.camera(store[index0].points, pose).world_from_camera[:3, 0],
        f"{scene.resolve().name}, views {index0} and {index1}",
    )
    camera = viewpoint.camera(panel.points, pose)
    return draw(
        [panel],
        cameras=[camera],
        png=png,
        ply=ply,
        window=window,
        size=size,
        origin=store.meta.origin,
    )


def correspondence_panel(
    view0: PointCloud,
    view1: PointCloud,
    matches: Matches,
    ends: tuple[NDArray[np.floating], NDArray[np.floating]],
    right: NDArray[np.floating],
    caption: str,
) -> ColoredPoints:
    """Panel of two views side by side, with one line per match: green if right, red if wrong.

    Args:
        view0: First view, drawn in place.
        view1: Second view, moved along ``right`` until it is clear of the first.
        matches: Rows of ``ends`` that match.
        ends: World points (N0, 3) and (N1, 3) that the matches refer to.
        right: Direction in the world that is right in the picture, unit vector (3,).
        caption: Caption of the panel, to which the number of right matches is added.
    """
    right = np.asarray(right, dtype=np.float64)
    along0, along1 = view0.points @ right, view1.points @ right
    width = max(np.ptp(along0), np.ptp(along1))
    shift = ((along0.max() - along1.min() + 0.1 * width) * right).astype(np.float32)
    rows0, rows1 = matches.correspondences.T
    segments = np.stack([ends[0][rows0], ends[1][rows1] + shift], axis=1).astype(np.float32)
    colors = np.array([WRONG_COLOR, RIGHT_COLOR], dtype=np.uint8)[matches.is_right.astype(int)]
    panel0, panel1 = true_colors(view0), true_colors(view1)
    return ColoredPoints(
        points=np.concatenate([panel0.points, panel1.points + shift]),
        colors=np.concatenate([panel0.colors, panel1.colors]),
        caption=f"{caption}: {matches.is_right.sum()} of {len(rows0)} matches right",
        segments=segments,
        segment_colors=colors,
    )
