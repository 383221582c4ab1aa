"""A scene's views on their way to the store, while its size is not known yet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.views import SkippedFrame, View

MIN_SCALE = 0.001
_INT16_MAX = 32767


class ViewSpill:
    """Takes in views of a scene whose size is not known yet.

    Points go to a temporary float32 file, because the int16 scale is known only at the end;
    colours and normals go to headless files of their final type.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frame_ids: list[str] = []
        self.poses: list[NDArray[np.float64]] = []
        self.num_points: list[int] = []
        self.low = np.full(3, np.inf)
        self.high = np.full(3, -np.inf)
        self._centers: list[NDArray[np.float64]] = []
        self._optional: tuple[bool, bool] | None = None
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> ViewSpill:
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self._files.values():
            file.close()

    def take(self, views: Iterable[View | SkippedFrame]) -> list[SkippedFrame]:
        """Spill the views; return the frames that were skipped."""
        skipped = []
        for view in views:
            if isinstance(view, SkippedFrame):
                skipped.append(view)
            else:
                self._add(view)
        return skipped

    def _add(self, view: View) -> None:
        cloud = view.cloud
        optional = (cloud.colors is not None, cloud.normals is not None)
        if self._optional not in (None, optional):
            raise InputError(
                f"{view.frame_id}: some frames of this scene have colours (or normals) and some "
                "have none; prepare them as scenes of their own"
            )
        self._optional = optional
        self.frame_ids.append(view.frame_id)
        self.poses.append(view.world_from_camera)
        self.num_points.append(len(cloud))
        low, high = cloud.points.min(axis=0), cloud.points.max(axis=0)
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        self._centers.append((low.astype(np.float64) + high) / 2)
        self._write("points", cloud.points.astype(np.float32))
        if cloud.colors is not None:
            self._write("colors", cloud.colors)
        if cloud.normals is not None:
            self._write("normals", np.rint(cloud.normals * 127).astype(np.int8))

    def _write(self, name: str, array: NDArray[Any]) -> None:
        if name not in self._files:
            self._files[name] = open(self.folder / f"{name}.spill", "wb")  # noqa: SIM115
        self._files[name].write(np.ascontiguousarray(array).data)

    def names(self) -> list[str]:
        """Which of points, colors and normals there are."""
        return list(self._files)

    def read(self, name: str, dtype: type) -> Iterable[NDArray[Any]]:
        """The arrays of one kind again, view by view; the temporary file is gone afterwards."""
        path = self.folder / f"{name}.spill"
        with open(path, "rb") as file:
            for count in self.num_points:
                yield np.fromfile(file, dtype=dtype, count=3 * count).reshape(-1, 3)
        path.unlink()

    def fit(self, storage_grid: float) -> tuple[NDArray[np.float64], float]:
        """The origin and the scale that hold every point, 1 mm where the scene allows it."""
        origin = np.round((self.low + self.high) / 2, 3)
        reach = float(np.maximum(self.high - origin, origin - self.low).max())
        scale = max(MIN_SCALE, reach / (_INT16_MAX - 1))
        coarsest = max(storage_grid / 2, MIN_SCALE)
        if scale > coarsest:
            centers = np.stack(self._centers)
            distance = np.linalg.norm(centers - np.median(centers, axis=0), axis=1)
            raise InputError(
                f"the scene spans {2 * reach:.0f} m, more than its format holds "
                f"({2 * coarsest * _INT16_MAX:.0f} m at this storage grid); the frame farthest "
                f"off is {self.frame_ids[int(distance.argmax())]}: mend its pose, or split the "
                "scene"
            )
        return origin, scale
