"""Pictures of what a backbone has learnt: features as colours, matches between views as lines.

Views and networks become :class:`pointcontrast.pictures.colored_points.ColoredPoints`, which
``pointcontrast.pictures.drawing`` shows in a window or writes as PNG and PLY. The command line is
in ``pointcontrast.pictures.visualize_cli``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from pointcontrast.errors import InputError
from pointcontrast.pictures.cameras import Camera, look_at, look_from_behind
from pointcontrast.pictures.colored_points import ColoredPoints
from pointcontrast.pictures.drawing import Window, draw
from pointcontrast.pictures.feature_colors import pca_colors
from pointcontrast.pictures.feature_matches import Matches, match_features
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import PointCloud
from pointcontrast.voxelize import voxelize
from pointcontrast.weights.encoder import Encode, load_encoder

RIGHT_COLOR, WRONG_COLOR = (0, 150, 60), (215, 30, 30)


def merge_views(views: Iterable[PointCloud], cell: float) -> PointCloud:
    """Join the views of a scene, keeping the first point of every cell of a grid.

    With half of a network's voxel size the network still finds every voxel that the views fill,
    and the picture has detail enough.

    Args:
        views: clouds in one world frame; colours are kept if every view has them.
        cell: side of a cell, metres.
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
    """Which points stay, (N,) bool, when the top of a scene is taken off to look into it.

    Args:
        points: (N, 3) world metres.
        up: (3,) unit vector, the scene's up direction in the world frame.
        fraction: the part of the height (1st to 99th percentile) that goes, in [0, 1).

    Raises:
        InputError: ``fraction`` is not in [0, 1).
    """
    if not 0 <= fraction < 1:
        raise InputError(f"--cut-ceiling {fraction} is not in [0, 1); 0.2 takes off the top fifth")
    if fraction == 0 or len(points) == 0:
        return np.ones(len(points), dtype=bool)
    heights = points @ np.asarray(up)
    low, high = np.percentile(heights, [1, 99])
    return heights <= high - fraction * (high - low)


def feature_panels(
    views: Sequence[PointCloud], names: Sequence[str], networks: Mapping[str, Encode]
) -> list[ColoredPoints]:
    """The panels of the ``features`` picture: a row a view, its colours and then each network.

    Args:
        views: what to colour.
        names: of the views, for the captions.
        networks: caption -> network. The views share one meaning of colour per network.

    Returns:
        ``len(views) * (1 + len(networks))`` panels, row by row.
    """
    rows = [[_true_colors(v, f"{n}: colour")] for v, n in zip(views, names, strict=True)]
    for caption, encode in networks.items():
        encoded = [encode(view) for view in views]
        reference = np.concatenate([features for _, features in encoded])
        for row, view, name, (points, features) in zip(rows, views, names, encoded, strict=True):
            # a point shows its nearest voxel, so that all panels have the detail of the view
            nearest = KDTree(points, balanced_tree=False).query(view.points)[1]
            colors = pca_colors(features, reference)[nearest]
            row.append(ColoredPoints(view.points, colors, f"{name}: {caption}"))
    return [panel for row in rows for panel in row]


def correspondence_panel(
    view0: PointCloud,
    view1: PointCloud,
    matches: Matches,
    ends: tuple[NDArray[np.floating], NDArray[np.floating]],
    right: NDArray[np.floating],
    caption: str,
) -> ColoredPoints:
    """Two views side by side, with a line for every match: green if right, red if wrong.

    Args:
        view0: drawn where it is.
        view1: drawn beside it, moved along ``right``.
        matches: rows into ``ends``.
        ends: world points (N0, 3) and (N1, 3) that the matches' rows speak of.
        right: (3,) unit vector, the direction in the world that is right in the picture.
        caption: of the panel; how many matches are right is added.
    """
    right = np.asarray(right, dtype=np.float64)
    along0, along1 = view0.points @ right, view1.points @ right
    width = max(np.ptp(along0), np.ptp(along1))
    shift = ((along0.max() - along1.min() + 0.1 * width) * right).astype(np.float32)
    rows0, rows1 = matches.correspondences.T
    segments = np.stack([ends[0][rows0], ends[1][rows1] + shift], axis=1).astype(np.float32)
    colors = np.array([WRONG_COLOR, RIGHT_COLOR], dtype=np.uint8)[matches.is_right.astype(int)]
    panel0, panel1 = _true_colors(view0), _true_colors(view1)
    return ColoredPoints(
        points=np.concatenate([panel0.points, panel1.points + shift]),
        colors=np.concatenate([panel0.colors, panel1.colors]),
        caption=f"{caption}: {matches.is_right.sum()} of {len(rows0)} matches right",
        segments=segments,
        segment_colors=colors,
    )


