"""The contract of benchmarks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from downstream.benchmarks.cloud_preparation import CloudPreparation
from downstream.tasks import Task
from downstream.types import LabelledCloud

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Benchmark(ABC):
    """A dataset with its metric: clouds by name, in three splits.

    Attributes:
        arguments: Arguments of the constructor, enough to open the same benchmark again.
        class_names: Names of the classes, in the order of the logits.
        final_split: Split on which published scores are measured.
        truth: Words for the ground truth that the task needs, in the plural.
        empty_truth: Words for ground truth that says nothing.
        keeps_unscored: Whether a run may have validation clouds whose ground truth is empty.
        world_from_camera: (4, 4) pose of the sensor in the frame of the cloud (x right, y down, z
            forward) if each cloud is the view of one sensor, for pictures; else None.
    """

    class_names: tuple[str, ...]
    final_split: Split = "test"
    truth: str = "labels"
    empty_truth: str = "every label is -1"
    keeps_unscored: bool = False
    world_from_camera: NDArray[np.float64] | None = None

    def __init__(self, **arguments: Any) -> None:
        """Store the arguments."""
        self.arguments = arguments

    def saved_arguments(self) -> dict[str, Any]:
        """Arguments for a network's file, JSON values, with those measured on the data."""
        return self.arguments

    @property
    @abstractmethod
    def task(self) -> Task:
        """Task: loss, prediction and scores."""

    @property
    def preparation(self) -> CloudPreparation:
        """Preparation of the points of a scan; by default there is none."""
        return CloudPreparation()

    @abstractmethod
    def names(self, split: Split) -> list[str]:
        """List the clouds of a split, sorted.

        Raises:
            InputError: the split has no cloud, or the data is missing.
        """

    @abstractmethod
    def read(self, name: str, rng: np.random.Generator | None = None) -> LabelledCloud:
        """Read one cloud.

        Args:
            name: Name from :meth:`names`.
            rng: Source of randomness for training, which may see a random part of the cloud each
                time; None for evaluation.

        Raises:
            InputError: a file is missing or damaged, or its classes are not the benchmark's.
        """

    def has_truth(self, name: str) -> bool:
        """Whether a cloud has the ground truth that the task needs, be it empty."""
        return True

    def any_truth(self, names: Sequence[str]) -> bool:
        """Whether the ground truth of any of these clouds, which all have one, is not empty."""
        return True

    def digest(self, name: str) -> str:
        """Digest of a cloud's contents, where the data record one; else empty."""
        return ""

    def take_classes(self, class_names: Sequence[str]) -> None:
        """Take the classes of a network, for data that name none; by default nothing."""
        del class_names

    def all_names(self, split: Split) -> list[str]:
        """List the clouds of a split, with those that the release has and ``root`` lacks."""
        return self.names(split)

    def fold(self) -> str | None:
        """Name of the fold of a cross-validation; None if there are no folds."""
        return None
