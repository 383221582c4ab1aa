"""From labelled clouds to the network's input: augmentation, voxels, features, batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray

from downstream.augmentation.recipes import Augmentation
from downstream.types import (
    IGNORE,
    UNANNOTATED,
    LabelledBatch,
    LabelledCloud,
    LabelledSample,
    LabelledVoxels,
)
from pointcontrast.data.network_input import (
    NetworkInput,
    center_colors,
    first_lacking,
    input_features,
)
from pointcontrast.errors import InputError
from pointcontrast.origins import check_resolution
from pointcontrast.voxelize import merge_labels, voxelize_frames, voxelize_with_inverse


@dataclass(frozen=True)
class SampleMaker:
    """Converts clouds to samples.

    Voxels are floor(points / voxel_size) in the frame of the benchmark, minus the smallest along
    each axis, as in PointContrast ``downstream/semseg/lib/voxelizer.py``. Which points share a
    voxel depends on the position of the cloud in its frame, as in the published results, but the
    network does not see the distance to the origin. Colour and normal of a voxel are those of its
    first point; its label is that of :func:`pointcontrast.voxelize.merge_labels`, which ignores
    points without annotation.

    Attributes:
        network_input: Input of the network: voxel size and features. Its rotation, colour jitter
            and noise apply to pretraining only.
        augmentation: Augmentation of training samples; None for none.
    """

    network_input: NetworkInput
    augmentation: Augmentation | None = None

    def __call__(self, cloud: LabelledCloud, rng: np.random.Generator | None) -> LabelledSample:
        """Make the sample of one cloud.

        Args:
            cloud: Cloud; it is not changed.
            rng: Source of randomness for augmentation; None for no augmentation, as in evaluation.

        Returns:
            The sample, a function of cloud and generator.

        Raises:
            InputError: as in :meth:`voxels`, or the augmentation refuses the cloud.
        """
        if rng is None or self.augmentation is None:
            voxels, _ = self.voxels(cloud)
        else:
            voxels, boxes = self._augmented_voxels(cloud, self.augmentation, rng)
            cloud = replace(cloud, boxes=boxes)
        return self.sample(cloud, voxels)

    def sample(self, cloud: LabelledCloud, voxels: LabelledVoxels) -> LabelledSample:
        """Make the sample from a cloud's voxels."""
        count, labels, box_rows = len(voxels), voxels.labels, voxels.box_rows
        return LabelledSample(
            name=cloud.name,
            coordinates=voxels.coordinates,
            points=voxels.points,
            features=self.features(voxels),
            labels=np.full(count, IGNORE, np.int32) if labels is None else labels,
            category=IGNORE if cloud.category is None else cloud.category,
            boxes=np.empty((0, 8), np.float32) if cloud.boxes is None else cloud.boxes,
            box_rows=np.full((count, 3), -1, np.int32) if box_rows is None else box_rows,
        )

    def voxels(self, cloud: LabelledCloud) -> tuple[LabelledVoxels, NDArray[np.int64]]:
        """Voxelise a cloud without augmentation.

        Args:
            cloud: Cloud; it is not changed. If it has time, each frame is voxelised on its own.

        Returns:
            The voxels, and (N,) int64 row of the voxel of each point.

        Raises:
            InputError: the cloud is empty, a point is not finite, the points do not resolve a tenth
                of a voxel, the voxels cannot be numbered, or colours or normals that the features
                need are missing; the message names the cloud.
        """
        self._check(cloud)
        return self._voxelize(_with_heights(cloud))

    def features(self, voxels: LabelledVoxels) -> NDArray[np.float32]:
        """Compute the input features (M, C) float32 of voxels."""
        names = self.network_input.features
        colors = voxels.colors if "color" in names else None
        return input_features(
            names,
            len(voxels),
            colors=None if colors is None else center_colors(colors),
            normals=voxels.normals,
            heights=voxels.heights,
        )

    def _augmented_voxels(
        self, cloud: LabelledCloud, augmentation: Augmentation, rng: np.random.Generator
    ) -> tuple[LabelledVoxels, NDArray[np.float32] | None]:
        """Voxelise the augmented cloud; returns its voxels and its boxes."""
        self._check(cloud)
        if cloud.boxes is not None and not augmentation.moves_boxes:
            raise InputError(
                f"{type(augmentation).__name__} leaves boxes where they were; for detection take "
                "downstream.augmentation.BoxAugmentation as data.augmentation, or null"
            )
        try:
            changed = augmentation.before_voxels(_with_heights(cloud), rng)
        except InputError as error:
            raise InputError(f"{cloud.name}: {error}") from error
        if changed.heights is None:
            raise TypeError(
                f"{type(augmentation).__name__}.before_voxels must return a cloud made "
                "from its argument by dataclasses.replace or indexing"
            )
        self._check(changed)
        voxels, _ = self._voxelize(changed)
        return augmentation.after_voxels(voxels, rng), changed.boxes

    def _check(self, cloud: LabelledCloud) -> None:
        if not len(cloud):
            raise InputError(f"{cloud.name}: it holds no point; leave it out of the split")
        if not np.isfinite(cloud.points).all():
            raise InputError(f"{cloud.name}: points hold NaN or infinity; drop such points first")
        check_resolution(cloud.points, self.network_input.voxel_size, cloud.name)
        lacking = first_lacking(
            self.network_input.features, colors=cloud.colors, normals=cloud.normals
        )
        if lacking is not None:
            feature, what = lacking
            raise InputError(
                f"{cloud.name}: features asks for {feature!r} but the cloud has no {what}; take a "
                f"backbone that was pretrained without {feature!r}, or data with {what}"
            )

    def _voxelize(self, cloud: LabelledCloud) -> tuple[LabelledVoxels, NDArray[np.int64]]:
        size = self.network_input.voxel_size
        try:
            if cloud.time is None:
                rows, coordinates, inverse = voxelize_with_inverse(cloud.points, size)
            else:
                rows, coordinates, inverse = voxelize_frames(cloud.points, cloud.time, size)
        except InputError as error:
            raise InputError(f"{cloud.name}: {error}") from error
        coordinates[:, :3] -= coordinates[:, :3].min(axis=0)
        kept = cloud[rows]
        assert kept.heights is not None, "given by _with_heights"
        labels = cloud.labels
        if labels is not None:
            labels = merge_labels(labels, inverse, len(rows), IGNORE, UNANNOTATED)
        return LabelledVoxels(
            coordinates=coordinates,
            points=kept.points,
            heights=kept.heights,
            colors=kept.colors,
            normals=kept.normals,
            labels=labels,
            box_rows=kept.box_rows,
        ), inverse


