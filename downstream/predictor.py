"""Prediction of a cloud: the classes of its voxels and points, in blocks and with votes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from downstream.detector import Detector
from downstream.network import Network
from downstream.network_file import FinetunedNetwork
from downstream.samples import SampleMaker, collate_samples
from downstream.tasks import ClassTask, Detection, Task
from downstream.types import IGNORE, LabelledBatch, LabelledCloud, LabelledVoxels
from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_about

Z = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class CloudPrediction:
    """Predictions for one cloud, and its ground truth. M voxels, N points, K classes.

    Attributes:
        voxel_classes: (M,) int64 classes of the voxels, or (1,) of the cloud where it has one.
        voxel_labels: (M,) int64 ground truth, or (1,); ``IGNORE`` where it is not known.
        point_classes: (N,) int64 classes of the points as they were read, each that of its voxel;
            None where only the cloud has a class.
        point_labels: (N,) int64 ground truth; None likewise.
        probabilities: (N, K) float32 of the points, or (1, K) of the cloud where it has one class;
            rows sum to 1, and the largest is that of the predicted class. None unless asked for.
    """

    voxel_classes: NDArray[np.int64]
    voxel_labels: NDArray[np.int64]
    point_classes: NDArray[np.int64] | None = None
    point_labels: NDArray[np.int64] | None = None
    probabilities: NDArray[np.float32] | None = None


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """Predicts the classes of clouds of any size.

    The released evaluation (PointContrast ``downstream/semseg/lib/test.py``) sees a whole scene at
    once, without augmentation or votes. This is the same with ``num_votes`` 1 for clouds of at most
    ``max_voxels`` voxels.

    Attributes:
        network: Network in evaluation mode, on the device to use.
        task: Task that computes probabilities.
        maker: Converts clouds to samples, without augmentation.
        max_voxels: Voxels above which a cloud is computed in overlapping blocks.
        overlap: Context around each block, metres.
        num_votes: Rotations about the vertical, evenly spaced over 360 degrees, whose probabilities
            are summed at the points; 1 is the cloud without rotation.
        probabilities: Whether predictions contain probabilities, which take 4 N K bytes.
    """

    network: Network
    task: ClassTask
    maker: SampleMaker
    max_voxels: int = 2_000_000
    overlap: float = 1.0
    num_votes: int = 1
    probabilities: bool = False

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
            InputError: the cloud voxelises to nothing, lacks what the features or the task need,
                or cannot be cut into blocks small enough.
        """
        if self.task.category_names is not None and cloud.category is None:
            raise InputError(
                f"{cloud.name}: the category of the shape is needed; give one of "
                f"{', '.join(self.task.category_names)}"
            )
        voxels, inverse = self.maker.voxels(cloud)
        total = self._probabilities(cloud, voxels)
        if self.task.predicts == "clouds":
            for turned in self._turned(cloud):
                total += self._probabilities(turned, self.maker.voxels(turned)[0])
            category = IGNORE if cloud.category is None else cloud.category
            return CloudPrediction(
                voxel_classes=total.argmax(axis=1),
                voxel_labels=np.array([category]),
                probabilities=self._mean(total) if self.probabilities else None,
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
            total = total[inverse] if self.probabilities else total
        return CloudPrediction(
            voxel_classes=voxel_classes,
            voxel_labels=_labels(voxels.labels, len(voxels)),
            point_classes=point_classes,
            point_labels=_labels(cloud.labels, len(cloud)),
            probabilities=self._mean(total) if self.probabilities else None,
        )

    def _mean(self, total: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean over the votes of summed probabilities."""
        return (total / self.num_votes).astype(np.float32, copy=False)

    def _turned(self, cloud: LabelledCloud) -> list[LabelledCloud]:
        """Rotated copies of the cloud, for all votes but the first."""
        turned = []
        for vote in range(1, self.num_votes):
            rotation = rotation_about(Z, 2 * np.pi * vote / self.num_votes).astype(np.float32)
            normals = None if cloud.normals is None else cloud.normals @ rotation.T
            turned.append(replace(cloud, points=cloud.points @ rotation.T, normals=normals))
        return turned

    def _probabilities(self, cloud: LabelledCloud, voxels: LabelledVoxels) -> NDArray[np.float32]:
        """Compute the probabilities (M, K) of the voxels, or (1, K) of the cloud."""
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


def make_predictor(
    finetuned: FinetunedNetwork,
    task: Task,
    *,
    device: torch.device | str = "cpu",
    max_voxels: int = 2_000_000,
    overlap: float = 1.0,
    num_votes: int = 1,
    probabilities: bool = False,
) -> Predictor | Detector:
    """Make the predictor of a finetuned network; no data is read.

    Args:
        finetuned: Network with its input; it is moved to ``device``.
        task: Task of the file (``finetuned.task()``) or of a benchmark.
        device: Device to compute on.
        max_voxels: See :class:`Predictor`.
        overlap: See :class:`Predictor`.
        num_votes: See :class:`Predictor`; boxes have no votes.
        probabilities: See :class:`Predictor`; boxes have scores in any case.

    Returns:
        A :class:`Predictor`, from a cloud to a :class:`CloudPrediction`; for networks that detect
        a :class:`downstream.detector.Detector`, from a cloud to
        :class:`downstream.types.DetectedBoxes`.

    Raises:
        InputError: a value is out of range, or votes are asked of a network that detects boxes.
    """
    network = finetuned.network.to(device).eval()
    maker = SampleMaker(finetuned.backbone.network_input, None)
    if isinstance(task, ClassTask):
        return Predictor(
            network=network,
            task=task,
            maker=maker,
            max_voxels=max_voxels,
            overlap=overlap,
            num_votes=num_votes,
            probabilities=probabilities,
        )
    assert isinstance(task, Detection)
    if num_votes > 1:
        raise InputError("--votes sums probabilities of classes; boxes have none to sum")
    return Detector(network=network, task=task, maker=maker)


def overlap_in_voxels(overlap: float, voxel_size: float) -> int:
    """Convert an overlap from metres to voxels, rounded up."""
    return math.ceil(overlap / voxel_size)


def _labels(labels: NDArray[np.int32] | None, count: int) -> NDArray[np.int64]:
    return np.full(count, IGNORE) if labels is None else labels.astype(np.int64)


def _mean_rows(
    values: NDArray[np.float32], groups: NDArray[np.int64], num_groups: int
) -> NDArray[np.float64]:
    """Means (G, K) of the rows of ``values`` (N, K) by group; every group has a row."""
    counts = np.bincount(groups, minlength=num_groups)
    sums = [np.bincount(groups, column, num_groups) for column in values.T]
    return np.stack(sums, axis=1) / counts[:, None]
