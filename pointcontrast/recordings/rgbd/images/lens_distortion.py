"""Removal of lens distortion from depth and colour images.

Every other module takes pinhole cameras. Each pixel of the pinhole image looks up the pixel of the
recorded image that saw its direction; depth along the axis of the camera stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from math import isfinite
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import pixel_rays

_Image = TypeVar("_Image", NDArray[np.float32], NDArray[np.uint8])


@dataclass(frozen=True)
class LensDistortion:
    """Radial and tangential distortion (Brown-Conrady), as OpenCV and nerfstudio name them.

    Convention:
        A direction (x, y, 1) with r^2 = x^2 + y^2 is seen where a pinhole camera would see
        x' = x f + 2 p1 x y + p2 (r^2 + 2 x^2), y' = y f + p1 (r^2 + 2 y^2) + 2 p2 x y, with
        f = 1 + k1 r^2 + k2 r^4 + k3 r^6 + k4 r^8. (OpenCV's own k4 is another term; files that
        have all four are nerfstudio's.)
    """

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0

    @classmethod
    def of(cls, coefficients: Mapping[str, Any]) -> LensDistortion | None:
        """Make a distortion of the coefficients with these names; None if all are 0 or absent.

        Raises:
            ValueError: One is not a finite number.
        """
        names = cls.__dataclass_fields__
        values = {name: float(coefficients.get(name) or 0.0) for name in names}
        if not all(map(isfinite, values.values())):
            raise ValueError("a coefficient of lens distortion is not finite")
        return cls(**values) if any(values.values()) else None

    def pixels(
        self, intrinsics: NDArray[np.float64], size: tuple[int, int], where: str
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_], float]:
        """Return the pixel of the recorded image that each pinhole pixel takes.

        Args:
            intrinsics: (3, 3) pinhole matrix, pixels.
            size: (width, height) of both images, pixels.
            where: File of the coefficients, the first words of an error message.

        Returns:
            (H, W) rows of the flat recorded image, (H, W) mask of the pixels that lie outside of
            it, and the largest displacement of a pixel inside.

        Raises:
            InputError: The distortion folds the image: its coefficients belong to another camera
                or another model.
        """
        width, height = size
        rays = pixel_rays(height, width, intrinsics)
        x, y = rays[..., 0], rays[..., 1]
        squared = x**2 + y**2
        k1, k2, p1, p2, k3, k4 = astuple(self)
        radial = 1 + squared * (k1 + squared * (k2 + squared * (k3 + squared * k4)))
        growth = 1 + squared * (3 * k1 + squared * (5 * k2 + squared * (7 * k3 + squared * 9 * k4)))
        if growth.min() <= 0:
            raise InputError(
                f"{where}: its lens distortion {self.stated} folds the image; the coefficients "
                "belong to another camera model. Undistort the images, and set them to 0"
            )
        seen = np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (squared + 2 * x**2),
                y * radial + p1 * (squared + 2 * y**2) + 2 * p2 * x * y,
                np.ones_like(x),
            ],
            axis=-1,
        )
        recorded = (seen @ intrinsics.T)[..., :2]
        columns, rows = np.moveaxis(np.rint(recorded).astype(np.intp), -1, 0)
        outside = (columns < 0) | (columns >= width) | (rows < 0) | (rows >= height)
        moved = np.linalg.norm(recorded - (rays @ intrinsics.T)[..., :2], axis=-1)
        largest = float(moved[~outside].max(initial=0.0))
        return np.where(outside, 0, rows * width + columns), outside, largest

    @property
    def stated(self) -> str:
        """The coefficients that are not 0, for messages."""
        named = zip(self.__dataclass_fields__, astuple(self), strict=True)
        return ", ".join(f"{name} {value:g}" for name, value in named if value)


def look_up(image: _Image, pixels: NDArray[np.intp], outside: NDArray[np.bool_]) -> _Image:
    """Return the (H, W) or (H, W, C) image without distortion; 0 where it was not recorded."""
    taken = image.reshape(-1, *image.shape[2:])[pixels]
    taken[outside] = 0
    return taken
