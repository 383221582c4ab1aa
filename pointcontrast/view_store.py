"""The packed view store: all views of one scene in one folder, read by memory map.

Format (version 1), N points in V views:
    ``points.npy``   (N, 3) int16; metres = origin + scale * value
    ``offsets.npy``  (V+1,) int64; view i owns rows offsets[i] : offsets[i + 1]
    ``colors.npy``   (N, 3) uint8 RGB, optional
    ``normals.npy``  (N, 3) int8, optional; round(127 * unit vector), 0 0 0 where unknown
    ``meta.json``    everything else (:class:`~pointcontrast.scene_meta.SceneMeta`), written last

The authors keep one ``.npz`` of full-resolution float64 points per view.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_folder
from pointcontrast.scene_meta import FORMAT_VERSION, REDO, SceneMeta, read_meta, write_meta
from pointcontrast.types import PointCloud
from pointcontrast.up_direction import estimate_up, given_up
from pointcontrast.view_spill import ViewSpill
from pointcontrast.views import SkippedFrame, View

_SAMPLE = 1_000_000  # points looked at for the up direction and the floor
_DTYPES = {"points": np.int16, "offsets": np.int64, "colors": np.uint8, "normals": np.int8}


class ViewStore(Sequence[PointCloud]):
    """The views of one scene; opening reads no points, and workers may share it by pickling."""

    def __init__(self, path: Path) -> None:
        """Open the store in folder ``path``.

        Raises:
            InputError: no store there, or one that is half written, damaged or too new; the
                message names the file.
        """
        self.path = path
        self.meta = read_meta(path)
        self._check_sizes()
        self._offsets = self._load("offsets", (len(self.meta.frame_ids) + 1,))
        counts = np.diff(self._offsets)
        if self._offsets[0] != 0 or not np.array_equal(counts, self.meta.num_points):
            raise InputError(f"{path / 'offsets.npy'} disagrees with meta.json; {REDO}")
        shape = (int(self._offsets[-1]), 3)
        self._points = self._load("points", shape)
        self._colors = self._load("colors", shape) if "colors.npy" in self.meta.files else None
        self._normals = self._load("normals", shape) if "normals.npy" in self.meta.files else None
        self._origin = self.meta.origin.astype(np.float32)
        self._scale = np.float32(self.meta.scale)

    def __len__(self) -> int:
        """The number of views."""
        return len(self.meta.frame_ids)

    @overload
    def __getitem__(self, index: int) -> PointCloud: ...
    @overload
    def __getitem__(self, index: slice) -> list[PointCloud]: ...
    def __getitem__(self, index: int | slice) -> PointCloud | list[PointCloud]:
        """View ``index`` with all that is stored of it; see :meth:`read`."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.read(index)

    def read(self, index: int, *, colors: bool = True, normals: bool = True) -> PointCloud:
        """View ``index`` as float32 world metres, in memory of its own.

        Args:
            index: of the view; negative ones count from the end.
            colors: also read the colours, where there are any.
            normals: also read the normals, where there are any.
        """
        index = range(len(self))[index]  # negative indices, and IndexError past the end
        rows = slice(int(self._offsets[index]), int(self._offsets[index + 1]))
        points = np.multiply(self._points[rows], self._scale, dtype=np.float32)
        for axis in range(3):  # three times as fast as broadcasting over rows of three
            points[:, axis] += self._origin[axis]
        return PointCloud(
            points=points,
            colors=np.array(self._colors[rows]) if colors and self._colors is not None else None,
            normals=(
                _unpack_normals(self._normals[rows])
                if normals and self._normals is not None
                else None
            ),
        )

    def verify(self) -> None:
        """Read every byte and hold it against the checksums.

        Raises:
            InputError: a file differs from what was written.
        """
        for name, facts in self.meta.files.items():
            if _sha256(self.path / name) != facts["sha256"]:
                raise InputError(f"{self.path / name} is damaged (its checksum differs); {REDO}")

    def __reduce__(self) -> tuple[type[ViewStore], tuple[Path]]:
        """Pickle the path only: a memory map would be pickled with all its points."""
        return ViewStore, (self.path,)

    def _check_sizes(self) -> None:
        for name, facts in self.meta.files.items():
            path = self.path / name
            if not path.exists():
                raise InputError(f"{path} is missing; {REDO}")
            if path.stat().st_size != facts["bytes"]:
                raise InputError(
                    f"{path} is damaged: it has {path.stat().st_size} bytes, not "
                    f"{facts['bytes']}; {REDO}"
                )

    def _load(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        path = self.path / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise InputError(f"{path} is missing or damaged ({error}); {REDO}") from None
        if array.shape != shape or array.dtype != _DTYPES[name]:
            raise InputError(
                f"{path} holds {array.dtype} {array.shape}, not {np.dtype(_DTYPES[name])} "
                f"{shape}; {REDO}"
            )
        return array.view(np.ndarray)  # a plain array is quicker to slice than a memmap


def write_view_store(
    path: Path,
    views: Iterable[View | SkippedFrame],
    *,
    source: dict[str, str],
    storage_grid: float,
    settings: dict[str, Any] | None = None,
    up: ArrayLike | None = None,
    up_how: str = "given",
) -> SceneMeta:
    """Write the views of one scene; the folder is there whole or not at all.

    One view at a time is in memory.

    Args:
        path: the folder; an older one is replaced.
        views: the views in order, and the frames that were skipped.
        source: layout and place of the frames, for people.
        storage_grid: the grid that the views were thinned to, metres; 0 if they were not.
        settings: what the views were made with.
        up: (3,) the up direction; None estimates it.
        up_how: where ``up`` comes from.

    Returns:
        The content of ``meta.json``.

    Raises:
        InputError: no usable view, views with and without colours or normals mixed, or a scene
            too large for the format.
    """
    with atomic_folder(path) as partial:
        return fill_view_store(
            partial,
            views,
            source=source,
            storage_grid=storage_grid,
            settings=settings,
            up=up,
            up_how=up_how,
        )


def fill_view_store(
    folder: Path,
    views: Iterable[View | SkippedFrame],
    *,
    source: dict[str, str],
    storage_grid: float,
    settings: dict[str, Any] | None = None,
    up: ArrayLike | None = None,
    up_how: str = "given",
) -> SceneMeta:
    """:func:`write_view_store` into an existing folder, for a caller that makes it atomic."""
    spill = ViewSpill(folder)
    with spill:
        skipped = spill.take(views)
    if not spill.frame_ids:
        reason = f"; the first: {skipped[0].reason}" if skipped else ""
        raise InputError(f"none of the {len(skipped)} frames can be used{reason}")
    origin, scale = spill.fit(storage_grid)
    _pack_points(folder, spill, origin, scale)
    offsets = np.concatenate([[0], np.cumsum(spill.num_points)]).astype(np.int64)
    _write_array(folder / "offsets.npy", [offsets], offsets.shape, np.int64)
    poses = np.stack(spill.poses)
    normals = _sample_normals(folder)
    known = given_up(up, normals, up_how) if up is not None else estimate_up(poses, normals)
    files = {
        each.name: {"bytes": each.stat().st_size, "sha256": _sha256(each)}
        for each in sorted(folder.glob("*.npy"))
    }
    meta = SceneMeta(
        format_version=FORMAT_VERSION,
        source=source,
        scale=scale,
        origin=origin,
        storage_grid=storage_grid,
        frame_ids=tuple(spill.frame_ids),
        poses=poses,
        num_points=tuple(spill.num_points),
        up=known.direction,
        up_support=round(known.support, 4),
        up_how=known.how,
        floor_height=_floor_height(folder, known.direction, origin, scale),
        skipped=tuple(skipped),
        settings=settings or {},
        files=files,
    )
    write_meta(folder, meta)
    return meta


def _pack_points(folder: Path, spill: ViewSpill, origin: NDArray[np.float64], scale: float) -> None:
    shape = (sum(spill.num_points), 3)
    for name in spill.names():
        if name == "points":
            arrays = (
                np.rint((points - origin) / scale).astype(np.int16)
                for points in spill.read(name, np.float32)
            )
        else:
            arrays = spill.read(name, _DTYPES[name])
        _write_array(folder / f"{name}.npy", arrays, shape, _DTYPES[name])


def _write_array(
    path: Path, arrays: Iterable[NDArray[Any]], shape: tuple[int, ...], dtype: type
) -> None:
    # Plain writes: through a writable memory map, a full disk would kill the process.
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": shape,
    }
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for array in arrays:
            file.write(np.ascontiguousarray(array).data)
        file.flush()
        os.fsync(file.fileno())


def _sample_normals(folder: Path) -> NDArray[np.float32]:
    path = folder / "normals.npy"
    if not path.exists():
        return np.empty((0, 3), np.float32)
    packed = np.load(path, mmap_mode="r", allow_pickle=False)
    return _unpack_normals(packed[:: max(1, len(packed) // _SAMPLE)])


def _floor_height(
    folder: Path, up: NDArray[np.float64], origin: NDArray[np.float64], scale: float
) -> float:
    packed = np.load(folder / "points.npy", mmap_mode="r", allow_pickle=False)
    heights = packed[:: max(1, len(packed) // _SAMPLE)] @ (up * scale) + up @ origin
    return round(float(np.percentile(heights, 1)), 4)


def _unpack_normals(packed: NDArray[np.int8]) -> NDArray[np.float32]:
    normals = packed.astype(np.float32)
    squared = normals[:, 0] ** 2 + normals[:, 1] ** 2 + normals[:, 2] ** 2
    normals /= np.sqrt(np.maximum(squared, 1))[:, None]  # 0 0 0 stays
    return normals


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
