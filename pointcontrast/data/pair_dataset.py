"""Pairs of views to training samples: the work of a data loader's processes."""

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
    """Pairs of views as training samples; sample, epoch and seed decide all that is random.

    ``dataset[epoch, index]`` is the pair ``index`` with the augmentation of that epoch, and
    ``dataset[index]`` that of epoch :attr:`epoch`, so that a plain ``DataLoader`` takes it::

        loader = DataLoader(dataset, batch_size=4, shuffle=True, collate_fn=collate_pairs)
        for dataset.epoch in range(10):
            for batch in loader: ...

    Attributes:
        epoch: Epoch of ``dataset[index]``, 0 at first: set it before each epoch, or all epochs see
            the same augmentations. (Persistent workers keep the epoch that they started with.)
    """

    def __init__(
        self,
        root: Path | str,
        pairs: list[Pair],
        network_input: NetworkInput,
        *,
        match_radius: float = 1.5,
        seed: int = 0,
        reader: PairReader | None = None,
        max_voxels: int = 0,
    ) -> None:
        """Describe the data; files are opened when a sample is first read.

        Args:
            root: Folder of the data.
            pairs: Pairs to serve, from the reader's ``list_pairs``.
            network_input: Recipe that turns views into the network's input.
            match_radius: Distance below which points correspond, in voxels; 1.5 in the released
                code.
            seed: Seed of the augmentations, and of what the reader draws.
            reader: Reader of the pairs; None: prepared scenes (:class:`StoredPairs`).
            max_voxels: Largest number of voxels per view; a larger pair is cut
                (:func:`crop_pair`). 0: no limit.
        """
        self.epoch = 0
        self.root = Path(root)
        self.pairs = pairs
        self.network_input = network_input
        self.match_radius = match_radius
        self.seed = seed
        self.reader = StoredPairs() if reader is None else reader
        self.max_voxels = max_voxels

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    def __getitem__(self, key: SampleKey | int) -> PairSample:
        """Read the pair of ``key``, (epoch, index) or an index, and augment each view for itself.

        Raises:
            IndexError: There is no such pair.
            InputError: A file is missing or damaged, or lacks what the features need.
        """
        epoch, index = key if isinstance(key, tuple) else (self.epoch, range(len(self))[key])
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
