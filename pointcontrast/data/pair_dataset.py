"""Pairs of views to training samples: what a worker process of the data loader does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from pointcontrast.data.correspondences import find_correspondences
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.data.pair_cropping import crop_pair
from pointcontrast.data.pair_readers import PairReader, StoredPairs
from pointcontrast.data.stream import SampleKey
from pointcontrast.errors import InputError
from pointcontrast.types import Pair, PairSample


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
        reader: PairReader | None = None,
        max_voxels: int = 0,
    ) -> None:
        """Describe the data; files are opened when a sample is first read.

        Args:
            root: folder of the data.
            pairs: the pairs to serve.
            network_input: how views become network input.
            match_radius: correspondences are closer than this many voxels.
            seed: of the augmentations, and of what the reader draws.
            reader: reads the pairs; None takes prepared scenes (:class:`StoredPairs`).
            max_voxels: a pair with a view of more is cut (:func:`crop_pair`); 0 for no limit.
        """
        self.root = root
        self.pairs = pairs
        self.network_input = network_input
        self.match_radius = match_radius
        self.seed = seed
        self.reader = StoredPairs() if reader is None else reader
        self.max_voxels = max_voxels

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.pairs)

    def __getitem__(self, key: SampleKey) -> PairSample:
        """The pair ``key = (epoch, index)``, each view augmented for itself."""
        epoch, index = key
        pair = self.pairs[index]
        rng = np.random.default_rng([self.seed, epoch, index])
        # Spawning draws nothing from rng: the augmentation is the same whatever the reader draws.
        views = self.reader.read(self.root, pair, self.network_input.features, rng.spawn(1)[0])
        try:
            view0, view1 = (
                self.network_input(cloud, views.up, views.floor_height, rng)
                for cloud in (views.view0, views.view1)
            )
        except InputError as error:
            raise InputError(f"{self.root / pair.scene}: {error}") from None
        correspondences = find_correspondences(
            view0.points, view1.points, self.match_radius * self.network_input.voxel_size
        )
        sample = PairSample(pair=pair, view0=view0, view1=view1, correspondences=correspondences)
        return crop_pair(sample, self.max_voxels, rng) if self.max_voxels else sample
