"""The contract of benchmarks."""

from __future__ import annotations

from abc import ABC, abstractmethod
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
        world_from_camera: (4, 4) pose of the sensor in the frame of the cloud (x right, y down, z
            forward) if each cloud is the view of one sensor, for pictures; else None.
    """

    class_names: tuple[str, ...]
    final_split: Split = "test"
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

    def fold(self) -> str | None:
        """Name of the fold of a cross-validation; None if there are no folds."""
        return None
