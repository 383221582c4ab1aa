"""The view store: all views of one scene in one memory-mapped folder.

A store holds depth images (``pointcontrast.scenes.packed_images``: every pixel, lossless) or
points thinned to a grid (``pointcontrast.scenes.packed_points``). Everything else is in
``meta.json`` (:class:`~pointcontrast.scenes.scene_meta.SceneMeta`), which is written last.

The authors store one ``.npz`` of full-resolution float64 points per view: 24 bytes per pixel. The
depth image that the points come from holds the same in a quarter to half a byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_folder, sha256
from pointcontrast.scenes.depth.cloud import DepthCloud
from pointcontrast.scenes.packed_images import ImageReader, ImageWriter
from pointcontrast.scenes.packed_points import PointReader, PointWriter
from pointcontrast.scenes.scene_meta import (
    FORMAT_VERSION,
    REDO,
    SceneMeta,
    file_facts,
    read_meta,
    write_meta,
)
from pointcontrast.scenes.up_direction import estimate_up, given_up
from pointcontrast.scenes.views import SkippedFrame, View
from pointcontrast.types import Cloud, PointCloud

Storage = Literal["depth", "points"]
STORAGE_GRID = 0.0125
_READERS = {"depth": ImageReader, "points": PointReader}
_SAMPLE = 4000  # points per view from which the up direction and the floor are estimated


class ViewStore(Sequence[PointCloud]):
    """The views of one scene.

    Opening reads no points. A store can be pickled, which transfers its path only.
    """

    def __init__(self, path: Path) -> None:
        """Open the store in folder ``path``.

        Raises:
            InputError: No store, or one that is incomplete, damaged or too new; the message names
                the file.
        """
        self.path = path
        self.meta = read_meta(path)
        self._check_sizes()
        if self.meta.storage not in _READERS:
            raise InputError(
                f"{path / 'meta.json'} names the storage {self.meta.storage!r}, not one of "
                f"{', '.join(_READERS)}; {REDO}"
            )
        try:
            self._views = _READERS[self.meta.storage](path, self.meta.content, self.meta.num_points)
        except (KeyError, TypeError, ValueError, OSError, EOFError) as error:
            raise InputError(f"{path} is incomplete or damaged ({error}); {REDO}") from None

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.meta.frame_ids)

    @overload
    def __getitem__(self, index: int) -> PointCloud: ...
    @overload
    def __getitem__(self, index: slice) -> list[PointCloud]: ...
    def __getitem__(self, index: int | slice) -> PointCloud | list[PointCloud]:
        """Read view ``index`` with all colours and normals, float32 world metres."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.read(index)[:]

    def read(self, index: int, *, colors: bool = True, normals: bool = True) -> Cloud:
        """Read view ``index`` as a cloud that computes colours and normals of selected points.

        Args:
            index: Index of the view; negative ones count from the end.
            colors: Whether selected points have colours, if the view has them.
            normals: Whether selected points have normals, if the view has them.

        Raises:
            InputError: The view is damaged.
        """
        index = range(len(self))[index]  # negative indices, and IndexError past the end
        return self._views.read(index, self.meta.poses[index], colors=colors, normals=normals)

    def verify(self) -> None:
        """Compare every byte with the checksums.

        Raises:
            InputError: A file differs from what was written.
        """
        for name, facts in self.meta.files.items():
            if sha256(self.path / name) != facts["sha256"]:
                raise InputError(f"{self.path / name} is damaged (its checksum differs); {REDO}")

    def __reduce__(self) -> tuple[type[ViewStore], tuple[Path]]:
        """Pickle the path only; a memory map would be pickled with all its points."""
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


@dataclass(frozen=True)
class SceneSource:
    """Facts about a recording that go into the scene's ``meta.json``.

    Attributes:
        layout: Name of the layout of the raw frames.
        folder: Place of the raw frames, for people.
        problem: Damage of the recording as a whole (``PosedSequence.problem``), or None.
        up: (3,) up direction of the world; None estimates it from the views.
        up_how: Origin of ``up``: "given" or "stated by the source".
    """

    layout: str
    folder: str
    problem: str | None = None
    up: ArrayLike | None = None
    up_how: str = "given"


