"""Predictions for point clouds by a finetuned network: :func:`load`.

``network = downstream.load("runs/s3dis/TIME")`` and then ``network(points, colors)``. Everything
comes from the network's file; the data that it was trained on is not needed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from downstream.boxes.geometry import corners
from downstream.detector import Detector
from downstream.heads import Predicts
from downstream.network_file import FinetunedNetwork, read_network
from downstream.predictor import CloudPrediction, make_predictor
from downstream.tasks import ClassTask
from downstream.tasks.detection import likeliest_of_each
from downstream.types import DetectedBoxes, LabelledCloud
from pointcontrast.data.array_clouds import ArrayClouds, Arrays, read_clouds
from pointcontrast.errors import InputError
from pointcontrast.feature_network import MAX_VOXELS, OVERLAP
from pointcontrast.geometry import rotation_between, unit_vector
from pointcontrast.sparse import EngineName
from pointcontrast.weights.pretrained import local_weights

Z = np.array([0.0, 0.0, 1.0])
MIN_SCORE = 0.5


@dataclass(frozen=True, kw_only=True)
class PointLabels:
    """A class for each of N points, out of K.

    Attributes:
        labels: (N,) int64 rows of ``class_names``; a tensor on the points' device where these are
            a tensor, as are ``probabilities``.
        probabilities: (N, K) float32; rows sum to 1.
        class_names: K names.
    """

    labels: Any
    probabilities: Any
    class_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CloudLabel:
    """A class for a whole cloud, out of K.

    Attributes:
        label: Row of ``class_names``.
        probabilities: (K,) float32; they sum to 1.
        class_names: K names.
    """

    label: int
    probabilities: Any
    class_names: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the predicted class."""
        return self.class_names[self.label]


