"""What every benchmark offers: which clouds, with which classes, scored how."""

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
    """Clouds by name, in three splits. One file and one class a benchmark.

    Attributes:
        arguments: what the constructor was given: enough to open the same benchmark again.
        class_names: what predictions mean, in the order of the rows of logits.
        final_split: where the benchmark's published figures are measured.
        world_from_camera: (4, 4) where each cloud is what one sensor saw, for pictures: the
            sensor's pose in the frame of the cloud, x right, y down, z forward; else None.
    """

    class_names: tuple[str, ...]
    final_split: Split = "test"
    world_from_camera: NDArray[np.float64] | None = None

    def __init__(self, **arguments: Any) -> None:
        """Remember the arguments."""
        self.arguments = arguments

    def saved_arguments(self) -> dict[str, Any]:
        """The arguments, with what gives a network's outputs their meaning; JSON values."""
        return self.arguments

    @property
    @abstractmethod
    def task(self) -> Task:
        """Loss, prediction and figures."""

    @property
    def preparation(self) -> CloudPreparation:
        """What is done to the points of a scan; by default nothing."""
        return CloudPreparation()

    @abstractmethod
    def names(self, split: Split) -> list[str]:
        """The clouds of a split, sorted.

        Raises:
            InputError: there is none, or the data is not there.
        """

    @abstractmethod
    def read(self, name: str, rng: np.random.Generator | None = None) -> LabelledCloud:
        """One cloud.

        Args:
            name: of :meth:`names`.
            rng: where training may see another part of it each time, such as a sample of its
                points; None for all of it.

        Raises:
            InputError: a file is missing or wrong, or its classes are not the benchmark's.
        """

    def fold(self) -> str | None:
        """Which part of a cross-validation this is; None where there is no such thing."""
        return None
