"""Frames become views: coloured point clouds with normals, in world metres, thinned.

Follows the authors' ``point_cloud_extractor.py`` (zeros dropped, back-projection at the full
depth resolution, camera pose). Deliberate deviations:

- Points are thinned to a storage grid, because full-resolution float64 clouds are what made the
  authors' ScanNet pairs a terabyte. It costs: at the default grid of 1.25 cm, voxels of 2.5 cm
  are about 10 % fewer than from all points (those that a surface barely cuts are missed), and
  correspondences about 20 % fewer; at 5 mm, 2 % and 1 to 3.5 %, for two to three times the points.
- Colours are kept, and normals are estimated from the depth image.
- Depth beyond ``max_depth`` is dropped: no structured-light or time-of-flight sensor of these
  data sets measures that far.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import pixel_rays, sort_by_cell, transform_points
from pointcontrast.sequence import FrameError, PosedSequence
from pointcontrast.types import Frame, PointCloud

STORAGE_GRID = 0.0125
MAX_DEPTH = 10.0
_NORMAL_REACH = (2, 4, 6)  # pixels from the centre at which depth is compared
_MAX_SLOPE = 3.0  # a step in depth steeper than this (metres per metre) is an edge
_DEPTH_NOISE = 0.01  # relative to the depth: steps below are noise, never an edge
_MIN_NEIGHBORS = 8  # of the 24 compared pixels, for a normal to be trusted


@dataclass(frozen=True)
class View:
    """What one frame contributes to a scene.

    Attributes:
        frame_id: name of the frame within its scene.
        world_from_camera: (4, 4) float64, metres.
        cloud: its points in world metres, N >= 1.
    """

    frame_id: str
    world_from_camera: NDArray[np.float64]
    cloud: PointCloud


@dataclass(frozen=True)
class SkippedFrame:
    """A frame that could not be used.

    Attributes:
        frame_id: name of the frame within its scene.
        reason: one line in words, naming the file.
    """

    frame_id: str
    reason: str


def read_views(
    sequence: PosedSequence,
    frame_skip: int = 1,
    max_depth: float = MAX_DEPTH,
    storage_grid: float = STORAGE_GRID,
) -> Iterator[View | SkippedFrame]:
    """Turn the frames of a sequence into views, one at a time.

    Args:
        sequence: the source.
        frame_skip: take every n-th frame; the authors' 25 is for ScanNet's 30 Hz.
        max_depth: metres.
        storage_grid: metres; 0 keeps every point.

    Yields:
        A view for each good frame and a :class:`SkippedFrame` for each bad one, in order.
    """
    for index in range(0, len(sequence), frame_skip):
        try:
            frame = sequence.read(index)
            cloud = frame_to_view(frame, max_depth, storage_grid)
        except FrameError as error:
            yield SkippedFrame(sequence.frame_ids[index], str(error))
        else:
            yield View(frame.frame_id, frame.world_from_camera, cloud)


def frame_to_view(
    frame: Frame, max_depth: float = MAX_DEPTH, storage_grid: float = STORAGE_GRID
) -> PointCloud:
    """The points that one frame saw, in world metres.

    Args:
        frame: a posed depth image, with colour or without.
        max_depth: points farther along the optical axis are dropped, metres.
        storage_grid: side of the cells that keep one point each (:func:`thin`), metres; 0 keeps
            every point.

    Returns:
        Points, colours (None if the frame has none) and normals. A normal is 0 0 0 where the
        depth image does not show one (isolated pixels, edges): the authors keep those points,
        and so do we.

    Raises:
        FrameError: no valid depth at all.
    """
    valid = (frame.depth > 0) & (frame.depth <= max_depth)  # false for NaN
    if not valid.any():
        raise FrameError(f"{frame.frame_id} has no valid depth within {max_depth:g} m")
    height, width = frame.depth.shape
    rays = pixel_rays(height, width, frame.intrinsics)  # (H, W, 3)
    normals = depth_normals(np.where(valid, frame.depth, 0), frame.intrinsics)[valid]
    points = rays[valid] * frame.depth[valid, None].astype(np.float64)  # (N, 3) camera
    world_from_camera = frame.world_from_camera
    cloud = PointCloud(
        points=transform_points(world_from_camera, points).astype(np.float32),
        colors=None if frame.color is None else frame.color[valid],
        normals=normals @ world_from_camera[:3, :3].T.astype(np.float32),
    )
    return thin(cloud, storage_grid) if storage_grid else cloud


def thin(cloud: PointCloud, cell_size: float) -> PointCloud:
    """Keep one point per cell of a world-aligned grid: the one nearest to the cell's centre.

    Of the rules tried (the mean, the first, a random point, the one nearest to the mean), this
    one loses the fewest voxels and correspondences when the points are voxelised later.

    Args:
        cloud: N points.
        cell_size: metres.

    Returns:
        At most N of the points, ordered by cell.
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


