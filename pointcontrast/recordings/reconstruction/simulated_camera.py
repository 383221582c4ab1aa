"""What a depth camera at some place sees of a scan, and places where one can stand.

For scans that come without the frames they were made of: a scan is a set of points on surfaces,
and a camera sees those that no other surface hides. Points have no extent, so each covers a
square as wide as the scan's points are apart (:func:`visible_rows`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointcontrast.geometry import rotation_between

_FLOOR = 0.3  # metres about the floor's height that still are floor
_HEAD = 2.0  # metres above the floor up to which a standing person needs room
PLACE_SIZE = 0.2  # metres, the side of a cell of the map of free places
_CLEARANCES = (2, 1, 0)  # cells kept from furniture and walls: the widest that leaves a place

_LARGEST_FOOTPRINT = 16  # pixels: half the side of the square that a point covers at most
_EMPTY = np.float32(1e6)  # metres: the depth of a pixel that no point covers


@dataclass(frozen=True)
class DepthCamera:
    """A pinhole depth camera whose axis meets the middle of its picture.

    The defaults are near those of the structured-light sensors of indoor scans (60 by 47
    degrees, 0.4 to 4 m); the resolution is that of the test for what hides what, not of points.

    Attributes:
        width: pixels.
        height: pixels.
        field_of_view: horizontal, degrees.
        nearest: smallest depth that is measured, metres.
        farthest: largest depth that is measured, metres.
    """

    width: int = 160
    height: int = 120
    field_of_view: float = 60.0
    nearest: float = 0.4
    farthest: float = 4.0

    @property
    def focal(self) -> float:
        """The focal length, pixels."""
        return self.width / 2 / float(np.tan(np.radians(self.field_of_view) / 2))


def visible_rows(
    points: NDArray[np.float32],
    world_from_camera: NDArray[np.float64],
    spacing: float,
    camera: DepthCamera,
) -> NDArray[np.int64]:
    """The points of a scan that a camera sees.

    A z-buffer in which each point covers a square as wide as ``spacing``. A point is seen if it
    is not behind the nearest surface of its pixel by more than that surface's own slope accounts
    for within the square: on a floor seen at a grazing angle a pixel holds 10 cm of depth.

    Args:
        points: (N, 3) on surfaces, world metres.
        world_from_camera: (4, 4) float64 rigid; x right, y down, z forward.
        spacing: between neighbouring points on a surface, metres. Too small, and one sees
            through surfaces; too large, and outlines lose a rim of what is behind them.
        camera: its picture and range.

    Returns:
        (M,) rows of ``points``, rising.
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
    # The bound keeps what shows between the legs of a chair from being let through.
    return rows[behind <= np.minimum(allowed, 0.05 + 0.05 * depths)]


def _project(
    points: NDArray[np.float32], world_from_camera: NDArray[np.float64], camera: DepthCamera
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Rows of the points within the picture and the range, their pixels (flat) and depths."""
    x, y, z, position = world_from_camera.T[:, :3].astype(np.float32)
    # Depth alone first: it leaves a small part of a scan for the rest.
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
    """``points @ axis`` without BLAS, whose threads only stand in the way of each other here."""
    return points[:, 0] * axis[0] + points[:, 1] * axis[1] + points[:, 2] * axis[2]


def _front(
    pixels: NDArray[np.int64],
    depths: NDArray[np.float32],
    reach: NDArray[np.int64],
    camera: DepthCamera,
) -> NDArray[np.float32]:
    """The nearest depth in each pixel, (H, W) float32, where points cover squares."""
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
    """How much the depth changes from a pixel to the next along both axes, (H, W), metres.

    Of the steps to both neighbours along an axis the smaller counts: at an outline only one of
    them leads to another surface.
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
    """The pose of an upright camera that looks at a point.

    Args:
        position: (3,) world metres.
        target: (3,) world metres, not straight above or below ``position``.
        up: (3,) unit vector.

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
    """Places on the floor where a person could stand.

    A map of 20 cm cells: a place has floor under it and nothing between 0.3 and 2 m above it,
    nor within 0.4 m around (less where the scan leaves no such place). Of a building the lowest
    storey counts only.

    Args:
        points: (N, 3) of the scan, world metres, no farther apart than 10 cm on its surfaces.
        up: (3,) unit vector.
        floor_height: along ``up``, metres.

    Returns:
        (K, 3) float64 world metres, on the floor, the middles of the free cells; K may be 0.
    """
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
    # Scans have holes in their floors; one of a cell or two is no pit.
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
