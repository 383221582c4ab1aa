"""Dataclasses that modules of finetuning and evaluation exchange.

The legend of arrays is that of :mod:`pointcontrast.types`, and:
    labels       (N,) int32 rows of the benchmark's class names, ``IGNORE`` for none; of points
                 also ``UNANNOTATED``
    logits       (M, K) float32, M voxels or B samples, K classes
    boxes        (K, 8) float32, columns ``pointcontrast.labelled_scene_checks.BOX_COLUMNS``: centre
                 and full sizes in metres, yaw in radians, class; padding has class ``IGNORE``
    box_rows     (N, 3) int32 rows of ``boxes`` that a point votes for; -1 for none. A point in one
                 box has it three times, a point in several has different ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # lists of labels need no PyTorch
    import torch

IGNORE = -1
"""Label of what is neither trained on nor scored."""

UNANNOTATED = -2
"""Label of a point without annotation in a scene with few annotated points."""


@dataclass(frozen=True, kw_only=True)
class LabelledCloud:
    """One scene, frame, clip or shape of a benchmark. N points, z up.

    Attributes:
        name: Name, unique in its benchmark; a path with ``/``.
        points: (N, 3) float32 metres (shapes: a unit of their own), z up.
        colors: (N, 3) float32 RGB in 0..255, or None. Float, since augmentation changes them.
        normals: (N, 3) float32 unit vectors, or None.
        labels: (N,) int32 classes of the points; None if they are unknown, or if only the whole
            has a class.
        category: Class of the whole (shapes); None for scenes.
        time: (N,) int32 frame number within a clip; None for a single frame.
        floor_height: Height z of the floor, metres.
        heights: (N,) float32 metres above the floor before augmentation; None if the cloud is not
            augmented, and ``points`` hold them.
        boxes: (K, 8) float32 boxes of the objects; None if they are unknown or not needed.
        box_rows: (N, 3) int32 rows of ``boxes``; None likewise.
        source_from_cloud: (4, 4) float64 rigid transform from the points' frame to that of their
            source, which may be georeferenced or have another up axis; None for the same frame.
    """

    name: str
    points: NDArray[np.float32]
    colors: NDArray[np.float32] | None = None
    normals: NDArray[np.float32] | None = None
    labels: NDArray[np.int32] | None = None
    category: int | None = None
    time: NDArray[np.int32] | None = None
    floor_height: float = 0.0
    heights: NDArray[np.float32] | None = None
    boxes: NDArray[np.float32] | None = None
    box_rows: NDArray[np.int32] | None = None
    source_from_cloud: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """Number of points."""
        return len(self.points)

    def in_source_frame(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Points (..., 3) of the cloud's frame in that of its source.

        Returns:
            float64, or the array itself if the frames are the same.
        """
        if self.source_from_cloud is None:
            return points
        pose = self.source_from_cloud
        return points.astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]

    def __getitem__(self, rows: NDArray[Any] | slice) -> LabelledCloud:
        """Select points (indices, a mask or a slice) with all their attributes."""
        names = ("points", "colors", "normals", "labels", "time", "heights", "box_rows")
        return replace(self, **_rows_of(self, names, rows))


@dataclass(frozen=True, kw_only=True)
class LabelledVoxels:
    """Voxels of one cloud, before their input features are computed. M voxels.

    Attributes:
        coordinates: (M, D) int32 unique rows: voxel indices, followed by the frame number if the
            cloud has time (D = 4).
        points: (M, 3) float32 metres, the point kept for each voxel, in the frame of the boxes.
        colors: (M, 3) float32 RGB in 0..255 of that point, or None.
        normals: (M, 3) float32 normals of that point, or None.
        heights: (M,) float32 metres above the floor before augmentation.
        labels: (M,) int32, ``IGNORE`` if the points of the voxel disagree; None as in the cloud.
        box_rows: (M, 3) int32 of that point; None as in the cloud.
    """

    coordinates: NDArray[np.int32]
    points: NDArray[np.float32]
    heights: NDArray[np.float32]
    colors: NDArray[np.float32] | None = None
    normals: NDArray[np.float32] | None = None
    labels: NDArray[np.int32] | None = None
    box_rows: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        """Number of voxels."""
        return len(self.coordinates)

    def __getitem__(self, rows: NDArray[Any] | slice) -> LabelledVoxels:
        """Select voxels."""
        names = ("coordinates", "points", "heights", "colors", "normals", "labels", "box_rows")
        return replace(self, **_rows_of(self, names, rows))


