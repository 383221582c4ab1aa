"""The dataclasses that cross module borders in finetuning and evaluation.

The legend of arrays is that of :mod:`pointcontrast.types`. Beyond it:
    labels       (N,) int32 rows of the benchmark's class names, ``IGNORE`` where there is none;
                 of points also ``UNANNOTATED``
    logits       (M, K) float32, M voxels or B samples, K classes
    boxes        (K, 8) float32, columns ``pointcontrast.labelled_scene_checks.BOX_COLUMNS``: centre
                 and full sizes in metres, yaw in radians, class; padded rows have class ``IGNORE``
    box_rows     (N, 3) int32 rows of ``boxes`` that a point votes for; -1 where there is none. A
                 point in one box has it three times, one in two or more has different ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # lists of labels need no PyTorch
    import torch

IGNORE = -1
"""The label of what is neither trained on nor scored."""

UNANNOTATED = -2
"""The label of a point that nobody annotated where few points are: nothing is known of it."""


@dataclass(frozen=True, kw_only=True)
class LabelledCloud:
    """One scene, frame, clip or shape as a benchmark hands it out. N points, z up.

    Attributes:
        name: which one, unique in its benchmark; a path with ``/``.
        points: (N, 3) float32 metres (a shape: units of its own size), z up.
        colors: (N, 3) float32 RGB in 0..255, or None. Float: augmentations change them.
        normals: (N, 3) float32 unit vectors, or None.
        labels: (N,) int32 classes of the points; None where they are not known, or where only
            the whole has a class.
        category: the class of the whole (shapes); None for scenes.
        time: (N,) int32 number of the frame within a clip; None where there is one frame.
        floor_height: z of the floor, metres.
        heights: (N,) float32 metres above the floor, from before any augmentation; None where
            nothing has been augmented, and ``points`` have them.
        boxes: (K, 8) float32 of the objects; None where they are not known or not asked for.
        box_rows: (N, 3) int32 rows of ``boxes``; None as those.
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

    def __len__(self) -> int:
        """The number of points."""
        return len(self.points)

    def __getitem__(self, rows: NDArray[Any] | slice) -> LabelledCloud:
        """The points at ``rows`` (indices, a mask or a slice) with all that is known of them."""
        names = ("points", "colors", "normals", "labels", "time", "heights", "box_rows")
        return replace(self, **_rows_of(self, names, rows))


@dataclass(frozen=True, kw_only=True)
class LabelledVoxels:
    """The voxels of one cloud, before their input features are computed. M voxels.

    Attributes:
        coordinates: (M, D) int32 unique rows: voxel indices, with the frame number last where the
            cloud has time (D = 4).
        points: (M, 3) float32 metres, the point kept for each voxel, in the frame of the boxes.
        colors: (M, 3) float32 RGB in 0..255 of that point, or None.
        normals: (M, 3) float32, turned with the cloud, or None.
        heights: (M,) float32 metres above the floor, before any augmentation.
        labels: (M,) int32, ``IGNORE`` where the points of the voxel disagree; None as in the
            cloud.
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
        """The number of voxels."""
        return len(self.coordinates)

    def __getitem__(self, rows: NDArray[Any] | slice) -> LabelledVoxels:
        """The voxels at ``rows``."""
        names = ("coordinates", "points", "heights", "colors", "normals", "labels", "box_rows")
        return replace(self, **_rows_of(self, names, rows))


@dataclass(frozen=True, kw_only=True)
class LabelledSample:
    """What the network eats of one cloud, and what is true of it. M voxels, N points.

    Attributes:
        name: of the cloud.
        coordinates: (M, D) int32, unique rows.
        points: (M, 3) float32 metres, the point kept for each voxel, in the frame of the boxes.
        features: (M, C) float32.
        labels: (M,) int32 of the voxels; all ``IGNORE`` where nothing is known.
        category: of the whole, ``IGNORE`` for scenes.
        boxes: (K, 8) float32; no row where nothing is known.
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
        """The number of voxels."""
        return len(self.coordinates)


_OF_VOXELS = ("coordinates", "points", "features", "labels", "box_rows")
_OF_SAMPLES = ("categories", "boxes")


@dataclass(frozen=True, kw_only=True)
class LabelledBatch:
    """Several samples, one after another.

    Attributes:
        names: of the B clouds.
        coordinates: (M, 1+D) int32, batch index first.
        points: (M, 3) float32 metres, each sample in the frame of its boxes.
        features: (M, C) float32.
        labels: (M,) int64.
        categories: (B,) int64.
        boxes: (B, K, 8) float32, K of the sample that has most; then rows of class ``IGNORE``.
        box_rows: (M, 3) int32 rows of the sample's boxes, -1 for none.
        offsets: B+1 row numbers: sample b owns rows ``offsets[b]:offsets[b + 1]``.
        num_dropped: samples left out because the batch would hold too many voxels.
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
        """The number of samples."""
        return len(self.names)

    def part(self, rows: torch.Tensor) -> LabelledBatch:
        """The voxels at ``rows`` (K,) int64 of a batch of one sample."""
        assert len(self) == 1
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in _OF_VOXELS},
            offsets=(0, len(rows)),
        )

    def to(self, device: torch.device | str) -> LabelledBatch:
        """The same batch with its tensors on ``device``."""
        return replace(
            self,
            **{name: getattr(self, name).to(device) for name in (*_OF_VOXELS, *_OF_SAMPLES)},
        )


@dataclass(frozen=True, kw_only=True)
class DetectedBoxes:
    """What is detected in one cloud. P boxes, by no order.

    Attributes:
        boxes: (P, 7) float32, the first seven columns of boxes, in the frame of the cloud.
        classes: (P,) int64.
        scores: (P,) float32 confidences, 0..1.
    """

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        """The number of boxes."""
        return len(self.boxes)

    def __getitem__(self, rows: NDArray[Any] | slice) -> DetectedBoxes:
        """The boxes at ``rows``."""
        return DetectedBoxes(
            boxes=self.boxes[rows], classes=self.classes[rows], scores=self.scores[rows]
        )


def _rows_of(value: Any, names: tuple[str, ...], rows: Any) -> dict[str, Any]:
    """The named arrays of ``value`` at ``rows``; what is None stays None."""
    arrays = {name: getattr(value, name) for name in names}
    return {name: None if array is None else array[rows] for name, array in arrays.items()}


@dataclass(frozen=True)
class Proposals:
    """What the head puts out. B samples, S seeds, P proposals, K numbers each.

    Attributes:
        seeds: (B, S) int64 rows of the batch's voxels.
        votes: (B, S, 3) float32 metres, where each seed sees the centre of its object.
        centers: (B, P, 3) float32 metres, the votes that clusters are made about.
        outputs: (B, P, K) what :class:`downstream.tasks.box_coding.BoxCoding` reads.
    """

    seeds: torch.Tensor
    votes: torch.Tensor
    centers: torch.Tensor
    outputs: torch.Tensor
