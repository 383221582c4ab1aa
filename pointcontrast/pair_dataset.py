"""Prepared pairs to training samples: what a worker process of the data loader does."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from pointcontrast.correspondences import find_correspondences
from pointcontrast.errors import InputError
from pointcontrast.network_input import NetworkInput
from pointcontrast.stream import SampleKey
from pointcontrast.types import Pair, PairSample, PointCloud
from pointcontrast.view_store import ViewStore


class PairDataset(Dataset[PairSample]):
    """Training pairs by (epoch, index): sample and augmentation depend on these and the seed."""

    def __init__(
        self,
        root: Path,
        pairs: list[Pair],
        network_input: NetworkInput,
        *,
        match_radius: float,
        seed: int,
    ) -> None:
        """Describe the data; files are opened when a sample is first read.

        Args:
            root: folder of prepared scenes.
            pairs: the pairs to serve.
            network_input: how views become network input.
            match_radius: correspondences are closer than this many voxels.
            seed: of the augmentations.
        """
        self.root = root
        self.pairs = pairs
        self.network_input = network_input
        self.match_radius = match_radius
        self.seed = seed

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.pairs)

    def __getitem__(self, key: SampleKey) -> PairSample:
        """The pair ``key = (epoch, index)``, each view augmented for itself."""
        epoch, index = key
        pair = self.pairs[index]
        store = open_store(self.root / pair.scene)
        rng = np.random.default_rng([self.seed, epoch, index])
        try:
            view0, view1 = (
                self.network_input(cloud, store.meta.up, store.meta.floor_height, rng)
                for cloud in (self._read(store, pair.view0), self._read(store, pair.view1))
            )
        except InputError as error:
            raise InputError(f"{store.path}: {error}") from None
        correspondences = find_correspondences(
            view0.points, view1.points, self.match_radius * self.network_input.voxel_size
        )
        return PairSample(pair=pair, view0=view0, view1=view1, correspondences=correspondences)

    def _read(self, store: ViewStore, view: int) -> PointCloud:
        features = self.network_input.features
        return store.read(view, colors="color" in features, normals="normal" in features)


@lru_cache(maxsize=64)
def open_store(path: Path) -> ViewStore:
    """A view store, kept open: a process reads from few scenes at a time."""
    return ViewStore(path)
