"""Conversion of frames and sweeps to views: point clouds in world metres.

Follows the authors' ``point_cloud_extractor.py``: zeros are dropped, every pixel is back-projected
at the full depth resolution and moved by the camera pose. Deliberate deviation: depth beyond
``max_depth`` is dropped, because no structured-light or time-of-flight sensor of these datasets
measures that far.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.geometry import transform_points
from pointcontrast.origins import origin_between
from pointcontrast.recordings.sequence import FrameError, PosedSequence
from pointcontrast.scenes.depth.cloud import DepthCloud
from pointcontrast.scenes.views import SkippedFrame, View
from pointcontrast.types import Frame, PointCloud, Sweep

MAX_DEPTH = 10.0


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
