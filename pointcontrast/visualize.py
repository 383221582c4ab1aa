"""Pictures of what a backbone has learnt: features as colours, matches between views as lines.

``tools/visualize.py features`` and ``tools/visualize.py correspondences`` end up in :func:`main`.
Each subcommand turns views and networks into :class:`pointcontrast.drawing.ColoredPoints`, which
``pointcontrast.drawing`` shows in a window or writes as PNG and PLY.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree

from pointcontrast.checkpoint import build_backbone, load_backbone
from pointcontrast.collate import collate_views
from pointcontrast.drawing import (
    Camera,
    ColoredPoints,
    Window,
    draw,
    has_display,
    look_at,
    look_from_behind,
)
from pointcontrast.errors import InputError, run_command
from pointcontrast.scene_meta import SceneMeta
from pointcontrast.types import PointCloud
from pointcontrast.view_store import ViewStore
from pointcontrast.voxelize import voxelize

GREY = 128
RIGHT_COLOR, WRONG_COLOR = (0, 150, 60), (215, 30, 30)

Encode = Callable[[PointCloud], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""A network applied to a cloud: points (N, 3) of its voxels in world metres, features (N, C)."""


@dataclass(frozen=True)
class Encoder:
    """A network ready to turn clouds into features.

    Attributes:
        encode: see :data:`Encode`.
        voxel_size: metres, the one that the network was trained with.
    """

    encode: Encode
    voxel_size: float


@dataclass(frozen=True)
class Matches:
    """Nearest neighbours in feature space of points that both views see.

    Attributes:
        correspondences: (M, 2) int64 rows of view0 and of view1.
        is_right: (M,) bool, whether the two points are close in the world.
    """

    correspondences: NDArray[np.int64]
    is_right: NDArray[np.bool_]


def pca_colors(
    features: NDArray[np.floating], reference: NDArray[np.floating] | None = None
) -> NDArray[np.uint8]:
    """Colour features by their first three principal components as red, green and blue.

    Each component's 1st to 99th percentile over the reference spans 0..255. A component points
    the way that makes the third moment of the reference's scores positive, so that the colours
    stay the same when the feature space is rotated or mirrored.

    Args:
        features: (N, C), any C >= 1.
        reference: (R, C) features that the components and their ranges are measured on, so that
            several clouds share one meaning of colour; None takes ``features`` themselves.

    Returns:
        (N, 3) uint8 RGB. A component that does not vary over the reference is mid grey (128).

    Raises:
        InputError: the arrays hold NaN or infinity, disagree in C, or the reference is empty.
    """
    features = np.asarray(features, dtype=np.float64)
    reference = features if reference is None else np.asarray(reference, dtype=np.float64)
    if features.ndim != 2 or reference.ndim != 2 or features.shape[1] != reference.shape[1]:
        raise InputError(
            f"features of shape {features.shape} cannot be coloured by a reference of shape "
            f"{reference.shape}; both must be (N, C) of one network"
        )
    if len(reference) == 0:
        raise InputError("there are no features to colour: the views are empty")
    if not (np.isfinite(features).all() and np.isfinite(reference).all()):
        raise InputError("the features hold NaN or infinity; was the checkpoint trained soundly?")
    mean = reference.mean(axis=0)
    centred = reference - mean
    axes = np.linalg.eigh(centred.T @ centred)[1]
    axes = axes[:, ::-1][:, :3]  # (C, <= 3), the largest variance first
    reference_scores = centred @ axes
    signs = np.where((reference_scores**3).sum(axis=0) < 0, -1.0, 1.0)
    low, high = np.percentile(reference_scores * signs, [1, 99], axis=0)
    # float32 features that are equal up to rounding must not be blown up to full contrast
    varies = high - low > 1e-5 * np.abs(reference).max()
    scores = ((features - mean) @ axes * signs - low) / np.where(varies, high - low, 1.0)
    colors = np.full((len(features), 3), GREY, dtype=np.uint8)
    colors[:, : len(signs)] = np.where(varies, np.rint(255 * np.clip(scores, 0, 1)), GREY)
    return colors


