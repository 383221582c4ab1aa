"""Pairs cut from whole scans during training: no frames, view stores or overlaps on disk."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pointcontrast.data.network_input import FeatureName
from pointcontrast.data.pair_readers.pair_reader import PairReader
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import find_labelled_scenes, read_labelled_scene
from pointcontrast.origins import FINEST_VOXEL, check_resolution
from pointcontrast.recordings.reconstruction.crops import draw_balls
from pointcontrast.recordings.reconstruction.scan import Scan
from pointcontrast.recordings.reconstruction.simulated_camera import DepthCamera, visible_rows
from pointcontrast.recordings.reconstruction.simulated_walk import draw_looks
from pointcontrast.types import OVERLAP_THRESHOLD, Pair, PointCloud, RegisteredViews

_CAMERA_MARGIN = 0.05  # error of an overlap from the coarse picture of a camera

Visibility = Literal["all", "camera"]


class SceneCrops(PairReader):
    """Two overlapping random pieces of one scan, from folders of labelled scenes.

    Labels are ignored. The points of a piece are the scan's own: both views hold the same points
    where they overlap, which two depth frames never do. They differ in the cut, the voxels (each
    view is rotated independently) and, with ``visibility: camera``, the hidden points.
    """

    views_are_fixed: ClassVar[bool] = False

    def __init__(
        self,
        pairs_per_scene: int = 10,
        visibility: Visibility = "all",
        radius: tuple[float, float] = (1.0, 1.8),
        max_range: float = 4.0,
        min_overlap: float = OVERLAP_THRESHOLD,
        max_attempts: int = 10,
    ) -> None:
        """Store the settings.

        Args:
            pairs_per_scene: Pairs per scan and epoch, each cut anew in every epoch.
            visibility: ``all`` takes all points of a ball about a random point of the scan;
                ``camera`` takes the points that a depth camera (60 by 47 degrees, 0.4 m to
                ``max_range``) sees from 1.2 to 1.8 m above a free place of the floor. A scan
                without a free place, for example a closet, is cut into balls.
            radius: Smallest and largest radius of the balls, metres.
            max_range: Range of the cameras, metres.
            min_overlap: Smallest overlap of the two pieces, by the authors' definition.
            max_attempts: Draws of the second piece before it is cut at the place of the first.

        Raises:
            InputError: A value is out of range; the message names it.
        """
        for name, value, good, wanted in (
            ("pairs_per_scene", pairs_per_scene, pairs_per_scene >= 1, "at least 1"),
            (
                "radius",
                radius,
                0 < radius[0] <= radius[1],
                "two ascending lengths in metres",
            ),
            ("max_range", max_range, max_range > DepthCamera.nearest, "above 0.4 (metres)"),
            ("min_overlap", min_overlap, 0 < min_overlap < 1, "above 0 and below 1"),
            ("max_attempts", max_attempts, max_attempts >= 1, "at least 1"),
        ):
            if not good:
                raise InputError(f"data.pairs.{name} must be {wanted}; got {value}")
        self.pairs_per_scene = pairs_per_scene
        self.visibility: Visibility = visibility
        self.radius = radius
        self.camera = DepthCamera(farthest=max_range)
        self.min_overlap = min_overlap
        self.max_attempts = max_attempts

    def list_pairs(self, root: Path, features: tuple[FeatureName, ...]) -> list[Pair]:
        """List ``pairs_per_scene`` pairs of each scan, with the smallest overlap they may have."""
        folders = find_labelled_scenes(root)
        for feature in ("color", "normal"):
            if feature in features:
                for folder in folders:
                    _require(folder, feature)
        scenes = [folder.relative_to(root).as_posix() for folder in folders]
        return [
            Pair(scene, 2 * number, 2 * number + 1, self.min_overlap)
            for scene in scenes
            for number in range(self.pairs_per_scene)
        ]

    def read(
        self,
        root: Path,
        pair: Pair,
        features: tuple[FeatureName, ...],
        rng: np.random.Generator,
    ) -> RegisteredViews:
        """Cut two pieces; ``rng`` alone decides which, not the pair's numbers."""
        scan = open_scan(root / pair.scene)
        looks = self.visibility == "camera" and len(scan.places)
        rows0, rows1 = (self._cut_looks if looks else self._cut_balls)(scan, rng)
        view0, view1 = (_piece(scan.cloud, rows, features) for rows in (rows0, rows1))
        return RegisteredViews(view0, view1, scan.up, scan.floor_height)

    def _cut_balls(
        self, scan: Scan, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        balls = draw_balls(scan.coarse, self.radius, self.min_overlap, self.max_attempts, rng)
        rows0, rows1 = (np.flatnonzero(ball.contains(scan.cloud.points)) for ball in balls)
        return rows0, rows1

    def _cut_looks(
        self, scan: Scan, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        wanted = min(self.min_overlap + _CAMERA_MARGIN, 1.0)
        looks = draw_looks(scan, self.camera, wanted, self.max_attempts, rng)
        rows0, rows1 = (
            visible_rows(scan.cloud.points, look.world_from_camera, scan.spacing, self.camera)
            for look in looks
        )
        return rows0, rows1


@lru_cache(maxsize=128)
def open_scan(folder: Path) -> Scan:
    """Open a labelled scene as a scan and keep it; its points stay in the file, memory-mapped.

    Raises:
        InputError: The scene is missing or damaged, or its points are NaN or were float32 far from
            zero; the message names the file.
    """
    scene = read_labelled_scene(folder, check_values=False)  # not again at each step
    # plain arrays slice faster than memmaps
    colors = None if scene.color is None else scene.color.view(np.ndarray)
    normals = None if scene.normal is None else scene.normal.view(np.ndarray)
    check_resolution(scene.coord, FINEST_VOXEL, str(folder / "coord.npy"))
    cloud = PointCloud(scene.coord.view(np.ndarray), colors, normals)
    try:
        return Scan.of(cloud, scene.up)
    except InputError as error:
        raise InputError(f"{folder / 'coord.npy'}: {error}") from None


def _require(folder: Path, feature: Literal["color", "normal"]) -> None:
    if not (folder / f"{feature}.npy").exists():
        raise InputError(
            f"data.features asks for {feature}, but {folder} has no {feature}.npy; leave {feature} "
            f"out, or make the scene with {'colours' if feature == 'color' else 'normals'}"
        )


def _piece(
    cloud: PointCloud, rows: NDArray[np.int64], features: tuple[FeatureName, ...]
) -> PointCloud:
    """Return the points at ``rows`` with the arrays that the features need."""
    return PointCloud(
        cloud.points[rows],
        cloud.colors[rows] if cloud.colors is not None and "color" in features else None,
        cloud.normals[rows] if cloud.normals is not None and "normal" in features else None,
    )
