"""Registration of colour to depth: the colour pixel that each depth pixel sees."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import pixel_rays

_REDUCTIONS = (8, 4, 2, 1)
_MARGIN = 0.02  # of the colour image's sides: beyond the edge, the edge pixel is taken
_SAME_CENTER = 1e-6  # metres

# For each depth pixel, its row in the flat, reduced colour image, and a mask of the pixels without
# one (None if all have one).
_Pixels: TypeAlias = tuple[NDArray[np.intp], NDArray[np.bool_] | None]


@dataclass(frozen=True, eq=False)
class ColorLookup:
    """A colour camera next to a depth camera.

    Convention:
        The centre of the top left pixel is at (0, 0). A point at depth z on the ray r (z = 1) of
        a depth pixel projects to ``color_intrinsics @ (R r + t / z)`` with R, t of
        ``color_from_depth``. If t is 0, this does not depend on the depth, and the map between
        pixels is computed once.

    Each depth pixel takes the colour pixel nearest to its projection. If colour pixels are much
    finer than depth pixels, the colour image is reduced first (:attr:`reduction`), so that the
    colour is the mean over about the area of the depth pixel, not a random sample of it.

    A projection outside the colour image by at most 2 % of its side takes the nearest edge pixel
    (in ScanNet, depth extends a pixel or two farther). Farther outside, and where the projection
    needs a depth that was not measured, the colour is 0 0 0. A surface that only the depth camera
    sees gets the colour of the object that hides it from the colour camera.

    Attributes:
        color_size: (width, height) of the colour image, pixels.
        depth_size: (width, height) of the depth image, pixels.
        color_intrinsics: (3, 3) float64 pinhole matrix, pixels.
        depth_intrinsics: (3, 3) float64 pinhole matrix, pixels.
        color_from_depth: (4, 4) float64 rigid transform between the cameras, metres.
    """

    color_size: tuple[int, int]
    depth_size: tuple[int, int]
    color_intrinsics: NDArray[np.float64]
    depth_intrinsics: NDArray[np.float64]
    color_from_depth: NDArray[np.float64]

    @cached_property
    def reduction(self) -> int:
        """Factor by which the colour image is reduced before the lookup: 1, 2, 4 or 8.

        It is the largest one that leaves a colour pixel at most a tenth wider than a depth pixel.
        """
        focal = np.diag(self.color_intrinsics)[:2] / np.diag(self.depth_intrinsics)[:2]
        most = min(1.1 * float(focal.min()), *self.color_size)
        return next((step for step in _REDUCTIONS if step <= most), 1)

    def register(self, color: NDArray[np.uint8], depth: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Look up the colour of each depth pixel.

        Args:
            color: (ceil(height / reduction), ceil(width / reduction), 3) uint8 reduced colour
                image.
            depth: (H, W) float32 metres, 0 where there is no measurement.

        Returns:
            (H, W, 3) uint8.
        """
        pixels, outside = self._fixed_pixels if self._is_fixed else self._pixels(depth)
        registered = color.reshape(-1, 3).take(pixels, axis=0)
        if outside is not None:
            registered[outside] = 0
        return registered

    @property
    def _is_fixed(self) -> bool:
        return float(np.abs(self.color_from_depth[:3, 3]).max()) < _SAME_CENTER

    def __getstate__(self) -> dict[str, Any]:
        # Without the maps: a process computes its own faster than it receives them.
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @cached_property
    def _fixed_pixels(self) -> _Pixels:
        return self._nearest(*self._directions())

    @cached_property
    def _kept_directions(self) -> NDArray[np.float32]:
        return self._directions().astype(np.float32)  # accurate to 1e-4 pixels

    def _directions(self) -> NDArray[np.float64]:
        """Compute the part of the projections that does not depend on the depth, (3, H, W)."""
        width, height = self.depth_size
        rays = pixel_rays(height, width, self.depth_intrinsics)
        projected = rays @ (self.color_intrinsics @ self.color_from_depth[:3, :3]).T
        return np.ascontiguousarray(np.moveaxis(projected, -1, 0))

    def _pixels(self, depth: NDArray[np.float32]) -> _Pixels:
        measured = depth > 0
        inverse = np.divide(1, depth, where=measured, out=np.zeros_like(depth))
        shift = (self.color_intrinsics @ self.color_from_depth[:3, 3]).astype(np.float32)
        x, y, z = (
            directions + step * inverse
            for directions, step in zip(self._kept_directions, shift, strict=True)
        )
        z[~measured] = 0
        return self._nearest(x, y, z)

    def _nearest(self, x: NDArray, y: NDArray, z: NDArray) -> _Pixels:
        """Return the colour pixels nearest to the projections (x / z, y / z); none where z <= 0."""
        outside = z <= 0
        rows = np.zeros(z.shape, np.intp)
        safe = np.where(outside, 1, z)
        for projected, size in ((y, self.color_size[1]), (x, self.color_size[0])):
            corner = projected / safe + 0.5  # 0 at the edge, for any reduction
            margin = _MARGIN * size
            outside |= (corner < -margin) | (corner > size + margin)
            # Clipped before the conversion to an integer, which could overflow.
            cell = np.clip(corner, 0, size - 0.5) / self.reduction
            rows *= -(-size // self.reduction)
            rows += cell.astype(np.intp)
        return rows, outside if outside.any() else None