def match_features(
    cloud0: tuple[NDArray[np.floating], NDArray[np.floating]],
    cloud1: tuple[NDArray[np.floating], NDArray[np.floating]],
    *,
    num_matches: int,
    tolerance: float,
    rng: np.random.Generator,
) -> Matches:
    """Match random points of view0 to all of view1 by the Euclidean distance of features.

    Only points of view0 that view1 sees too (within ``tolerance``) ask: another has no right
    answer.

    Args:
        cloud0: points (N0, 3) in world metres and features (N0, C) of view0.
        cloud1: points (N1, 3) and features (N1, C) of view1.
        num_matches: the most points that ask.
        tolerance: metres; a match is right if its points are no further apart in the world.
        rng: chooses the points that ask.

    Raises:
        InputError: no point of view0 is within ``tolerance`` of view1, or ``num_matches`` < 1.
    """
    (points0, features0), (points1, features1) = cloud0, cloud1
    gaps = KDTree(points1, balanced_tree=False).query(points0, distance_upper_bound=tolerance)[0]
    shared = np.flatnonzero(np.isfinite(gaps))
    if len(shared) == 0:
        raise InputError(
            f"the two views have no points within {tolerance} m of each other; choose another pair "
            "with --view or a larger --tolerance"
        )
    if num_matches < 1:
        raise InputError(f"--num-matches {num_matches} leaves nothing to draw; give 1 or more")
    rows0 = np.sort(rng.choice(shared, min(num_matches, len(shared)), replace=False))
    # |a - b|^2 without |a|^2, which does not change which b is nearest: (M, N1)
    distances = (features1**2).sum(axis=1) - 2 * features0[rows0] @ features1.T
    rows1 = distances.argmin(axis=1)
    apart = np.linalg.norm(points0[rows0] - points1[rows1], axis=1)
    return Matches(np.stack([rows0, rows1], axis=1), apart <= tolerance)


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


def load_encoder(checkpoint: Path, meta: SceneMeta, untrained_seed: int | None = None) -> Encoder:
    """Load a backbone file as a function from a cloud to features.

    Args:
        checkpoint: a backbone file (``pointcontrast.checkpoint``).
        meta: of the scene that the clouds are from; its ``up`` and ``floor_height`` are used.
        untrained_seed: if given, the same network with the random weights of that seed instead.

    Raises:
        InputError: the file is absent, damaged or of another kind.
    """
    with torch.random.fork_rng(devices=[]):  # a new network draws from the global generator
        backbone, metadata = load_backbone(checkpoint)
        if untrained_seed is not None:
            torch.manual_seed(untrained_seed)
            backbone = build_backbone(metadata).eval()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    backbone.to(device)

    @torch.inference_mode()
    def encode(cloud: PointCloud) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        voxels = metadata.network_input(cloud, meta.up, meta.floor_height)
        batch = collate_views([voxels])
        features = backbone.encode(batch.coordinates.to(device), batch.features.to(device))
        return voxels.points, features.cpu().numpy()

    return Encoder(encode, metadata.network_input.voxel_size)


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
        compare_untrained: also show the network as it was before training.
        cut_ceiling: see :func:`below_ceiling`; the networks see the ceiling all the same.
        seed: of the untrained network's weights.
        png: see :func:`pointcontrast.drawing.draw`, as for ``ply`` and ``window``.
        ply: see there.
        window: see there.
        size: width and height of one panel, pixels.
        azimuth: see :func:`pointcontrast.drawing.look_at`; None looks at a single view from
            slightly behind the camera that took it.
        elevation: likewise.

    Returns:
        The files written.

    Raises:
        InputError: the checkpoint or the scene cannot be read, or a value is out of range.
    """
    store = ViewStore(scene)
    trained = load_encoder(checkpoint, store.meta)
    networks = {"trained": trained.encode}
    if compare_untrained:
        untrained = load_encoder(checkpoint, store.meta, untrained_seed=seed)
        networks = {"untrained": untrained.encode, **networks}
    if views is None:
        chosen = _evenly_spaced(len(store), max_views, scene)
        clouds = [merge_views((store[i] for i in chosen), trained.voxel_size / 2)]
        names, poses = [f"{scene.resolve().name}, {len(chosen)} views"], [None]
    else:
        chosen = [_checked_index(i, store, scene) for i in views]
        clouds = [store[i] for i in chosen]
        names, poses = [f"view {i}" for i in chosen], [store.meta.poses[i] for i in chosen]
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
    pose = store.meta.poses[index0]
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


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of ``tools/visualize.py``.

    Args:
        argv: the arguments, None for those of the process.

    Returns:
        The exit status, see :func:`pointcontrast.errors.run_command`.
    """
    args = vars(_parser().parse_args(argv))
    command, run = args.pop("command"), args.pop("run")

    def body() -> None:
        for path in run(**_with_output_paths(args, command)):
            print(path)

    return run_command(body)