def depth_normals(
    depth: NDArray[np.floating[Any]], intrinsics: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Surface normals of a depth image, from a plane fitted around every pixel.

    A plane ``n . p = d`` makes the inverse depth a linear function of the pixel,
    ``1/z = n . ray / d``, so a line fit of 1/z over the neighbours within 6 pixels gives n / d
    without bias however slanted the surface is. Neighbours across a depth edge take no part.

    Args:
        depth: (H, W) metres, 0 where there is no measurement.
        intrinsics: (3, 3) pinhole matrix.

    Returns:
        (H, W, 3) float32 unit vectors in the camera frame, towards the camera; 0 0 0 where too
        few neighbours lie on the same surface. Never NaN.
    """
    offsets = _ring_offsets()
    focal = float(intrinsics[0, 0])
    depth = depth.astype(np.float32)
    height, width = depth.shape
    margin = max(_NORMAL_REACH)
    padded = np.pad(depth, margin)
    with np.errstate(divide="ignore"):
        inverse = np.where(padded > 0, 1.0 / padded, 0).astype(np.float32)
    center = inverse[margin : margin + height, margin : margin + width]
    # Sums over the neighbours for the normal equations of w = a u + b v + c, with u, v, w
    # relative to the centre; the centre itself is the first sample (0, 0, 0).
    sums = {key: np.zeros_like(depth) for key in ("uu", "uv", "vv", "u", "v", "uw", "vw", "w")}
    count = np.ones_like(depth)
    for du, dv in offsets:
        rows = slice(margin + dv, margin + dv + height)
        columns = slice(margin + du, margin + du + width)
        neighbor = padded[rows, columns]
        step = _MAX_SLOPE * float(np.hypot(du, dv)) / focal + _DEPTH_NOISE
        same = (np.abs(neighbor - depth) < step * depth) & (neighbor > 0)
        w = np.where(same, inverse[rows, columns] - center, np.float32(0))
        weight = same.astype(np.float32)
        count += weight
        sums["w"] += w
        for key, factor, value in (
            *(("u", du, weight), ("v", dv, weight), ("uw", du, w), ("vw", dv, w)),
            *(("uu", du * du, weight), ("uv", du * dv, weight), ("vv", dv * dv, weight)),
        ):
            if factor:
                sums[key] += np.float32(factor) * value
    return _plane_normals(sums, count, center, intrinsics)


def _plane_normals(
    sums: dict[str, NDArray[np.float32]],
    count: NDArray[np.float32],
    center: NDArray[np.float32],
    intrinsics: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Solve the line fits of :func:`depth_normals` and turn them into unit normals."""
    mean_u, mean_v, mean_w = sums["u"] / count, sums["v"] / count, sums["w"] / count
    uu = sums["uu"] - count * mean_u * mean_u
    uv = sums["uv"] - count * mean_u * mean_v
    vv = sums["vv"] - count * mean_v * mean_v
    uw = sums["uw"] - count * mean_u * mean_w
    vw = sums["vw"] - count * mean_v * mean_w
    determinant = uu * vv - uv * uv
    # Neighbours on a line fix no plane: their determinant is 0 up to rounding.
    good = (count > _MIN_NEIGHBORS) & (center > 0) & (determinant > 1e-2 * (uu + vv) ** 2)
    scale = np.where(good, 1.0 / np.where(good, determinant, 1), 0).astype(np.float32)
    slope_u, slope_v = (uw * vv - vw * uv) * scale, (vw * uu - uw * uv) * scale
    height, width = center.shape
    columns = np.arange(width, dtype=np.float32)[None, :]
    rows = np.arange(height, dtype=np.float32)[:, None]
    at_center = center + mean_w - slope_u * mean_u - slope_v * mean_v  # the fit's 1/z there
    # 1/z = (slope_u, slope_v, rest) . (u, v, 1), and (u, v, 1) = K ray: so n / d = K^T of it.
    rest = at_center - slope_u * columns - slope_v * rows
    normals = np.stack([slope_u, slope_v, rest], axis=-1) @ intrinsics.astype(np.float32)
    normals[~good] = 0
    return -_unit(normals)  # n / d has n . p > 0, away from the camera


def _ring_offsets() -> Sequence[tuple[int, int]]:
    """Pixel offsets in eight directions at every reach of ``_NORMAL_REACH``."""
    steps = [(du, dv) for du in (-1, 0, 1) for dv in (-1, 0, 1) if (du, dv) != (0, 0)]
    return [(reach * du, reach * dv) for reach in _NORMAL_REACH for du, dv in steps]


def _unit(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Vectors of length 1; those (nearly) without a direction become 0 0 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(lengths > 1e-6, vectors / np.maximum(lengths, 1e-6), 0).astype(np.float32)
