"""A posed depth image as a cloud of points.

Follows the authors' ``point_cloud_extractor.py``: zeros are dropped, every pixel is back-projected
at the full depth resolution and moved by the camera pose. Colours and normals are additions. They
are computed for selected points only: a training pair keeps one point in thirty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.compiled.depth import (
    depth_bounds,
    depth_sums,
    load_depth_kernels,
    unproject_to_world,
    voxelize_depth,
)
from pointcontrast.scenes.depth.normals import depth_normals
from pointcontrast.types import PointCloud
from pointcontrast.voxelize import voxel_box, voxelize


class DepthCloud:
    """The points of one depth image; a :class:`~pointcontrast.types.Cloud`.

    Attributes:
        millimetres: (H, W) uint16 depth along the optical axis, 0 where there is no point.
        intrinsics: (3, 3) float64 pinhole matrix, pixels.
        world_from_camera: (4, 4) float64 rigid transform, metres.
    """

    def __init__(
        self,
        millimetres: NDArray[np.uint16],
        intrinsics: NDArray[np.float64],
        world_from_camera: NDArray[np.float64],
        *,
        color: Callable[[], NDArray[np.uint8]] | None = None,
        normals: bool = True,
    ) -> None:
        """Keep the arguments; nothing is computed.

        Args:
            millimetres: (H, W) uint16, contiguous, not all 0; not copied.
            intrinsics: (3, 3) float64 pinhole matrix, pixels.
            world_from_camera: (4, 4) float64 rigid transform, metres.
            color: Function that returns the (H, W, 3) uint8 image registered to the depth, called
                on first use. None: the points have no colours.
            normals: Whether selected points have normals.
        """
        self.millimetres = millimetres
        self.intrinsics = intrinsics
        self.world_from_camera = world_from_camera
        self._read_color = color
        self._with_normals = normals
        self._points: NDArray[np.float32] | None = None
        self._color: NDArray[np.uint8] | None = None

    @property
    def points(self) -> NDArray[np.float32]:
        """(N, 3) float32 world metres, in the order of the pixels, row by row."""
        points = self._points
        if points is None:
            points = self._points = unproject(self.millimetres, self._world_from_pixels()).T
        return points

    @property
    def color(self) -> NDArray[np.uint8] | None:
        """(H, W, 3) uint8 RGB registered to the depth, or None."""
        if self._color is None and self._read_color is not None:
            self._color = self._read_color()
        return self._color

    def __len__(self) -> int:
        """Return the number of points."""
        return int(np.count_nonzero(self.millimetres))

    def __getitem__(self, rows: NDArray[Any] | slice) -> PointCloud:
        """Select points by indices, a mask or a slice, with colours and normals."""
        return self.at(np.flatnonzero(self.millimetres)[rows])

    def at(self, pixels: NDArray[np.integer[Any]]) -> PointCloud:
        """Return the points of some pixels, with colours and normals.

        A normal is 0 0 0 where it cannot be estimated (isolated pixels, edges).

        Args:
            pixels: (N,) flat indices of pixels with depth, row by row.
        """
        normals = None
        if self._with_normals:
            turn = self.world_from_camera[:3, :3].T.astype(np.float32)
            normals = depth_normals(self.millimetres, self.intrinsics, pixels) @ turn
        rows, columns = np.divmod(pixels, self.millimetres.shape[1])
        depth = self.millimetres.ravel()[pixels]
        points = _points(self._world_from_pixels(), columns, rows, depth)
        return PointCloud(
            points=np.ascontiguousarray(points.T),
            colors=None if self.color is None else self.color.reshape(-1, 3)[pixels],
            normals=normals,
        )

    def voxelize(
        self, rotation: NDArray[np.float64], voxel_size: float
    ) -> tuple[PointCloud, NDArray[np.int32]]:
        """Rotate the points about their mean and keep one per voxel, the first in the image.

        The mean moves to the origin. The rotated points are never all in memory, which is twice
        as fast as :func:`pointcontrast.voxelize.voxelize` on all of them.

        Args:
            rotation: (3, 3) float64.
            voxel_size: Side of a voxel, metres.

        Returns:
            The points that are kept, not rotated, and their voxels, (M, 3) int32, unique.
        """
        world = self._world_from_pixels()
        mean = world @ np.append(self._sums() / len(self), 1)
        turned = np.column_stack([rotation @ world[:, :3], rotation @ (world[:, 3] - mean)])
        pixels, coordinates = voxelize_pixels(self.millimetres, turned, voxel_size)
        return self.at(pixels), coordinates

    def _world_from_pixels(self) -> NDArray[np.float64]:
        """Return the (3, 4) map from (u z, v z, z, 1) to the world: column u, row v, z in mm."""
        rays = 0.001 * self.world_from_camera[:3, :3] @ np.linalg.inv(self.intrinsics)
        return np.column_stack([rays, self.world_from_camera[:3, 3]])

    def _sums(self) -> NDArray[np.int64]:
        library = load_depth_kernels()
        if library is not None:
            return depth_sums(library, self.millimetres)
        height, width = self.millimetres.shape
        rows, columns = (self.millimetres.sum(axis, dtype=np.int64) for axis in (1, 0))
        return np.array([columns @ np.arange(width), rows @ np.arange(height), rows.sum()])


def unproject(
    millimetres: NDArray[np.uint16], dst_from_pixels: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Back-project a depth image.

    Convention:
        ``dst_from_pixels @ (u z, v z, z, 1)`` with column u and row v of the pixel. The matrix is
        rounded to float32 first: the error is a micrometre at 10 m, where sensors resolve
        millimetres.

    Args:
        millimetres: (H, W) uint16, 0 where there is no point.
        dst_from_pixels: (3, 4) float64.

    Returns:
        (3, N) float32 points in the order of the pixels.
    """
    library = load_depth_kernels()
    if library is not None:
        matrix = dst_from_pixels.astype(np.float32)
        count = int(np.count_nonzero(millimetres))
        return unproject_to_world(library, millimetres, matrix, count)
    rows, columns = np.nonzero(millimetres)
    return _points(dst_from_pixels, columns, rows, millimetres[rows, columns])


