"""Writing of a view store (``pointcontrast.scenes.view_store``), one view at a time."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_folder
from pointcontrast.scenes.depth.cloud import DepthCloud
from pointcontrast.scenes.packed_images import ImageWriter
from pointcontrast.scenes.packed_points import PointWriter
from pointcontrast.scenes.scene_meta import FORMAT_VERSION, SceneMeta, file_facts, write_meta
from pointcontrast.scenes.up_direction import estimate_up, given_up
from pointcontrast.scenes.views import SkippedFrame, View
from pointcontrast.types import PointCloud

Storage = Literal["depth", "points"]
STORAGE_GRID = 0.0125
_SAMPLE = 4000  # points per view from which the up direction and the floor are estimated


@dataclass(frozen=True)
class SceneSource:
    """Facts about a recording that go into the scene's ``meta.json``.

    Attributes:
        layout: Name of the layout of the raw frames.
        folder: Place of the raw frames, for people.
        problem: Damage of the recording as a whole (``PosedSequence.problem``), or None.
        up: (3,) up direction of the world; None estimates it from the views.
        up_how: Origin of ``up``: "given" or "stated by the source".
        origin: (3,) metres, what was taken off the world coordinates.
    """

    layout: str
    folder: str
    problem: str | None = None
    up: ArrayLike | None = None
    up_how: str = "given"
    origin: ArrayLike = (0.0, 0.0, 0.0)


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
        origin=np.asarray(source.origin, dtype=np.float64),
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