def _with_heights(cloud: LabelledCloud) -> LabelledCloud:
    """Add the heights of the points before augmentation."""
    return replace(cloud, heights=cloud.points[:, 2] - np.float32(cloud.floor_height))


def collate_samples(samples: Sequence[LabelledSample], max_voxels: int = 0) -> LabelledBatch:
    """Concatenate samples to a batch; the batch index becomes column 0 of the coordinates.

    A sample that would exceed ``max_voxels`` is dropped and counted, as by ``limit_numpoints`` of
    SpatioTemporalSegmentation and PointContrast
    (``downstream/semseg/lib/transforms.py cfl_collate_fn_factory``).

    Deviations: the first sample is always kept, where the authors' code makes an empty batch and
    fails; samples after a dropped one are kept if they fit.

    Args:
        samples: At least one sample, all with the same dimensions and channels.
        max_voxels: Maximum number of voxels; 0 for no limit.

    Returns:
        Batch of at least one sample.
    """
    kept: list[LabelledSample] = []
    num_voxels = 0
    for sample in samples:
        if not kept or not max_voxels or num_voxels + len(sample) <= max_voxels:
            kept.append(sample)
            num_voxels += len(sample)
    offsets = (0, *accumulate(len(sample) for sample in kept))
    coordinates = np.empty((num_voxels, 1 + kept[0].coordinates.shape[1]), np.int32)
    coordinates[:, 0] = np.repeat(np.arange(len(kept)), np.diff(offsets))
    np.concatenate([sample.coordinates for sample in kept], out=coordinates[:, 1:])

    def joined(name: str) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([getattr(sample, name) for sample in kept]))

    return LabelledBatch(
        names=tuple(sample.name for sample in kept),
        coordinates=torch.from_numpy(coordinates),
        points=joined("points"),
        features=joined("features"),
        labels=joined("labels").long(),
        categories=torch.tensor([sample.category for sample in kept], dtype=torch.int64),
        boxes=_padded([sample.boxes for sample in kept]),
        box_rows=joined("box_rows"),
        offsets=offsets,
        num_dropped=len(samples) - len(kept),
    )


def _padded(boxes: list[NDArray[np.float32]]) -> torch.Tensor:
    """Pad the boxes of B samples to (B, K, 8); padding has class ``IGNORE`` and is 0 otherwise."""
    padded = np.zeros((len(boxes), max(map(len, boxes)), 8), np.float32)
    padded[..., 7] = IGNORE
    for row, some in zip(padded, boxes, strict=True):
        row[: len(some)] = some
    return torch.from_numpy(padded)
