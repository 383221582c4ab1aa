"""The dataclasses that cross module borders, and the legend of every array in the project.

Legend
------
Frames of reference
    ``world``   the scene's own frame, metres; its up direction is in the scene's ``meta.json``.
    ``camera``  x right, y down, z forward (OpenCV), metres.
    ``sensor``  a LiDAR's own, as its files have it, metres.
    A transform is a 4x4 float64 matrix named ``dst_from_src`` that acts on column vectors:
    ``world_from_camera @ [x, y, z, 1]``.
Sizes
    N points or voxels, M correspondences, C channels, D space dimensions (3, or 4 with time),
    H x W pixels.
Arrays
    points           (N, 3) float32, world metres
    colors           (N, 3) uint8 RGB
    normals          (N, 3) float32, unit length, towards the camera that saw the point
    coordinates      (N, 1+D) int32, column 0 the index of the sample in the batch, then voxel
                     indices: floor(metres / voxel_size)
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
        frame_id: name of the frame within its scene, unique there.
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
    """Points whose colours and normals need not be there before they are asked for."""

    @property
    def points(self) -> NDArray[np.float32]:
        """(N, 3) float32 metres."""
        ...

    def __len__(self) -> int:
        """The number of points."""
        ...

    def __getitem__(self, rows: NDArray[Any] | slice) -> PointCloud:
        """The points at ``rows``, with their colours and normals."""
        ...


@dataclass(frozen=True)
class PointCloud:
    """Points in metres with what is known of each; every array has the same first size N.

    Attributes:
        points: (N, 3) float32 metres.
        colors: (N, 3) uint8 RGB, or None.
        normals: (N, 3) float32 unit vectors, or None.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8] | None = None
    normals: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """The number of points."""
        return len(self.points)

    def __getitem__(self, rows: NDArray[Any] | slice) -> PointCloud:
        """The points at ``rows`` (indices, a mask or a slice), with their colours and normals."""
        return PointCloud(
            points=self.points[rows],
            colors=None if self.colors is None else self.colors[rows],
            normals=None if self.normals is None else self.normals[rows],
        )


@dataclass(frozen=True)
class Sweep:
    """One posed point cloud: what a LiDAR sees in a turn, or a camera of a whole reconstruction.

    Attributes:
        frame_id: name of the sweep within its scene.
        cloud: its points in the sensor's own frame, metres, N >= 1, all finite.
        world_from_sensor: (4, 4) float64 rigid transform, metres.
        is_camera: whether the sensor's frame is a camera's (z forward); a LiDAR's has z up.
    """

    frame_id: str
    cloud: PointCloud
    world_from_sensor: NDArray[np.float64]
    is_camera: bool = False


@dataclass(frozen=True)
class Pair:
    """Two views of one scene that overlap.

    Attributes:
        scene: the scene's folder, relative to the root of the data.
        view0: number of the first view in the scene.
        view1: index of the second view.
        overlap: the larger of the two matched fractions, 0..1 (``pointcontrast.scenes.overlap``).
    """

    scene: str
    view0: int
    view1: int
    overlap: float


@dataclass(frozen=True)
class RegisteredViews:
    """The two views of a pair in one world frame, before augmentation.

    Attributes:
        view0: the first view, world metres.
        view1: the second view, world metres.
        up: (3,) float64 unit vector, the scene's up direction.
        floor_height: the floor's place along ``up``, metres.
    """

    view0: Cloud
    view1: Cloud
    up: NDArray[np.float64]
    floor_height: float


@dataclass(frozen=True)
class VoxelizedView:
    """One augmented view as voxels: what a network eats, before batching.

    Attributes:
        coordinates: (N, 3) int32 voxel indices, unique rows.
        features: (N, C) float32.
        points: (N, 3) float32 world metres of the point kept for each voxel, not augmented.
    """

    coordinates: NDArray[np.int32]
    features: NDArray[np.float32]
    points: NDArray[np.float32]


@dataclass(frozen=True)
class PairSample:
    """One training pair: two voxelised views and the rows that coincide in the world.

    Attributes:
        pair: where it came from.
        view0: the first view.
        view1: the second view.
        correspondences: (M, 2) int64 rows of view0 and view1, sorted by column 0; M is 0 where
            the views do not meet, and collate leaves such a pair out.
        is_cropped: whether the views had too many voxels and were cut.
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
        points: (N, 3) float32 world metres of the voxels.
        offsets: B+1 row numbers: sample b owns rows ``offsets[b]:offsets[b + 1]``.
    """

    coordinates: torch.Tensor
    features: torch.Tensor
    points: torch.Tensor
    offsets: tuple[int, ...]

    def to(self, device: torch.device | str) -> ViewBatch:
        """The same batch with its tensors on ``device``."""
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
        pairs: where each of the B samples came from.
        view0: all first views.
        view1: all second views.
        correspondences: (M, 2) int64 rows of view0 and view1 of the whole batch, sorted by
            column 0.
        num_dropped: how many pairs of this batch had no correspondence and were left out.
        num_cropped: how many had too many voxels and were cut.
    """

    pairs: tuple[Pair, ...]
    view0: ViewBatch
    view1: ViewBatch
    correspondences: torch.Tensor
    num_dropped: int = 0
    num_cropped: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Of the pairs: scene and views."""
        return tuple(f"{p.scene} (views {p.view0} and {p.view1})" for p in self.pairs)

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.pairs)

    def to(self, device: torch.device | str) -> PairBatch:
        """The same batch with its tensors on ``device``."""
        return replace(
            self,
            view0=self.view0.to(device),
            view1=self.view1.to(device),
            correspondences=self.correspondences.to(device),
        )