def write_view_store(
    path: Path,
    views: Iterable[View | SkippedFrame],
    source: SceneSource,
    *,
    storage: Storage = "depth",
    storage_grid: float = STORAGE_GRID,
    settings: dict[str, Any] | None = None,
) -> SceneMeta:
    """Write the views of one scene to a folder that appears whole or not at all.

    One view at a time is in memory.

    Args:
        path: Folder of the store; an older one is replaced.
        views: Views in order, and the frames that were skipped.
        source: Origin of the views.
        storage: "depth" keeps the depth images of views that have one, and points of the others;
            "points" keeps points of all.
        storage_grid: Points are thinned to one per cell of this side, metres; 0 keeps all.
        settings: Settings that the views were made with, as JSON values.

    Returns:
        The content of ``meta.json``.

    Raises:
        InputError: No usable view, or views of different kinds mixed: depth images and sweeps,
            with and without colours or normals.
    """
    with atomic_folder(path) as partial:
        return fill_view_store(
            partial,
            views,
            source,
            storage=storage,
            storage_grid=storage_grid,
            settings=settings,
        )


def fill_view_store(
    folder: Path,
    views: Iterable[View | SkippedFrame],
    source: SceneSource,
    *,
    storage: Storage = "depth",
    storage_grid: float = STORAGE_GRID,
    settings: dict[str, Any] | None = None,
) -> SceneMeta:
    """Write as :func:`write_view_store`, into an empty folder that the caller makes atomic."""
    packer = _Packer(folder, storage, storage_grid)
    with packer:
        for view in views:
            packer.take(view)
    if not packer.frame_ids:
        skipped = packer.skipped
        reason = f"; the first: {skipped[0].reason}" if skipped else ""
        raise InputError(f"none of the {len(skipped)} frames can be used{reason}")
    points, normals = packer.sample()
    known = (
        estimate_up(np.stack(packer.sensor_ups), normals)
        if source.up is None
        else given_up(source.up, normals, source.up_how)
    )
    meta = SceneMeta(
        format_version=FORMAT_VERSION,
        source={"layout": source.layout, "folder": source.folder},
        storage=packer.storage,
        content=packer.content,
        frame_ids=tuple(packer.frame_ids),
        sensor="camera" if packer.all_cameras else "lidar",
        poses=np.stack(packer.poses),
        num_points=tuple(packer.num_points),
        up=known.direction,
        up_support=round(known.support, 4),
        up_how=known.how,
        floor_height=round(float(np.percentile(points @ known.direction, 1)), 4),
        skipped=tuple(packer.skipped),
        problem=source.problem,
        settings=settings or {},
        files={each.name: file_facts(each) for each in sorted(folder.iterdir())},
    )
    write_meta(folder, meta)
    return meta


class _Packer:
    """Collects the views of a scene one by one."""

    def __init__(self, folder: Path, storage: Storage, storage_grid: float) -> None:
        self.storage: Storage = storage
        self.frame_ids: list[str] = []
        self.poses: list[NDArray[np.float64]] = []
        self.sensor_ups: list[NDArray[np.float64]] = []
        self.num_points: list[int] = []
        self.skipped: list[SkippedFrame] = []
        self.content: dict[str, Any] = {}
        self.all_cameras = True
        self._folder = folder
        self._storage_grid = storage_grid
        self._writer: ImageWriter | PointWriter | None = None
        self._sample: list[PointCloud] = []

    def __enter__(self) -> _Packer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._writer is None:
            return
        with closing(self._writer):
            if kind is None:
                self.content = self._writer.finish()

    def take(self, view: View | SkippedFrame) -> None:
        if isinstance(view, SkippedFrame):
            self.skipped.append(view)
            return
        is_image = isinstance(view.cloud, DepthCloud)
        if self._writer is None:
            if not is_image:
                self.storage = "points"
            self._writer = (
                ImageWriter(self._folder)
                if self.storage == "depth"
                else PointWriter(self._folder, self._storage_grid)
            )
        if self.storage == "depth" and not is_image:
            raise InputError(
                f"{view.frame_id}: the scene has depth images and sweeps; prepare "
                "them as two scenes"
            )
        self.num_points.append(self._writer.add(view))
        self.frame_ids.append(view.frame_id)
        self.poses.append(view.world_from_camera)
        self.sensor_ups.append(view.sensor_up)
        self.all_cameras &= view.is_camera
        self._sample.append(view.cloud[:: max(1, len(view.cloud) // _SAMPLE)])

    def sample(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return some points of all views, (N, 3), and their known normals, (M, 3)."""
        normals = [cloud.normals for cloud in self._sample if cloud.normals is not None]
        none = np.empty((0, 3), np.float32)
        return np.concatenate([cloud.points for cloud in self._sample]), np.concatenate(
            [none, *normals]
        )