@dataclass(frozen=True, kw_only=True)
class LabelledSample:
    """Input of the network for one cloud, and its ground truth. M voxels.

    Attributes:
        name: Name of the cloud.
        coordinates: (M, D) int32, unique rows.
        points: (M, 3) float32 metres, the point kept for each voxel, in the frame of the boxes.
        features: (M, C) float32 input features.
        labels: (M,) int32 labels of the voxels; all ``IGNORE`` if they are unknown.
        category: Class of the whole; ``IGNORE`` for scenes.
        boxes: (K, 8) float32; K is 0 if boxes are unknown.
        box_rows: (M, 3) int32 of the voxels' points.
    """

    name: str
    coordinates: NDArray[np.int32]
    points: NDArray[np.float32]
    features: NDArray[np.float32]
    labels: NDArray[np.int32]
    category: int
    boxes: NDArray[np.float32]
    box_rows: NDArray[np.int32]

    def __len__(self) -> int:
        """Number of voxels."""
        return len(self.coordinates)


_OF_VOXELS = ("coordinates", "points", "features", "labels", "box_rows")
_OF_SAMPLES = ("categories", "boxes")


@dataclass(frozen=True, kw_only=True)
class LabelledBatch:
    """Batch of B samples, one after another.

    Attributes:
        names: Names of the clouds.
        coordinates: (M, 1+D) int32, batch index first.
        points: (M, 3) float32 metres, each sample in the frame of its boxes.
        features: (M, C) float32 input features.
        labels: (M,) int64.
        categories: (B,) int64.
        boxes: (B, K, 8) float32, padded to the largest number of boxes K by rows of class
            ``IGNORE``.
        box_rows: (M, 3) int32 rows of the sample's boxes, -1 for none.
        offsets: B+1 row offsets: sample b has rows ``offsets[b]:offsets[b + 1]``.
        num_dropped: Number of samples dropped because the batch would hold too many voxels.
    """

    names: tuple[str, ...]
    coordinates: torch.Tensor
    points: torch.Tensor
    features: torch.Tensor
    labels: torch.Tensor
    categories: torch.Tensor
    boxes: torch.Tensor
    box_rows: torch.Tensor
    offsets: tuple[int, ...]
    num_dropped: int = 0

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.names)

    def part(self, rows: torch.Tensor) -> LabelledBatch:
        """Select voxels ``rows`` (K,) int64 of a batch of one sample."""
        assert len(self) == 1
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in _OF_VOXELS},
            offsets=(0, len(rows)),
        )

    def to(self, device: torch.device | str) -> LabelledBatch:
        """Copy the batch to a device."""
        return replace(
            self,
            **{name: getattr(self, name).to(device) for name in (*_OF_VOXELS, *_OF_SAMPLES)},
        )


@dataclass(frozen=True, kw_only=True)
class DetectedBoxes:
    """Detections in one cloud. P boxes, in no order.

    Attributes:
        boxes: (P, 7) float32, the first seven columns of boxes, in the frame of the cloud.
        classes: (P,) int64 classes.
        scores: (P,) float32 confidences, 0..1.
    """

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        """Number of boxes."""
        return len(self.boxes)

    def __getitem__(self, rows: NDArray[Any] | slice) -> DetectedBoxes:
        """Select boxes."""
        return DetectedBoxes(
            boxes=self.boxes[rows], classes=self.classes[rows], scores=self.scores[rows]
        )


def _rows_of(value: Any, names: tuple[str, ...], rows: Any) -> dict[str, Any]:
    """Select ``rows`` of the named arrays of ``value``; None stays None."""
    arrays = {name: getattr(value, name) for name in names}
    return {name: None if array is None else array[rows] for name, array in arrays.items()}


@dataclass(frozen=True)
class Proposals:
    """Output of a head that detects. B samples, S seeds, P proposals, K outputs each.

    Attributes:
        seeds: (B, S) int64 rows of the batch's voxels.
        votes: (B, S, 3) float32 metres, each seed's estimate of the centre of its object.
        centers: (B, P, 3) float32 metres, the votes at the centres of clusters.
        outputs: (B, P, K) outputs that :class:`downstream.tasks.box_coding.BoxCoding` decodes.
    """

    seeds: torch.Tensor
    votes: torch.Tensor
    centers: torch.Tensor
    outputs: torch.Tensor