def voxelize_pixels(
    millimetres: NDArray[np.uint16], dst_from_pixels: NDArray[np.float64], voxel_size: float
) -> tuple[NDArray[np.integer[Any]], NDArray[np.int32]]:
    """Keep one point of a depth image per voxel, the first in the order of the pixels.

    Args:
        millimetres: (H, W) uint16, 0 where there is no point.
        dst_from_pixels: (3, 4) float64, as in :func:`unproject`.
        voxel_size: Side of a voxel, metres.

    Returns:
        The flat indices of the pixels that are kept, (M,), ascending, and their voxels, (M, 3)
        int32.
    """
    library = load_depth_kernels()
    if library is None:
        rows, coordinates = voxelize(unproject(millimetres, dst_from_pixels).T, voxel_size)
        return np.flatnonzero(millimetres)[rows], coordinates
    matrix = dst_from_pixels.astype(np.float32)
    low, high = depth_bounds(library, millimetres, matrix)
    box = voxel_box(low, high, voxel_size, millimetres.size)
    return voxelize_depth(library, millimetres, matrix, voxel_size, *box)


def _points(
    dst_from_pixels: NDArray[np.float64],
    columns: NDArray[np.integer[Any]],
    rows: NDArray[np.integer[Any]],
    depth: NDArray[np.uint16],
) -> NDArray[np.float32]:
    """Compute the (3, N) points of some pixels, operation by operation as the kernels do."""
    z, u, v = (array.astype(np.float32) for array in (depth, columns, rows))
    points = np.empty((3, len(z)), np.float32)
    for out, row in zip(points, dst_from_pixels.astype(np.float32), strict=True):
        out[:] = z * (row[0] * u + (row[1] * v + row[2])) + row[3]
    return points
