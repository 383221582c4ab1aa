"""The contract between a kind of pair data and the training on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np

from pointcontrast.data.network_input import FeatureName
from pointcontrast.types import Pair, RegisteredViews


class PairReader(ABC):
    """A reader of pairs, named by import path under ``data.pairs`` in a configuration.

    A reader holds its settings and no open file: data loaders pickle it for their workers, which
    open files at the first read.

    Attributes:
        views_are_fixed: Whether view i of a scene has the same points in every epoch. Only then
            can views be held out for validation; otherwise scenes must be.
    """

    views_are_fixed: ClassVar[bool] = True

    @abstractmethod
    def list_pairs(self, root: Path, features: tuple[FeatureName, ...]) -> list[Pair]:
        """List all pairs below ``root``, always in the same order.

        Args:
            root: Folder that ``data.root`` names.
            features: Input features of the network; data without them is refused before the
                training.

        Raises:
            InputError: The data is missing, is wrong, or lacks one of ``features``; the message
                names the file.
        """

    def list_scenes(self, root: Path) -> list[str]:
        """List the scenes below ``root``, those without a pair too; empty where that is unknown."""
        return []

    @abstractmethod
    def read(
        self,
        root: Path,
        pair: Pair,
        features: tuple[FeatureName, ...],
        rng: np.random.Generator,
    ) -> RegisteredViews:
        """Read the two views of a pair.

        Args:
            root: Folder that ``data.root`` names.
            pair: Pair of :meth:`list_pairs`.
            features: Input features of the network; the views must have the colours and normals
                that these need, and may lack others.
            rng: Source of all randomness, fresh for each sample and independent of the one that
                augments the views.

        Raises:
            InputError: A file is missing or damaged; the message names it.
        """
