"""Views: the point clouds of single frames or sweeps, in world metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import sort_by_cell
from pointcontrast.types import Cloud, PointCloud


@dataclass(frozen=True)
class View:
    """The points of one frame or sweep.

    Attributes:
        frame_id: Name of the frame within its scene.
        world_from_camera: (4, 4) float64 pose of the camera or LiDAR, metres.
        cloud: Points in world metres relative to the scene's origin (``recorded_views``), N >= 1:
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
