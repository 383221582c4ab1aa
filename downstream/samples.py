"""From a labelled cloud to what the network eats: augment, voxelise, compute the features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from downstream.augmentation.recipes import Augmentation
from downstream.types import (
    IGNORE,
    UNANNOTATED,
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
from pointcontrast.voxelize import merge_labels, voxelize_frames, voxelize_with_inverse


@dataclass(frozen=True)
class SampleMaker:
    """Makes samples of clouds.

    Voxels are floor(points / voxel_size) in the benchmark's own frame of reference, and are then
    counted from the smallest along each axis, as in PointContrast
    ``downstream/semseg/lib/voxelizer.py``: which points share a voxel depends on where the cloud
    stands in its frame, as in the published results, but no network sees how far from the origin
    that is. The first point of a voxel gives its colour and normal; its label is that of
    :func:`pointcontrast.voxelize.merge_labels`, in which unannotated points have no say.

    Attributes:
        network_input: what the backbone was pretrained on. Its voxel size and features count
            here; its rotation, colour jitter and noise are pretraining's.
        augmentation: None for none.
    """

    network_input: NetworkInput
    augmentation: Augmentation | None = None

    def __call__(self, cloud: LabelledCloud, rng: np.random.Generator | None) -> LabelledSample:
        """Make the sample of one cloud.

        Args:
            cloud: not changed.
            rng: source of the augmentation's draws; None for no augmentation, as in evaluation.

        Returns:
            The sample; the same for the same cloud and generator.

        Raises:
            InputError: as of :meth:`voxels`; or what the augmentation refuses.
        """
        if rng is None or self.augmentation is None:
            voxels, _ = self.voxels(cloud)
        else:
            voxels, boxes = self._augmented_voxels(cloud, self.augmentation, rng)
            cloud = replace(cloud, boxes=boxes)
        return self.sample(cloud, voxels)

    def sample(self, cloud: LabelledCloud, voxels: LabelledVoxels) -> LabelledSample:
        """The sample of a cloud's voxels, with what is known of the whole."""
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
        """The voxels of a cloud as it is, and the one that each point is in.

        Args:
            cloud: not changed. Where it has time, each frame is voxelised on its own.

        Returns:
            The voxels, and (N,) int64 rows of them.

        Raises:
            InputError: there is no point, one is not finite, the voxels cannot be numbered, or
                colours or normals that the features need are not there; the message names the
                cloud.
        """
        self._check(cloud)
        return self._voxelize(_with_heights(cloud))

    def features(self, voxels: LabelledVoxels) -> NDArray[np.float32]:
        """The network's input features of some voxels, (M, C) float32."""
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
        """The voxels of the cloud as it is changed, and its boxes."""
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
                f"{type(augmentation).__name__}.before_voxels must return what "
                "dataclasses.replace or indexing makes of the cloud that it is given"
            )
        self._check(changed)
        voxels, _ = self._voxelize(changed)
        return augmentation.after_voxels(voxels, rng), changed.boxes

    def _check(self, cloud: LabelledCloud) -> None:
        if not len(cloud):
            raise InputError(f"{cloud.name}: it holds no point; leave it out of the split")
        if not np.isfinite(cloud.points).all():
            raise InputError(f"{cloud.name}: points hold NaN or infinity; drop such points first")
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
    """The cloud, knowing how high its points are before they are augmented."""
    return replace(cloud, heights=cloud.points[:, 2] - np.float32(cloud.floor_height))
