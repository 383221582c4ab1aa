"""Check of a recording's conventions: do its views fit together?

Poses that map the other way, cameras with other axes, depth in another unit or a camera matrix of
another image size give a scene without any error, in which no surface coincides with itself. A few
frames tell: points of one view are projected into a neighbouring view. Where the recording is read
as it was made, they lie on the surface that the neighbour measured, or are hidden behind it.

The check compares the claimed reading with every other plausible one on the same points. A
recording that fits another reading, or none, stops with that finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.options import CameraAxes, PoseDirection
from pointcontrast.recordings.rgbd.pose_conventions import (
    AXES,
    DIRECTIONS,
    as_recorded,
    camera_to_world,
)
from pointcontrast.recordings.sequence import FrameError, PosedSequence
from pointcontrast.types import Frame

_CLUSTERS = 4  # places of the recording
_OFFSETS = (0, 1, 3, 6, 10)  # steps between the frames of a place: short and long baselines
_POINTS = 400  # per frame
_TOLERANCE = 0.02  # of the depth: a structured-light sensor's noise at 4 m
_WIDEST_TURN = np.deg2rad(40.0)  # between two views that are compared
_FEWEST_SHARED = 500  # points seen by a second view, below which nothing is concluded

# Shares of the points in view of a second camera that lie on the surface that it measures. The four
# real scenes of tests/recordings/rgbd/test_self_check.py have 0.75 to 0.97 under their own
# convention, and less than 0.72 under each wrong one. Between the two limits, where poses may
# drift, the claim is kept unless another reading is _CLEARLY_BETTER.
_CLEARLY_RIGHT = 0.72
_RIGHT = 0.45
_CLEARLY_BETTER = 0.08

_ON_SURFACE = "of the points that a second view sees lie on its surface"

UNITS_PER_METRE = (1000.0, 5000.0, 6553.5, 4000.0, 8000.0, 256.0, 100.0, 10000.0, 1.0)
"""Units of published depth images: millimetres, TUM RGB-D, Replica, Matterport3D and Redwood scans
of 0.25 mm, SUN3D and SUN RGB-D (whose millimetres are rotated by three bits), KITTI's depth
completion, centimetres, 0.1 mm and metres."""


@dataclass(frozen=True)
class Reading:
    """One way to read a recording, relative to the claimed one.

    Attributes:
        words: Description.
        fix: The option that states it.
        support: Share of the points that lie on the surface that a second view measures, 0..1.
    """

    words: str
    fix: str
    support: float


def check_views(
    sequence: PosedSequence,
    *,
    units_per_metre: float | None = 1000.0,
    poses: PoseDirection = "camera_to_world",
    axes: CameraAxes = "opencv",
) -> float | None:
    """Check that the views of a recording of depth images fit together as it is read.

    Args:
        sequence: Recording; about twenty frames are read, without colours. Sweeps are not checked.
        units_per_metre: Units of its integer depth images; None where they are metres already.
        poses: Direction of its poses as it is read.
        axes: Axes of its cameras as it is read.

    Returns:
        Share of the points that lie on the surface that a second view measures, 0..1, or None where
        too few points are seen twice to tell.

    Raises:
        InputError: The views fit together under another convention, which is named with the option
            that states it, or under none.
    """
    clusters = _read_clusters(sequence)
    frames = [frame for cluster in clusters for frame in cluster]
    if len(frames) < 2:
        return None
    check = _Check(clusters)
    claimed = check.support([frame.world_from_camera for frame in frames])
    if claimed is not None and claimed >= _CLEARLY_RIGHT:
        return claimed
    recorded = [as_recorded(frame.world_from_camera, poses, axes) for frame in frames]
    best = max(
        _readings(check, recorded, units_per_metre, poses, axes), key=lambda each: each.support
    )
    found = "no two show the same place" if claimed is None else f"{claimed:.0%} {_ON_SURFACE}"
    needed = _CLEARLY_RIGHT if claimed is None else max(_RIGHT, claimed + _CLEARLY_BETTER)
    if best.support > needed:
        raise InputError(
            f"{sequence.folder}: its views do not fit together as they are read: {found}; "
            f"{best.support:.0%} do with {best.words}: {best.fix}"
        )
    if claimed is not None and claimed < _RIGHT:
        raise InputError(
            f"{sequence.folder}: its views do not fit together: only {claimed:.0%} {_ON_SURFACE}, "
            f"and no other convention gives more than {best.support:.0%}; check poses, depth unit "
            "and intrinsics (--poses, --axes, --depth-scale, --intrinsics), or pass --no-self-check"
        )
    return claimed


def _readings(
    check: _Check,
    recorded: Sequence[NDArray[np.float64]],
    units: float | None,
    poses: PoseDirection,
    axes: CameraAxes,
) -> Iterator[Reading]:
    """Try every reading but the claimed one."""
    scales = [units / each for each in UNITS_PER_METRE] if units else []
    fixed = {
        (direction, each): [camera_to_world(pose, direction, each) for pose in recorded]
        for direction in DIRECTIONS
        for each in AXES
    }
    for (direction, each), tried in fixed.items():
        stated = [
            *([f"--poses {direction}"] if direction != poses else []),
            *([f"--axes {each}"] if each != axes else []),
        ]
        words = [
            *(["the poses inverted"] if direction != poses else []),
            *([f"the camera axes of {each}"] if each != axes else []),
        ]
        if stated:
            yield _reading(check, tried, 1.0, words, stated)
        for scale in scales:
            if scale != 1.0:
                assert units is not None
                yield _reading(
                    check,
                    tried,
                    scale,
                    [*words, f"depth / {units / scale:g}"],
                    [*stated, f"--depth-scale {units / scale:g}"],
                )
    claimed = fixed[poses, axes]
    scaled = check.rescaled_intrinsics
    if scaled is not None:
        numbers = " ".join(f"{v:.1f}" for v in scaled[[0, 1, 0, 1], [0, 1, 2, 2]])
        support = check.support(claimed, intrinsics=scaled)
        yield Reading(
            "the intrinsics scaled to the size of the depth images",
            f"pass --intrinsics {numbers}",
            support or 0.0,
        )
    turned = [_with_rotation(pose, pose[:3, :3].T) for pose in recorded]
    yield _reading(check, turned, 1.0, ["the rotations transposed"], [])
    swapped = [_with_rotation(pose, _other_quaternion_order(pose[:3, :3])) for pose in recorded]
    yield _reading(check, swapped, 1.0, ["quaternions in the order w x y z"], [])


def _reading(
    check: _Check,
    poses: Sequence[NDArray[np.float64]],
    scale: float,
    words: Sequence[str],
    options: Sequence[str],
) -> Reading:
    fix = f"pass {' '.join(options)}" if options else "write the poses so"
    return Reading(" and ".join(words), fix, check.support(poses, scale) or 0.0)


class _Check:
    """Points of neighbouring frames, and the share of them that coincide under given poses."""

    def __init__(self, clusters: Sequence[Sequence[Frame]]) -> None:
        frames = [frame for cluster in clusters for frame in cluster]
        self._frames = frames
        self._samples = [_sample(frame.depth, seed) for seed, frame in enumerate(frames)]
        first = 0
        self._pairs: list[tuple[int, int]] = []
        for cluster in clusters:
            rows = range(first, first + len(cluster))
            first += len(cluster)
            self._pairs += [
                (i, j)
                for i in rows
                for j in rows
                if i != j and _turn(frames[i], frames[j]) < _WIDEST_TURN
            ]

    @property
    def rescaled_intrinsics(self) -> NDArray[np.float64] | None:
        """The matrix scaled so that its principal point is in the middle of the depth image.

        None where it nearly is there already, or where the two sides disagree.
        """
        intrinsics = self._frames[0].intrinsics
        height, width = self._frames[0].depth.shape
        factors = np.array([width, height]) / 2 / intrinsics[:2, 2]
        if np.ptp(factors) > 0.05 * factors.mean() or abs(factors.mean() - 1) < 0.08:
            return None
        return intrinsics * np.array([[factors.mean()], [factors.mean()], [1.0]])

    def support(
        self,
        poses: Sequence[NDArray[np.float64]],
        scale: float = 1.0,
        intrinsics: NDArray[np.float64] | None = None,
    ) -> float | None:
        """Share of the points in view of a second camera that lie on its surface.

        Args:
            poses: (4, 4) ``world_from_camera`` of each frame.
            scale: Factor of the depths.
            intrinsics: Pinhole matrix in place of that of each frame.

        Returns:
            0..1; None where fewer than ``_FEWEST_SHARED`` points are in view of a second camera.
        """
        on = seen = 0
        for i, j in self._pairs:
            ratio = self._ratios(i, j, poses, scale, intrinsics)
            on += np.count_nonzero(np.abs(ratio - 1) < _TOLERANCE)
            seen += len(ratio)
        return on / seen if seen >= _FEWEST_SHARED else None

    def _ratios(
        self,
        i: int,
        j: int,
        poses: Sequence[NDArray[np.float64]],
        scale: float,
        intrinsics: NDArray[np.float64] | None,
    ) -> NDArray[np.float64]:
        """Depths of the points of frame i in camera j, over the depths that j measured there."""
        pixels, depths = self._samples[i]
        target = self._frames[j]
        matrix = self._frames[i].intrinsics if intrinsics is None else intrinsics
        to_j = target.intrinsics if intrinsics is None else intrinsics
        points = (pixels @ np.linalg.inv(matrix).T) * (depths * scale)[:, None]
        j_from_i = np.linalg.solve(poses[j], poses[i])
        points = points @ j_from_i[:3, :3].T + j_from_i[:3, 3]
        points = points[points[:, 2] > 0.05 * scale]
        image = points @ to_j.T
        columns, rows = np.rint(image[:, :2] / image[:, 2:]).T
        height, width = target.depth.shape
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        measured = target.depth[rows[inside].astype(int), columns[inside].astype(int)]
        known = measured > 0
        return points[inside, 2][known] / (measured[known].astype(np.float64) * scale)


def _read_clusters(sequence: PosedSequence) -> list[list[Frame]]:
    """Read neighbouring frames in some places of the recording; unusable ones are left out."""
    count = len(sequence)
    step = max(1, count // 100)
    offsets = step * np.array(_OFFSETS)
    length = int(offsets[-1]) + 1
    places = max(1, min(_CLUSTERS, count // length))
    if count <= len(_OFFSETS) * _CLUSTERS:
        places, offsets, length = 1, np.arange(count), count
    starts = np.linspace(0, max(0, count - length), places).astype(int)
    clusters: list[list[Frame]] = []
    for start in starts:
        cluster: list[Frame] = []
        for index in start + offsets[start + offsets < count]:
            try:
                frame = sequence.read_geometry(int(index))
            except FrameError:
                continue
            if isinstance(frame, Frame):
                cluster.append(frame)
        clusters.append(cluster)
    return clusters


def _sample(
    depth: NDArray[np.float32], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw measured pixels: (N, 3) homogeneous coordinates and (N,) depths."""
    # Most pixels are measured: a few draws more than points are wanted find enough.
    drawn = np.random.default_rng(seed).integers(0, depth.size, 4 * _POINTS)
    values = depth.ravel()[drawn]
    chosen = np.flatnonzero((values > 0) & (values < np.inf))[:_POINTS]
    rows, columns = np.divmod(drawn[chosen], depth.shape[1])
    pixels = np.stack([columns, rows, np.ones_like(rows)], axis=1).astype(np.float64)
    return pixels, values[chosen].astype(np.float64)


def _turn(a: Frame, b: Frame) -> float:
    """Angle between two orientations, radians; the same under every convention."""
    cosine = (np.trace(a.world_from_camera[:3, :3].T @ b.world_from_camera[:3, :3]) - 1) / 2
    return float(np.arccos(np.clip(cosine, -1, 1)))


def _with_rotation(pose: NDArray[np.float64], rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    changed = pose.copy()
    changed[:3, :3] = rotation
    return changed


def _other_quaternion_order(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation that was meant if w x y z was read as x y z w."""
    from scipy.spatial.transform import Rotation  # half a second to import

    read = Rotation.from_matrix(rotation).as_quat()  # scalar last
    return Rotation.from_quat(np.roll(read, -1)).as_matrix()
