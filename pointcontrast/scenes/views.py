"""Conversion of frames and sweeps to views: point clouds in world metres.

Follows the authors' ``point_cloud_extractor.py``: zeros are dropped, every pixel is back-projected
at the full depth resolution and moved by the camera pose. Deliberate deviation: depth beyond
``max_depth`` is dropped, because no structured-light or time-of-flight sensor of these datasets
measures that far.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.geometry import sort_by_cell, transform_points
from pointcontrast.origins import origin_between
from pointcontrast.recordings.sequence import FrameError, PosedSequence
from pointcontrast.scenes.depth.cloud import DepthCloud
from pointcontrast.types import Cloud, Frame, PointCloud, Sweep

MAX_DEPTH = 10.0


@dataclass(frozen=True)
class View:
    """The points of one frame or sweep.

    Attributes:
        frame_id: Name of the frame within its scene.
        world_from_camera: (4, 4) float64 pose of the camera or LiDAR, metres.
        cloud: Points in world metres relative to the scene's origin (:func:`scene_origin`), N >= 1:
            a :class:`DepthCloud` for a depth image, a :class:`PointCloud` for a sweep.
        is_camera: True for a camera, False for a LiDAR.
    """

    frame_id: str
    world_from_camera: NDArray[np.float64]
    cloud: Cloud
    is_camera: bool = True

    @property
    def sensor_up(self) -> NDArray[np.float64]:
        """(3,) float64 unit vector in the world frame: -y of a camera, z of a LiDAR."""
        pose = self.world_from_camera
        return -pose[:3, 1] if self.is_camera else pose[:3, 2]


@dataclass(frozen=True)
class SkippedFrame:
    """A frame that could not be used.

    Attributes:
        frame_id: Name of the frame within its scene.
        reason: Reason in one line, naming the file.
    """

    frame_id: str
    reason: str


def scene_origin(sequence: PosedSequence, frame_skip: int = 1) -> NDArray[np.float64]:
    """Return the origin that is taken off the world coordinates of a recording.

    Points become float32 in :func:`to_view`, which resolves half a metre at UTM northings
    (``pointcontrast.origins``).

    Returns:
        (3,) float64: the position of the first usable sensor in whole metres; zeros where that is
        within ``pointcontrast.origins.FARTHEST`` of zero, or no frame is usable.
    """
    for index in range(0, len(sequence), frame_skip):
        try:
            recorded = sequence.read_geometry(index)
        except FrameError:
            continue
        is_sweep = isinstance(recorded, Sweep)
        pose = recorded.world_from_sensor if is_sweep else recorded.world_from_camera
        return origin_between(pose[:3, 3], pose[:3, 3])
    return np.zeros(3)


def read_views(
    sequence: PosedSequence,
    frame_skip: int = 1,
    max_depth: float = MAX_DEPTH,
    origin: ArrayLike = (0.0, 0.0, 0.0),
) -> Iterator[View | SkippedFrame]:
    """Turn the frames of a sequence into views, one at a time.

    Args:
        sequence: Recording to read.
        frame_skip: Step between frames; the authors' 25 is for ScanNet's 30 Hz.
        max_depth: Depth beyond this is dropped, metres.
        origin: (3,) origin that is taken off the world coordinates, metres.

    Yields:
        A view for each usable frame and a :class:`SkippedFrame` for each other one, in order.
    """
    for index in range(0, len(sequence), frame_skip):
        try:
            view = to_view(sequence.read(index), max_depth, origin)
        except FrameError as error:
            view = SkippedFrame(sequence.frame_ids[index], str(error))
        yield view


def to_view(
    recorded: Frame | Sweep,
    max_depth: float = MAX_DEPTH,
    origin: ArrayLike = (0.0, 0.0, 0.0),
) -> View:
    """Convert one frame or sweep to a view.

    Args:
        recorded: Posed depth image, with or without colour, or posed sweep.
        max_depth: Depth beyond this along the optical axis is dropped, metres. Sweeps keep all
            points.
        origin: (3,) origin that is taken off the world coordinates, metres.

    Raises:
        FrameError: The frame has no valid depth.
    """
    if isinstance(recorded, Sweep):
        pose, cloud = _relative(recorded.world_from_sensor, origin), recorded.cloud
        normals = cloud.normals
        if normals is not None:
            normals = normals @ pose[:3, :3].T.astype(np.float32)
        moved = PointCloud(transform_points(pose, cloud.points), cloud.colors, normals)
        return View(recorded.frame_id, pose, moved, recorded.is_camera)
    # Files of these sensors hold whole millimetres, and so does the view store.
    near = (recorded.depth > 0) & (recorded.depth <= min(max_depth, 65.535))  # false for NaN
    millimetres = np.rint(np.where(near, recorded.depth, 0) * 1000).astype(np.uint16)
    if not millimetres.any():
        raise FrameError(f"{recorded.frame_id} has no valid depth within {max_depth:g} m")
    color = recorded.color
    pose = _relative(recorded.world_from_camera, origin)
    cloud = DepthCloud(
        millimetres,
        recorded.intrinsics,
        pose,
        color=None if color is None else lambda: color,
    )
    return View(recorded.frame_id, pose, cloud)


def _relative(pose: NDArray[np.float64], origin: ArrayLike) -> NDArray[np.float64]:
    if not np.any(origin):
        return pose
    moved = pose.copy()
    moved[:3, 3] -= origin
    return moved


def thin(cloud: Cloud, cell_size: float) -> PointCloud:
    """Keep one point per cell of a world-aligned grid: the one nearest to the cell's centre.

    Of the rules tried (the mean, the first, a random point, the point nearest to the mean), this
    one loses the fewest voxels and correspondences when the points are voxelised later.

    Args:
        cloud: N points.
        cell_size: Side of a cell, metres.

    Returns:
        M <= N of the points, sorted by cell.
    """
    order, starts = sort_by_cell(cloud.points, cell_size)
    sizes = np.diff(starts, append=len(order))
    cells = cloud.points[order] / np.float32(cell_size)
    squared = ((cells - np.floor(cells) - 0.5) ** 2).sum(axis=1)
    nearest = squared == np.repeat(np.minimum.reduceat(squared, starts), sizes)
    rows = np.flatnonzero(nearest)
    cell_of_row = np.repeat(np.arange(len(starts)), sizes)[rows]
    ahead = np.diff(cell_of_row, prepend=-1) > 0  # the first of equals
    return cloud[order[rows[ahead]]]
