"""Dataclasses shared by several modules, and the conventions of all arrays in the project.

Conventions
-----------
Frames of reference
    ``world``   frame of the scene, metres; its up direction is in the scene's ``meta.json``.
    ``camera``  x right, y down, z forward (OpenCV), metres.
    ``sensor``  frame of a LiDAR, as in its files, metres.
    A transform is a 4x4 float64 matrix named ``dst_from_src`` that acts on column vectors:
    ``world_from_camera @ [x, y, z, 1]``.
Sizes
    N points or voxels, M correspondences, C channels, D space dimensions (3, or 4 with time),
    H x W pixels.
Arrays
    points           (N, 3) float32, world metres
    colors           (N, 3) uint8 RGB
    normals          (N, 3) float32, unit length, towards the camera that saw the point
    coordinates      (N, 1+D) int32, column 0 the batch index, then voxel indices:
                     floor(metres / voxel_size)
    features         (N, C) float32
    correspondences  (M, 2) int64, column 0 a row of view0, column 1 a row of view1
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # preparation does without torch, which takes a second to import
    import torch

OVERLAP_VOXEL_SIZE = 0.05
"""Voxel size of the clouds whose overlap is measured, metres; the authors' value."""
OVERLAP_THRESHOLD = 0.3
"""Smallest overlap of a pair; the authors' value."""


@dataclass(frozen=True)
class Frame:
    """One posed depth image, with or without colour.

    Attributes:
        frame_id: Name of the frame, unique within its scene.
        depth: (H, W) float32 metres along the optical axis; 0 where there is no measurement.
        color: (H, W, 3) uint8 RGB registered to the depth image, or None.
        intrinsics: (3, 3) float64 pinhole matrix of the depth image, pixels.
        world_from_camera: (4, 4) float64 rigid transform, metres.
    """

    frame_id: str
    depth: NDArray[np.float32]
    color: NDArray[np.uint8] | None
    intrinsics: NDArray[np.float64]
    world_from_camera: NDArray[np.float64]


class Cloud(Protocol):
    """Points whose colours and normals may be computed on use."""

    @property
    def points(self) -> NDArray[np.float32]:
        """(N, 3) float32 metres."""
        ...

    def __len__(self) -> int:
        """Return the number of points."""
        ...

    def __getitem__(self, rows: NDArray[Any] | slice) -> PointCloud:
        """Select the points at ``rows``, with colours and normals."""
        ...


@dataclass(frozen=True)
class PointCloud:
    """Points in metres with optional colours and normals; every array has N rows.

    Attributes:
        points: (N, 3) float32 metres.
        colors: (N, 3) uint8 RGB, or None.
        normals: (N, 3) float32 unit vectors, or None.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8] | None = None
    normals: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.points)

    def __getitem__(self, rows: NDArray[Any] | slice) -> PointCloud:
        """Select points by indices, a mask or a slice, with colours and normals."""
        return PointCloud(
            points=self.points[rows],
            colors=None if self.colors is None else self.colors[rows],
            normals=None if self.normals is None else self.normals[rows],
        )


@dataclass(frozen=True)
class Sweep:
    """One posed point cloud: a turn of a LiDAR, or the view of a camera in a reconstruction.

    Attributes:
        frame_id: Name of the sweep, unique within its scene.
        cloud: Points in the frame of the sensor, metres, N >= 1, all finite.
        world_from_sensor: (4, 4) float64 rigid transform, metres.
        is_camera: Whether the frame is that of a camera (z forward) instead of a LiDAR (z up).
    """

    frame_id: str
    cloud: PointCloud
    world_from_sensor: NDArray[np.float64]
    is_camera: bool = False


@dataclass(frozen=True)
class Pair:
    """Two views of one scene that overlap.

    Attributes:
        scene: Folder of the scene, relative to the root of the data.
        view0: Index of the first view in the scene.
        view1: Index of the second view in the scene.
        overlap: Larger of the two matched fractions, 0..1 (``pointcontrast.scenes.overlap``).
    """

    scene: str
    view0: int
    view1: int
    overlap: float


@dataclass(frozen=True)
class RegisteredViews:
    """The two views of a pair in one world frame, before augmentation.

    Attributes:
        view0: First view, world metres.
        view1: Second view, world metres.
        up: (3,) float64 unit vector, the scene's up direction.
        floor_height: Height of the floor along ``up``, metres.
    """

    view0: Cloud
    view1: Cloud
    up: NDArray[np.float64]
    floor_height: float


@dataclass(frozen=True)
class VoxelizedView:
    """One augmented view as voxels: the input of a network before batching.

    Attributes:
        coordinates: (N, 3) int32 voxel indices, unique rows.
        features: (N, C) float32.
        points: (N, 3) float32 points kept for the voxels, world metres, not augmented.
    """

    coordinates: NDArray[np.int32]
    features: NDArray[np.float32]
    points: NDArray[np.float32]


@dataclass(frozen=True)
class PairSample:
    """One training pair: two voxelised views and the rows that coincide in the world.

    Attributes:
        pair: Origin of the sample.
        view0: First view.
        view1: Second view.
        correspondences: (M, 2) int64 rows of view0 and view1, sorted by column 0; M is 0 if the
            views do not overlap, and collate leaves out such pairs.
        is_cropped: Whether the views had too many voxels and were cropped.
    """

    pair: Pair
    view0: VoxelizedView
    view1: VoxelizedView
    correspondences: NDArray[np.int64]
    is_cropped: bool = False


@dataclass(frozen=True)
class ViewBatch:
    """One side of a batch: the same side of several pairs, one after another.

    Attributes:
        coordinates: (N, 4) int32, batch index first.
        features: (N, C) float32.
        points: (N, 3) float32 points of the voxels, world metres.
        offsets: B+1 row numbers: sample b has the rows ``offsets[b]:offsets[b + 1]``.
    """

    coordinates: torch.Tensor
    features: torch.Tensor
    points: torch.Tensor
    offsets: tuple[int, ...]

    def to(self, device: torch.device | str) -> ViewBatch:
        """Return the batch with its tensors on ``device``."""
        return replace(
            self,
            coordinates=self.coordinates.to(device),
            features=self.features.to(device),
            points=self.points.to(device),
        )


@dataclass(frozen=True)
class PairBatch:
    """A batch of pairs.

    Attributes:
        pairs: Origins of the B samples.
        view0: All first views.
        view1: All second views.
        correspondences: (M, 2) int64 rows of view0 and view1 of the whole batch, sorted by
            column 0.
        num_dropped: Number of pairs without correspondences, which were left out.
        num_cropped: Number of pairs with too many voxels, which were cropped.
    """

    pairs: tuple[Pair, ...]
    view0: ViewBatch
    view1: ViewBatch
    correspondences: torch.Tensor
    num_dropped: int = 0
    num_cropped: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Scene and views of each pair, for messages."""
        return tuple(f"{p.scene} (views {p.view0} and {p.view1})" for p in self.pairs)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    def to(self, device: torch.device | str) -> PairBatch:
        """Return the batch with its tensors on ``device``."""
        return replace(
            self,
            view0=self.view0.to(device),
            view1=self.view1.to(device),
            correspondences=self.correspondences.to(device),
        )
