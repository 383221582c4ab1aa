"""The points of a scan that a depth camera sees, and places where a camera can stand.

For scans without the frames that they were reconstructed from. A scan is a set of points on
surfaces, and a camera sees those that no other surface hides. Points have no extent, so each covers
a square as wide as the spacing of the points (:func:`visible_rows`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import rotation_between

_FLOOR = 0.3  # metres around the floor's height that still belong to the floor
_HEAD = 2.0  # metres above the floor that a standing person needs free
PLACE_SIZE = 0.2  # metres, side of a cell of the map of free places
_CLEARANCES = (2, 1, 0)  # cells to furniture and walls; the first that leaves a place is used

_LARGEST_FOOTPRINT = 16  # pixels: half the side of the largest square that a point covers
_EMPTY = np.float32(1e6)  # metres: depth of a pixel that no point covers


@dataclass(frozen=True)
class DepthCamera:
    """A pinhole depth camera whose axis meets the middle of its image.

    The defaults are close to the structured-light sensors of indoor scans (60 by 47 degrees, 0.4 to
    4 m). The resolution is that of the visibility test, not of the points.

    Attributes:
        width: Width of the image, pixels.
        height: Height of the image, pixels.
        field_of_view: Horizontal field of view, degrees.
        nearest: Smallest measured depth, metres.
        farthest: Largest measured depth, metres.
    """

    width: int = 160
    height: int = 120
    field_of_view: float = 60.0
    nearest: float = 0.4
    farthest: float = 4.0

    @property
    def focal(self) -> float:
        """Focal length, pixels."""
        return self.width / 2 / float(np.tan(np.radians(self.field_of_view) / 2))


def visible_rows(
    points: NDArray[np.float32],
    world_from_camera: NDArray[np.float64],
    spacing: float,
    camera: DepthCamera,
) -> NDArray[np.int64]:
    """Find the points of a scan that a camera sees.

    Uses a z-buffer in which each point covers a square as wide as ``spacing``. A point is visible
    if it is not behind the nearest surface of its pixel by more than the slope of that surface
    explains within the square: a floor at a grazing angle spans 10 cm of depth in one pixel.

    Args:
        points: (N, 3) points on surfaces, world metres.
        world_from_camera: (4, 4) float64 rigid transform; x right, y down, z forward.
        spacing: Distance between neighbouring points on a surface, metres. If it is too small, the
            camera sees through surfaces; if it is too large, a rim of the background is lost along
            outlines.
        camera: Image and range of the camera.

    Returns:
        (M,) rows of ``points``, ascending.
    """
    rows, pixels, depths = _project(points, world_from_camera, camera)
    if not len(rows):
        return rows
    # 0.71 of the spacing is half the diagonal of the square between four points.
    reach = np.ceil(0.71 * spacing * camera.focal / depths - 0.5).astype(np.int64)
    reach = np.clip(reach, 0, _LARGEST_FOOTPRINT)
    front = _front(pixels, depths, reach, camera)
    slope = _slope(front).ravel()[pixels]
    allowed = 0.02 + 0.5 * spacing + (reach + 1) * slope
    behind = depths - front.ravel()[pixels]
    # The bound excludes points far behind a thin object, such as the leg of a chair.
    return rows[behind <= np.minimum(allowed, 0.05 + 0.05 * depths)]


def _project(
    points: NDArray[np.float32], world_from_camera: NDArray[np.float64], camera: DepthCamera
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the rows of the points in the image and range, their flat pixels and depths."""
    x, y, z, position = world_from_camera.T[:, :3].astype(np.float32)
    # Depth first: few points of a scan are in range.
    depths = _along(points, z) - z @ position
    rows = np.flatnonzero((depths >= camera.nearest) & (depths <= camera.farthest))
    near, depths = np.take(points, rows, axis=0), depths[rows]
    scale = np.float32(camera.focal) / depths
    columns = (_along(near, x) - x @ position) * scale + np.float32(camera.width / 2)
    lines = (_along(near, y) - y @ position) * scale + np.float32(camera.height / 2)
    columns, lines = (np.floor(each).astype(np.int64) for each in (columns, lines))
    within = (columns >= 0) & (columns < camera.width) & (lines >= 0) & (lines < camera.height)
    return rows[within], (lines * camera.width + columns)[within], depths[within]