def draw_features(
    checkpoint: Path,
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
        checkpoint: a backbone file.
        scene: folder of a prepared scene.
        views: which views, a row each; None merges all views of the scene into one cloud.
        max_views: merge so many evenly spaced views instead of all.
        compare_untrained: also show a network with random weights, its batch norm calibrated on
            the clouds that are drawn.
        cut_ceiling: see :func:`below_ceiling`; the networks see the ceiling all the same.
        seed: of the untrained network's weights.
        png: see :func:`pointcontrast.pictures.drawing.draw`, as for ``ply`` and ``window``.
        ply: see there.
        window: see there.
        size: width and height of one panel, pixels.
        azimuth: see :func:`pointcontrast.pictures.drawing.look_at`; None looks at a single view
            from slightly behind the camera that took it.
        elevation: likewise.

    Returns:
        The files written.

    Raises:
        InputError: the checkpoint or the scene cannot be read, or a value is out of range.
    """
    store = ViewStore(scene)
    trained = load_encoder(checkpoint, store.meta)
    if views is None:
        chosen = _evenly_spaced(len(store), max_views, scene)
        clouds = [merge_views((store[i] for i in chosen), trained.voxel_size / 2)]
        names, poses = [f"{scene.resolve().name}, {len(chosen)} views"], [None]
    else:
        chosen = [_checked_index(i, store, scene) for i in views]
        clouds = [store[i] for i in chosen]
        names = [f"view {i}" for i in chosen]
        poses = [store.meta.camera_pose(i) for i in chosen]
    networks = {"trained": trained.encode}
    if compare_untrained:
        untrained = load_encoder(checkpoint, store.meta, seed, calibration_views=clouds)
        networks = {"untrained": untrained.encode, **networks}
    panels = [
        panel[below_ceiling(panel.points, store.meta.up, cut_ceiling)]
        for panel in feature_panels(clouds, names, networks)
    ]
    columns = 1 + len(networks)
    viewpoint = _Viewpoint(store.meta.up, size[0] / size[1], azimuth, elevation)
    cameras = [
        viewpoint.camera(panel.points, poses[index // columns])
        for index, panel in enumerate(panels)
    ]
    return draw(
        panels, cameras=cameras, png=png, ply=ply, window=window, columns=columns, size=size
    )


def draw_correspondences(
    checkpoint: Path,
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
        checkpoint: a backbone file.
        scene: folder of a prepared scene.
        views: the two views; points of the first look for their match in the second.
        num_matches: how many lines at most.
        tolerance: metres, see :func:`match_features`; None is two voxels.
        seed: of the choice of points.
        png: see :func:`draw_features`, as for all that follow.
        ply: see there.
        window: see there.
        size: see there.
        azimuth: see there.
        elevation: see there.

    Returns:
        The files written.

    Raises:
        InputError: as :func:`draw_features`; or the views have nothing in common.
    """
    store = ViewStore(scene)
    index0, index1 = (_checked_index(i, store, scene) for i in views)
    encoder = load_encoder(checkpoint, store.meta)
    encoded0, encoded1 = encoder.encode(store[index0]), encoder.encode(store[index1])
    matches = match_features(
        encoded0,
        encoded1,
        num_matches=num_matches,
        tolerance=2 * encoder.voxel_size if tolerance is None else tolerance,
        rng=np.random.default_rng(seed),
    )
    # a long lens: the second view, far to the right, must not look turned
    viewpoint = _Viewpoint(store.meta.up, size[0] / size[1], azimuth, elevation, focal=2.4)
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
    return draw([panel], cameras=[camera], png=png, ply=ply, window=window, size=size)


@dataclass(frozen=True)
class _Viewpoint:
    """Where to look from: where the view was taken, unless another side is asked for."""

    up: NDArray[np.float64]
    aspect: float
    azimuth: float | None
    elevation: float
    focal: float = 1.2

    def camera(
        self, points: NDArray[np.floating], world_from_camera: NDArray[np.float64] | None
    ) -> Camera:
        if world_from_camera is not None and self.azimuth is None:
            return look_from_behind(
                world_from_camera, points, self.up, aspect=self.aspect, focal=self.focal
            )
        return look_at(
            points,
            self.up,
            self.azimuth or 0.0,
            self.elevation,
            aspect=self.aspect,
            focal=self.focal,
        )


def _true_colors(view: PointCloud, caption: str = "") -> ColoredPoints:
    """The view as the camera saw it, light grey where it has no colours."""
    colors = view.colors
    if colors is None:
        colors = np.full((len(view), 3), 190, dtype=np.uint8)
    return ColoredPoints(view.points, colors, caption)


def _thin(cloud: PointCloud, cell: float) -> PointCloud:
    return cloud[np.sort(voxelize(cloud.points, cell)[0])]


def _evenly_spaced(num_views: int, max_views: int | None, folder: Path) -> list[int]:
    if num_views == 0:
        raise InputError(f"{folder} holds no views; prepare the scene again")
    if max_views is not None and max_views < 1:
        raise InputError(f"--max-views {max_views} leaves nothing to draw; give 1 or more")
    count = min(num_views, max_views or num_views)
    return np.linspace(0, num_views - 1, count).round().astype(int).tolist()


def _checked_index(index: int, store: ViewStore, folder: Path) -> int:
    if not 0 <= index < len(store):
        raise InputError(f"--view {index}: {folder} has the views 0 to {len(store) - 1}")
    return index
