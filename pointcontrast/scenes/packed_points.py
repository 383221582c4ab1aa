"""Views stored as points, thinned to a grid: LiDAR sweeps, parts of a reconstruction.

Files, with N points in V views:
    ``points.npy``   (N, 3) int16; metres = the view's origin + the view's scale * value
    ``offsets.npy``  (V+1,) int64; view i has the rows offsets[i] : offsets[i + 1]
    ``colors.npy``   (N, 3) uint8 RGB, optional
    ``normals.npy``  (N, 3) int8, optional; round(127 * unit vector), 0 0 0 where unknown

Index in ``meta.json``, one entry per view:
    ``origins``      x, y, z of the value 0 0 0, world metres
    ``scales``       metres per unit; a millimetre, or more for a view wider than 65 m
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.growing_array import GrowingArray
from pointcontrast.scenes.views import View, thin
from pointcontrast.types import Cloud, PointCloud

MIN_SCALE = 0.001
_INT16_MAX = 32767
_DTYPES = {"points": np.int16, "offsets": np.int64, "colors": np.uint8, "normals": np.int8}


class PointWriter:
    """Appends views to the files of a store of points."""

    def __init__(self, folder: Path, storage_grid: float) -> None:
        """Start a store.

        Args:
            folder: Folder to write into.
            storage_grid: Points are thinned to one per cell of this side, metres; 0 keeps all.
        """
        self._folder = folder
        self._storage_grid = storage_grid
        self._arrays: dict[str, GrowingArray] = {}
        self._num_points: list[int] = []
        self._origins: list[list[float]] = []
        self._scales: list[float] = []

    def add(self, view: View) -> int:
        """Append a view and return its number of points.

        Raises:
            InputError: Some views have colours or normals, and some do not.
        """
        grid = self._storage_grid
        cloud = thin(view.cloud, grid) if grid else view.cloud[:]
        low, high = cloud.points.min(axis=0), cloud.points.max(axis=0)
        origin = np.round((low.astype(np.float64) + high) / 2, 3)
        reach = float(np.abs(np.stack([low, high]) - origin).max())
        scale = max(MIN_SCALE, reach / _INT16_MAX * (1 + 1e-6))
        arrays: dict[str, NDArray[Any]] = {
            "points": np.rint((cloud.points - origin) / scale).astype(np.int16)
        }
        if cloud.colors is not None:
            arrays["colors"] = cloud.colors
        if cloud.normals is not None:
            arrays["normals"] = np.rint(127 * cloud.normals).astype(np.int8)
        if self._num_points and set(arrays) != set(self._arrays):
            raise InputError(
                f"{view.frame_id}: some frames of the scene have colour or normals, some do not"
            )
        for name, array in arrays.items():
            if name not in self._arrays:
                path = self._folder / f"{name}.npy"
                self._arrays[name] = GrowingArray(path, _DTYPES[name], (3,))
            self._arrays[name].append(array)
        self._num_points.append(len(cloud))
        self._origins.append(origin.tolist())
        self._scales.append(scale)
        return len(cloud)

    def finish(self) -> dict[str, Any]:
        """Complete the files and return their index for ``meta.json``."""
        self.close()
        offsets = np.concatenate([[0], np.cumsum(self._num_points)]).astype(np.int64)
        np.save(self._folder / "offsets.npy", offsets)
        return {"origins": self._origins, "scales": self._scales}

    def close(self) -> None:
        """Close the files, also after an error."""
        for array in self._arrays.values():
            array.close()


class PointReader:
    """Reads the views that a :class:`PointWriter` wrote."""

    def __init__(self, folder: Path, content: dict[str, Any], num_points: tuple[int, ...]) -> None:
        """Map the files of a store into memory; no point is read.

        Args:
            folder: Folder of the store.
            content: Index of the files, from ``meta.json``.
            num_points: Number of points of each view.

        Raises:
            ValueError: The index is incomplete or disagrees with the files.
        """
        num_views = len(num_points)
        self._origins = np.array(content["origins"], np.float32).reshape(num_views, 3)
        self._scales = np.array(content["scales"], np.float32).reshape(num_views)
        self._offsets = _load(folder, "offsets", (num_views + 1,))
        if self._offsets[0] != 0 or not np.array_equal(np.diff(self._offsets), num_points):
            raise ValueError("offsets.npy disagrees with meta.json")
        shape = (int(self._offsets[-1]), 3)
        self._points = _load(folder, "points", shape)
        self._optional = {
            name: _load(folder, name, shape)
            for name in ("colors", "normals")
            if (folder / f"{name}.npy").exists()
        }

    def read(
        self, index: int, world_from_camera: NDArray[np.float64], *, colors: bool, normals: bool
    ) -> Cloud:
        """Read view ``index``; the pose is part of the signature of all readers and unused."""
        rows = slice(int(self._offsets[index]), int(self._offsets[index + 1]))
        points = np.multiply(self._points[rows], self._scales[index], dtype=np.float32)
        for axis in range(3):  # three times faster than broadcasting over rows of three
            points[:, axis] += self._origins[index, axis]
        cloud = PointCloud(points)
        if colors and "colors" in self._optional:
            cloud = replace(cloud, colors=np.array(self._optional["colors"][rows]))
        if normals and "normals" in self._optional:
            cloud = replace(cloud, normals=_unpack_normals(self._optional["normals"][rows]))
        return cloud


def _load(folder: Path, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    array = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    if array.shape != shape or array.dtype != _DTYPES[name]:
        raise ValueError(
            f"{name}.npy holds {array.dtype} {array.shape}, not {np.dtype(_DTYPES[name])} {shape}"
        )
    return array.view(np.ndarray)  # a plain array is faster to slice than a memmap


def _unpack_normals(packed: NDArray[np.int8]) -> NDArray[np.float32]:
    normals = packed.astype(np.float32)
    squared = normals[:, 0] ** 2 + normals[:, 1] ** 2 + normals[:, 2] ** 2
    normals /= np.sqrt(np.maximum(squared, 1))[:, None]  # 0 0 0 stays
    return normals
