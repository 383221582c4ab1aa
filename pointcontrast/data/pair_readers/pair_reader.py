"""The contract between a kind of pair data and the training that eats it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np

from pointcontrast.data.network_input import FeatureName
from pointcontrast.types import Pair, RegisteredViews


class PairReader(ABC):
    """Named by import path under ``data.pairs`` in a configuration.

    A reader holds its settings and no open file: data loaders pickle it for their workers, which
    open what they need at the first read.

    Attributes:
        views_are_fixed: whether view i of a scene is the same points in every epoch. Only then
            can views be held out for validation; otherwise it must be scenes.
    """

    views_are_fixed: ClassVar[bool] = True

    @abstractmethod
    def list_pairs(self, root: Path, features: tuple[FeatureName, ...]) -> list[Pair]:
        """All pairs below ``root``, always in the same order.

        Args:
            root: the folder that ``data.root`` names.
            features: what the network is to be fed, so that data without it is refused before
                the training and not in it.

        Raises:
            InputError: the data is not there, is wrong, or lacks one of ``features``; the
                message names the file.
        """

    @abstractmethod
    def read(
        self,
        root: Path,
        pair: Pair,
        features: tuple[FeatureName, ...],
        rng: np.random.Generator,
    ) -> RegisteredViews:
        """The two views of a pair.

        Args:
            root: as in :meth:`list_pairs`.
            pair: one of those that it gave.
            features: the colours and normals that they need must come along, others need not.
            rng: the only source of randomness, fresh for each sample; not the one that augments
                the views, so that what is drawn here changes nothing there.

        Raises:
            InputError: a file is missing or damaged; the message names it.
        """
