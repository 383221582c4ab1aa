"""From the points of a scan to the cloud that a benchmark's networks were trained on."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.types import LabelledCloud
from pointcontrast.errors import InputError

_FLOOR_PERCENTILE = 1.0
"""Of the points' heights; a few points lie below the floor (reflections, noise)."""
_MAX_FLOOR_POINTS = 20_000


@dataclass(frozen=True, kw_only=True)
class CloudPreparation:
    """What a benchmark does to points before they are voxelised. A network's file holds it.

    Attributes:
        num_points: Points drawn at random from a larger cloud; None for all.
        unit_sphere: Whether the mean is moved to the origin and the farthest point to distance 1.
        has_time: Whether points belong to frames of a clip.
    """

    num_points: int | None = None
    unit_sphere: bool = False
    has_time: bool = False

    def cloud(
        self,
        name: str,
        points: NDArray[Any],
        *,
        colors: NDArray[Any] | None = None,
        normals: NDArray[Any] | None = None,
        time: NDArray[Any] | None = None,
        category: int | None = None,
    ) -> LabelledCloud:
        """Prepare a scan of which nothing else is known, as the benchmark prepares its own.

        Args:
            name: Name for messages and pictures. Where points are drawn at random, the name
                determines which.
            points: (N, 3) metres (shapes: any unit), z up.
            colors: (N, 3) RGB in 0..255, or None.
            normals: (N, 3) unit vectors, or None.
            time: (N,) frame numbers; None where all points are of one frame.
            category: Category of a whole shape, a row of the task's ``category_names``.

        Returns:
            The cloud. It has fewer than N points where ``num_points`` are drawn.

        Raises:
            InputError: there is no point, or the arrays differ in length.
        """
        places = np.asarray(points, dtype=np.float32)
        if places.ndim != 2 or places.shape[1] != 3 or not len(places):
            raise InputError(f"{name}: points have the shape {places.shape}, not (N, 3) with N > 0")
        arrays = {
            "colors": None if colors is None else np.asarray(colors, dtype=np.float32),
            "normals": None if normals is None else np.asarray(normals, dtype=np.float32),
            "time": None if time is None else np.asarray(time, dtype=np.int32),
        }
        if self.has_time and time is None:
            arrays["time"] = np.zeros(len(places), np.int32)
        for what, array in arrays.items():
            wanted = (len(places),) if what == "time" else places.shape
            if array is not None and array.shape != wanted:
                raise InputError(f"{name}: {what} have the shape {array.shape}, not {wanted}")
        rows = self.rows(name, len(places))
        arrays = {what: None if array is None else array[rows] for what, array in arrays.items()}
        places = unit_sphere(places[rows]) if self.unit_sphere else places[rows]
        floor = float(places[:, 2].min()) if self.unit_sphere else floor_height(places)
        return LabelledCloud(
            name=name, points=places, floor_height=floor, category=category, **arrays
        )

    def rows(self, name: str, num_points: int) -> NDArray[np.int64] | slice:
        """Rows of the points of a scan that :meth:`cloud` keeps, ascending."""
        return drawn_rows(num_points, self.num_points, scan_generator(name))


def scan_generator(name: str) -> np.random.Generator:
    """The generator that draws the points of a cloud outside training: always the same."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def drawn_rows(
    num_points: int, count: int | None, rng: np.random.Generator
) -> NDArray[np.int64] | slice:
    """Ascending rows of ``count`` of ``num_points`` points; all where there are no more."""
    if count is None or num_points <= count:
        return slice(None)
    return np.sort(rng.choice(num_points, count, replace=False))


def floor_height(points: NDArray[np.float32]) -> float:
    """Height z of the floor below points (N, 3): their first percentile."""
    heights = points[:: max(1, len(points) // _MAX_FLOOR_POINTS), 2]
    return float(np.percentile(heights, _FLOOR_PERCENTILE))


def unit_sphere(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move (N, 3) points to mean 0 and scale them to largest norm 1; one place stays as it is."""
    centred = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)
    radius = np.linalg.norm(centred, axis=1).max()
    return centred / radius if radius > 0 else centred