def _run_features(*, merge_all: bool, views: list[int] | None, **settings: Any) -> list[Path]:
    merged = merge_all or settings["max_views"] is not None
    if merged and views:
        raise InputError("--view draws single views, --all and --max-views merge; give one")
    return draw_features(views=None if merged else views or [0], **settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Pictures of a backbone's features.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    features = commands.add_parser("features", help="colour points by the PCA of their features")
    features.set_defaults(run=_run_features)
    features.add_argument(
        "--view",
        dest="views",
        type=int,
        nargs="+",
        metavar="I",
        help="views to draw, a row each (default: 0)",
    )
    features.add_argument(
        "--all", dest="merge_all", action="store_true", help="draw all views merged into one scene"
    )
    features.add_argument(
        "--max-views", type=int, metavar="K", help="merge K evenly spaced views instead of all"
    )
    features.add_argument(
        "--compare-untrained", action="store_true", help="add the network as it was before training"
    )
    features.add_argument("--size", type=int, nargs=2, default=(1000, 750), metavar=("W", "H"))
    features.add_argument(
        "--cut-ceiling", type=float, default=0.0, metavar="FRACTION", help="take off the top"
    )
    matches = commands.add_parser("correspondences", help="match two views by their features")
    matches.set_defaults(run=draw_correspondences)
    matches.add_argument(
        "--view", dest="views", type=int, nargs=2, default=(0, 1), metavar=("I", "J")
    )
    matches.add_argument("--num-matches", type=int, default=100, metavar="M")
    matches.add_argument(
        "--tolerance", type=float, metavar="METRES", help="of a right match (default: 2 voxels)"
    )
    matches.add_argument("--size", type=int, nargs=2, default=(1600, 800), metavar=("W", "H"))
    for command in (features, matches):
        _add_shared_arguments(command)
    return parser


def _add_shared_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--checkpoint", type=Path, required=True, help="a backbone file")
    command.add_argument(
        "--views", dest="scene", type=Path, required=True, help="folder of a prepared scene"
    )
    command.add_argument(
        "--output",
        type=Path,
        help="folder for <scene>_<command>.png and .ply (default, where "
        "no window can be opened: the checkpoint's folder)",
    )
    command.add_argument("--png", type=Path, help="write the picture to this file")
    command.add_argument("--ply", type=Path, help="write the points to this file")
    command.add_argument(
        "--window",
        choices=("auto", "always", "never"),
        default="auto",
        help="auto: a window where there is a display and no file is asked for",
    )
    command.add_argument(
        "--azimuth", type=float, metavar="DEGREES", help="look from outside, from this side"
    )
    command.add_argument("--elevation", type=float, default=40.0, metavar="DEGREES")
    command.add_argument("--seed", type=int, default=0, help="of everything random")


def _with_output_paths(args: dict[str, Any], command: str) -> dict[str, Any]:
    """Replace the folder ``output`` by a PNG and a PLY in it, where files are needed."""
    output, png, ply = args.pop("output"), args["png"], args["ply"]
    window = args["window"]
    no_window = window == "never" or (window == "auto" and not has_display())
    if output or (no_window and not (png or ply)):
        folder = output or args["checkpoint"].parent
        stem = re.sub(r"[^\w.-]+", "_", args["scene"].resolve().name) + f"_{command}"
        args["png"], args["ply"] = png or folder / f"{stem}.png", ply or folder / f"{stem}.ply"
    return {**args, "size": tuple(args["size"])}


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