@dataclass(frozen=True, kw_only=True)
class Boxes:
    """Objects found in a cloud: P boxes, highest score first.

    Attributes:
        centers: (P, 3) float64 metres, in the frame of the input.
        sizes: (P, 3) float64 full sizes in metres: length, width and height.
        yaws: (P,) float64 radians about the up direction.
        corners: (P, 8, 3) float64 metres, in the frame of the input.
        labels: (P,) int64 rows of ``class_names``.
        scores: (P,) float32 confidences, 0..1.
        class_names: Names of the classes.
    """

    centers: NDArray[np.float64]
    sizes: NDArray[np.float64]
    yaws: NDArray[np.float64]
    corners: NDArray[np.float64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        """The number of boxes."""
        return len(self.centers)


Prediction = PointLabels | CloudLabel | Boxes


class PredictionNetwork:
    """A finetuned network as a function from points to predictions; made by :func:`load`.

    Attributes:
        finetuned: The network with all that its file records.
        class_names: Names of the classes.
        predicts: ``points``, ``clouds`` or ``boxes``.
        category_names: Categories of shapes, one of which a call needs; None for other networks.
    """

    def __init__(self, finetuned: FinetunedNetwork, device: torch.device | str | None) -> None:
        """Take a network to ``device``; None is a GPU if there is one."""
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.finetuned = finetuned
        self.device = torch.device(device)
        self.task = finetuned.task()
        self.class_names = finetuned.class_names
        self.predicts: Predicts = self.task.predicts
        self.network_input = finetuned.backbone.network_input
        self.category_names: Sequence[str] | None = (
            self.task.category_names if isinstance(self.task, ClassTask) else None
        )
        finetuned.network.to(self.device).eval()

    def __repr__(self) -> str:
        """One line: what is predicted, input, device."""
        what = {"points": "labels of points", "clouds": "labels of clouds", "boxes": "boxes"}
        return (
            f"PredictionNetwork({what[self.predicts]} of {len(self.class_names)} classes from "
            f"{' and '.join(self.network_input.features)} at {self.network_input.voxel_size:g} m "
            f"voxels, {self.device})"
        )

    def __call__(
        self,
        points: Arrays,
        colors: Arrays | None = None,
        *,
        normals: Arrays | None = None,
        up: ArrayLike = (0.0, 0.0, 1.0),
        category: str | Sequence[str] | None = None,
        num_votes: int = 1,
        min_score: float = MIN_SCORE,
        max_voxels: int = MAX_VOXELS,
        overlap: float = OVERLAP,
    ) -> Any:
        """Predict the labels of points or clouds, or boxes.

        Args:
            points: (N, 3) metres: a list, an array, or a tensor on any device; or a sequence of
                such clouds. Shapes may have any unit.
            colors: (N, 3) RGB: uint8, or floats 0..1 or 0..255, told apart by their range; needed
                by networks with the input feature ``color``. A sequence for several clouds.
            normals: (N, 3) unit vectors; needed by networks with the input feature ``normal``.
            up: (3,) up direction of the clouds.
            category: Name of the shape's category, for networks that label the parts of shapes;
                a sequence for several clouds.
            num_votes: Turns about the vertical whose probabilities are averaged; not for boxes.
            min_score: Smallest score of a box.
            max_voxels: A cloud with more voxels goes through the network in overlapping blocks,
                where points are labelled.
            overlap: Width in metres of the surroundings that a block sees around its own part.

        Returns:
            :class:`PointLabels`, :class:`CloudLabel` or :class:`Boxes`, by what the network was
            trained for; a list of them for several clouds.

        Raises:
            InputError: An array is not as described, is empty, not finite or in half precision;
                colours, normals or a category that the network needs is missing; or the cloud is
                too large for its voxels to be numbered or to be cut into blocks.
        """
        has_unit = not self.finetuned.preparation.unit_sphere
        voxel_size = self.network_input.voxel_size if has_unit else None
        clouds = read_clouds(points, colors, normals, voxel_size)
        clouds.require(self.network_input.features)
        categories = self._categories(category, clouds)
        upright = rotation_between(unit_vector(up, "up"), Z)
        predictor = make_predictor(
            self.finetuned,
            self.task,
            device=self.device,
            max_voxels=max_voxels,
            overlap=overlap,
            num_votes=num_votes,
            probabilities=True,
        )
        found = []
        for index, row in enumerate(categories):
            cloud = self._prepare(clouds, index, upright, row)
            if isinstance(predictor, Detector):
                boxes = likeliest_of_each(predictor(cloud), min_score)
                found.append(self._boxes(boxes, upright, clouds.origins[index]))
            else:
                found.append(self._labels(predictor(cloud), clouds, index))
        return found[0] if clouds.is_single else found

    def _categories(
        self, category: str | Sequence[str] | None, clouds: ArrayClouds
    ) -> list[int | None]:
        """Row of the category of each cloud; None for networks without categories."""
        count = len(clouds.clouds)
        if self.category_names is None:
            if category is not None:
                raise InputError("this network knows no categories of shapes; leave category out")
            return [None] * count
        names = [category] * count if category is None or isinstance(category, str) else category
        if len(names) != count:
            raise InputError(f"category holds {len(names)} names for {count} clouds")
        rows: list[int | None] = []
        for name in names:
            if name not in self.category_names:
                raise InputError(
                    f"category {name!r} must be one of {', '.join(self.category_names)}"
                )
            rows.append(self.category_names.index(name))
        return rows

    def _prepare(
        self, clouds: ArrayClouds, index: int, upright: NDArray[np.float64], category: int | None
    ) -> LabelledCloud:
        """The cloud with z up, as the network's benchmark prepares its own."""
        given = clouds.clouds[index]
        return self.finetuned.preparation.cloud(
            clouds.name(index),
            _turned(given.points, upright),
            colors=given.colors,
            normals=None if given.normals is None else _turned(given.normals, upright),
            category=category,
        )

    def _labels(self, found: CloudPrediction, clouds: ArrayClouds, index: int) -> Prediction:
        assert found.probabilities is not None
        if self.predicts == "clouds":
            return CloudLabel(
                label=int(found.voxel_classes[0]),
                probabilities=clouds.like_input(index, found.probabilities[0]),
                class_names=self.class_names,
            )
        assert found.point_classes is not None
        labels, probabilities = found.point_classes, found.probabilities
        everything = clouds.clouds[index].points
        if len(labels) < len(everything):  # some were drawn: the others take the nearest's
            rows = self.finetuned.preparation.rows(clouds.name(index), len(everything))
            nearest = KDTree(everything[rows]).query(everything)[1]
            labels, probabilities = labels[nearest], probabilities[nearest]
        return PointLabels(
            labels=clouds.like_input(index, labels),
            probabilities=clouds.like_input(index, probabilities),
            class_names=self.class_names,
        )

    def _boxes(
        self, found: DetectedBoxes, upright: NDArray[np.float64], origin: NDArray[np.float64]
    ) -> Boxes:
        order = np.argsort(-found.scores, kind="stable")
        boxes = found.boxes[order].astype(np.float64)
        return Boxes(
            centers=boxes[:, :3] @ upright + origin,
            sizes=boxes[:, 3:6],
            yaws=boxes[:, 6],
            corners=corners(boxes) @ upright + origin,
            labels=found.classes[order],
            scores=found.scores[order],
            class_names=self.class_names,
        )


def load(
    source: str | os.PathLike[str],
    *,
    device: torch.device | str | None = None,
    engine: EngineName = "auto",
    sha256: str | None = None,
) -> PredictionNetwork:
    """Load a finetuned network as a function from points to predictions.

    Args:
        source: A run's folder (its best network is taken), a network file, or an ``http(s)``
            address.
        device: Device to run on; None is a GPU if there is one, else the CPU.
        engine: Sparse engine: ``auto``, ``native`` or ``minkowski``.
        sha256: SHA-256 that the file must have; see
            :func:`pointcontrast.weights.pretrained.from_pretrained`.

    Raises:
        InputError: The file is absent, damaged, or not of a finetuned network.
    """
    path = local_weights(source if isinstance(source, str) else Path(source), sha256)
    return PredictionNetwork(read_network(path, engine), device)


def _turned(vectors: NDArray[np.float32], rotation: NDArray[np.float64]) -> NDArray[np.float32]:
    if np.array_equal(rotation, np.eye(3)):
        return vectors
    return vectors @ rotation.T.astype(np.float32)
