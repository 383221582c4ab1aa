"""From a cloud to the classes of its voxels and points: blocks, votes, projection."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from downstream.collate import collate_samples
from downstream.network import Network
from downstream.samples import SampleMaker
from downstream.tasks import ClassTask
from downstream.types import IGNORE, LabelledBatch, LabelledCloud, LabelledVoxels
from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_about

Z = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class CloudPrediction:
    """What is predicted for one cloud, beside what is true. M voxels, N points.

    Attributes:
        voxel_classes: (M,) int64 of the voxels, or (1,) of the cloud where it has one class.
        voxel_labels: (M,) int64, or (1,); ``IGNORE`` where nothing is known.
        point_classes: (N,) int64 of the points as they were read, each that of its voxel; None
            where only the cloud has a class.
        point_labels: (N,) int64; None likewise.
    """

    voxel_classes: NDArray[np.int64]
    voxel_labels: NDArray[np.int64]
    point_classes: NDArray[np.int64] | None = None
    point_labels: NDArray[np.int64] | None = None


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """Runs a network on clouds of any size.

    The released evaluation (PointContrast ``downstream/semseg/lib/test.py``) sees a whole scene
    at once, without augmentation or votes; so does this with ``num_votes`` 1 wherever a cloud
    has no more than ``max_voxels`` voxels.

    Attributes:
        network: in evaluation mode, on the device to use.
        task: gives probabilities.
        maker: makes samples; without augmentation.
        max_voxels: a cloud with more goes through the network in overlapping blocks.
        overlap: metres that a block sees around the part that it decides on.
        num_votes: turns about the vertical, evenly through 360 degrees, whose probabilities are
            summed at the points; 1 is the cloud as it stands.
    """

    network: Network
    task: ClassTask
    maker: SampleMaker
    max_voxels: int = 2_000_000
    overlap: float = 1.0
    num_votes: int = 1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: one is out of range; the message names it.
        """
        if self.num_votes < 1 or self.max_voxels < 1 or not self.overlap >= 0:
            raise InputError(
                f"votes {self.num_votes} and max_voxels {self.max_voxels} must be 1 or more and "
                f"overlap {self.overlap} not negative"
            )

    @torch.inference_mode()
    def __call__(self, cloud: LabelledCloud) -> CloudPrediction:
        """Predict one cloud.

        Raises:
            InputError: the cloud voxelises to nothing, lacks what the features need, or cannot
                be cut into blocks small enough.
        """
        voxels, inverse = self.maker.voxels(cloud)
        total = self._probabilities(cloud, voxels)
        if self.task.predicts == "clouds":
            for turned in self._turned(cloud):
                total += self._probabilities(turned, self.maker.voxels(turned)[0])
            category = IGNORE if cloud.category is None else cloud.category
            return CloudPrediction(
                voxel_classes=total.argmax(axis=1), voxel_labels=np.array([category])
            )
        if self.num_votes > 1:
            total = total[inverse]
            for turned in self._turned(cloud):
                other, other_inverse = self.maker.voxels(turned)
                total += self._probabilities(turned, other)[other_inverse]
            point_classes = total.argmax(axis=1)
            voxel_classes = _mean_rows(total, inverse, len(voxels)).argmax(axis=1)
        else:
            voxel_classes = total.argmax(axis=1)
            point_classes = voxel_classes[inverse]
        return CloudPrediction(
            voxel_classes=voxel_classes,
            voxel_labels=_labels(voxels.labels, len(voxels)),
            point_classes=point_classes,
            point_labels=_labels(cloud.labels, len(cloud)),
        )

    def _turned(self, cloud: LabelledCloud) -> list[LabelledCloud]:
        """The cloud turned about the vertical, all votes but the first."""
        turned = []
        for vote in range(1, self.num_votes):
            rotation = rotation_about(Z, 2 * np.pi * vote / self.num_votes).astype(np.float32)
            normals = None if cloud.normals is None else cloud.normals @ rotation.T
            turned.append(replace(cloud, points=cloud.points @ rotation.T, normals=normals))
        return turned

    def _probabilities(self, cloud: LabelledCloud, voxels: LabelledVoxels) -> NDArray[np.float32]:
        """(M, K) of the voxels, or (1, K) of the cloud."""
        batch = self._batch(cloud, voxels)
        if self.task.predicts == "points":
            margin = overlap_in_voxels(self.overlap, self.maker.network_input.voxel_size)
            logits = self.network.forward_in_blocks(batch, self.max_voxels, margin)
        else:
            logits = self.network(batch)
        categories = batch.categories.expand(len(logits))
        return self.task.probabilities(logits.float(), categories).cpu().numpy()

    def _batch(self, cloud: LabelledCloud, voxels: LabelledVoxels) -> LabelledBatch:
        device = next(self.network.parameters()).device
        return collate_samples([self.maker.sample(cloud, voxels)]).to(device)


def overlap_in_voxels(overlap: float, voxel_size: float) -> int:
    """The voxels that an overlap in metres takes."""
    return math.ceil(overlap / voxel_size)


def _labels(labels: NDArray[np.int32] | None, count: int) -> NDArray[np.int64]:
    return np.full(count, IGNORE) if labels is None else labels.astype(np.int64)


def _mean_rows(
    values: NDArray[np.float32], groups: NDArray[np.int64], num_groups: int
) -> NDArray[np.float64]:
    """The means (G, K) of the rows of ``values`` (N, K) by group; every group has a row."""
    counts = np.bincount(groups, minlength=num_groups)
    sums = [np.bincount(groups, column, num_groups) for column in values.T]
    return np.stack(sums, axis=1) / counts[:, None]