def _along(points: NDArray[np.float32], axis: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute ``points @ axis`` without BLAS, whose threads only slow each other down here."""
    return points[:, 0] * axis[0] + points[:, 1] * axis[1] + points[:, 2] * axis[2]


def _front(
    pixels: NDArray[np.int64],
    depths: NDArray[np.float32],
    reach: NDArray[np.int64],
    camera: DepthCamera,
) -> NDArray[np.float32]:
    """Return the nearest depth in each pixel, (H, W) float32; points cover squares."""
    from scipy import ndimage  # a fifth of a second to import

    front = np.full((camera.height, camera.width), _EMPTY, np.float32)
    for size in np.flatnonzero(np.bincount(reach)).tolist():  # at most 17 sizes
        same = reach == size
        layer = np.full(front.size, _EMPTY, np.float32)
        np.minimum.at(layer, pixels[same], depths[same])
        layer = layer.reshape(front.shape)
        if size:
            layer = ndimage.minimum_filter(layer, 2 * size + 1, mode="constant", cval=float(_EMPTY))
        np.minimum(front, layer, out=front)
    return front


def _slope(front: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the change of depth to the next pixel, summed over both axes, (H, W), metres.

    Along each axis the smaller of the two steps counts: at an outline, only one of them leads to
    another surface.
    """
    total = np.zeros_like(front)
    for axis in (0, 1):
        step = np.abs(np.diff(front, axis=axis))
        edge = [(0, 0), (0, 0)]
        edge[axis] = (1, 0)
        before = np.pad(step, edge, constant_values=_EMPTY)
        edge[axis] = (0, 1)
        after = np.pad(step, edge, constant_values=_EMPTY)
        total += np.minimum(before, after)
    return total


def pose_towards(
    position: NDArray[np.float64], target: NDArray[np.float64], up: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the pose of an upright camera that looks at a point.

    Args:
        position: (3,) position of the camera, world metres.
        target: (3,) world metres, not exactly above or below ``position``.
        up: (3,) unit vector, the up direction.

    Returns:
        (4, 4) float64 ``world_from_camera``; x right, y down, z forward.
    """
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = position
    return pose


def free_places(
    points: NDArray[np.float32], up: NDArray[np.float64], floor_height: float
) -> NDArray[np.float64]:
    """Find places on the floor where a person could stand.

    In a map of 20 cm cells, a free place has floor below it and nothing between 0.3 and 2 m above
    it, nor within 0.4 m around (less if the scan has no such place). In a building, only the lowest
    storey counts.

    Args:
        points: (N, 3) points of the scan, world metres, at most 10 cm apart on its surfaces.
        up: (3,) unit vector, the up direction.
        floor_height: Height of the floor along ``up``, metres.

    Returns:
        (K, 3) float64 world metres on the floor, the centres of the free cells; K may be 0.
    """
    from scipy import ndimage

    upright = rotation_between(up, np.array([0.0, 0.0, 1.0]))  # z-up from world
    local = points @ upright.T.astype(np.float32)
    above = local[:, 2] - np.float32(floor_height)
    corner = local[:, :2].min(axis=0) - PLACE_SIZE
    cells = ((local[:, :2] - corner) / np.float32(PLACE_SIZE)).astype(np.int64)
    shape = tuple(cells.max(axis=0) + 2)
    floor, blocked = np.zeros(shape, bool), np.zeros(shape, bool)
    low = np.abs(above) < _FLOOR
    floor[tuple(cells[low].T)] = True
    blocked[tuple(cells[(above >= _FLOOR) & (above < _HEAD)].T)] = True
    # Scans have small holes in their floors: holes of one or two cells are closed.
    floor = ndimage.binary_closing(np.pad(floor, 2), np.ones((3, 3)))[2:-2, 2:-2]
    free = np.zeros(shape, bool)
    for clearance in _CLEARANCES:
        around = np.ones((2 * clearance + 1, 2 * clearance + 1))
        free = floor & np.logical_not(ndimage.binary_dilation(blocked, around))
        if free.any():
            break
    flat = (np.argwhere(free) + 0.5) * PLACE_SIZE + corner
    on_floor = np.column_stack([flat, np.full(len(flat), floor_height)])
    return on_floor @ upright
