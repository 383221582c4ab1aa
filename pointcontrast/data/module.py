"""The LightningDataModule of pretraining, and the split into training and held-out pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from torch.utils.data import DataLoader

from pointcontrast.data.augment import Rotation
from pointcontrast.data.collate import collate_pairs
from pointcontrast.data.loading import make_loader, summary
from pointcontrast.data.network_input import FeatureName, NetworkInput
from pointcontrast.data.pair_dataset import PairDataset
from pointcontrast.data.pair_readers import PairReader, StoredPairs
from pointcontrast.data.source import DataSource
from pointcontrast.data.stream import SampleKey
from pointcontrast.data.streamed_data import StreamedDataModule
from pointcontrast.errors import InputError
from pointcontrast.types import Pair, PairBatch

Holdout = Literal["views", "scenes"]
NAMED = 3
"""Scenes that a note names."""
VALIDATION_EPOCH = 2**32 - 1
"""Epoch number of validation samples. No training sample has it, and it never changes: validation
samples are the same at every step."""


def split_pairs(
    pairs: list[Pair], holdout: Holdout, fraction: float
) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into those for training and those held out for validation.

    Args:
        pairs: All pairs.
        holdout: ``views`` holds out the last views of every scene, as one contiguous stretch, and
            drops the pairs with a view on either side; ``scenes`` holds out the last scenes.
        fraction: Fraction of the views or scenes to hold out, 0..1 (at least one, unless 0).

    Returns:
        The pairs for training, and the held-out pairs.

    Raises:
        InputError: The fraction is out of range.
    """
    if not 0 <= fraction < 1:
        raise InputError(
            f"data.holdout_fraction {fraction:g} must be at least 0 and below 1: with 1, nothing "
            "would be left to train on"
        )
    if fraction == 0:
        return pairs, []
    if holdout == "scenes":
        scenes = sorted({pair.scene for pair in pairs})
        held_out = set(scenes[len(scenes) - math.ceil(fraction * len(scenes)) :])
        return (
            [pair for pair in pairs if pair.scene not in held_out],
            [pair for pair in pairs if pair.scene in held_out],
        )
    num_views: dict[str, int] = {}
    for pair in pairs:
        num_views[pair.scene] = max(num_views.get(pair.scene, 0), pair.view0 + 1, pair.view1 + 1)
    first_held_out = {scene: n - math.ceil(fraction * n) for scene, n in num_views.items()}
    return (
        [p for p in pairs if max(p.view0, p.view1) < first_held_out[p.scene]],
        [p for p in pairs if min(p.view0, p.view1) >= first_held_out[p.scene]],
    )


def spread(pairs: list[Pair], count: int) -> list[Pair]:
    """Choose at most ``count`` of the pairs, evenly spaced through the list."""
    if len(pairs) <= count:
        return pairs
    return [pairs[i] for i in np.linspace(0, len(pairs) - 1, count).round().astype(int)]


class PairDataModule(StreamedDataModule[PairDataset, PairBatch]):
    """Pairs of registered views for pretraining and its validation."""

    validation_epoch = VALIDATION_EPOCH

    def __init__(
        self,
        root: str,
        pairs: PairReader | None = None,
        source: DataSource | None = None,
        batch_size: int = 4,
        num_workers: int = 2,
        voxel_size: float = 0.025,
        features: list[FeatureName] = ["ones"],  # noqa: B006 (jsonargparse needs the default itself)
        rotation: Rotation = "free",
        max_tilt: float = 0.0,
        color_jitter: float = 0.0,
        feature_noise: float = 0.01,
        match_radius: float = 1.5,
        max_voxels: int = 0,
        holdout: Holdout = "views",
        holdout_fraction: float = 0.2,
        num_validation_pairs: int = 32,
        total_batch_size: int | None = None,
        seed: int = 0,
    ) -> None:
        """Describe the data.

        Defaults are those of the released code (PointContrast
        ``pretrain/pointcontrast/lib/ddp_data_loaders.py`` at commit 47e8682).

        Args:
            root: Folder of the data: prepared scenes from tools/prepare_pairs.py, unless ``pairs``
                says otherwise.
            pairs: Reader of pairs from that folder (``pointcontrast.data.pair_readers``); null:
                prepared scenes.
            source: Source that makes the folder where it is missing or incomplete; null: the folder
                must exist.
            batch_size: Pairs per process and step.
            num_workers: Processes that load data; the numbers do not depend on it.
            voxel_size: Edge of a voxel, metres.
            features: Input features: ones (3 channels), color (3), normal (3), height (1).
            rotation: Rotation of each view: free, vertical (about the scene's up direction) or
                none.
            max_tilt: Bound of the tilts about x and y that go with vertical, radians.
            color_jitter: Strength of the change of colours, drawn for each view; 0: none.
            feature_noise: Standard deviation of the noise on the features.
            match_radius: Distance below which points correspond, in voxels.
            max_voxels: Largest number of voxels per view. A larger pair is cut to a region about
                one of its matches, so that a rare large one does not end the run for lack of
                memory. 0: no limit.
            holdout: Data held out for validation: the last views of each scene, or whole scenes
                (the only choice where pairs are cut anew at each step).
            holdout_fraction: Fraction of the views or scenes to hold out.
            num_validation_pairs: Largest number of held-out pairs that are scored.
            total_batch_size: Pairs per step of all processes together, in place of batch_size; the
                number of processes must divide it.
            seed: Seed of the order and the augmentation; set from seed_everything.

        Raises:
            InputError: A value is out of its range; the message names it.
        """
        super().__init__(batch_size, total_batch_size, num_workers, seed)
        self.root = Path(root)
        self.reader: PairReader = StoredPairs() if pairs is None else pairs
        self.source = source
        self.network_input = NetworkInput(
            voxel_size=voxel_size,
            features=tuple(features),
            rotation=rotation,
            max_tilt=max_tilt,
            color_jitter=color_jitter,
            feature_noise=feature_noise,
        )
        if not match_radius > 0:
            raise InputError(f"data.match_radius {match_radius} must be positive (voxels)")
        if max_voxels < 0:
            raise InputError(f"data.max_voxels {max_voxels} must not be negative")
        self.match_radius = match_radius
        self.max_voxels = max_voxels
        self.holdout: Holdout = holdout
        self.holdout_fraction = holdout_fraction
        self.num_validation_pairs = num_validation_pairs
        self._prepared = False
        self.notes: list[str] = []
        """Sentences for the user on the chosen pairs, after ``setup``."""

    def prepare_data(self) -> None:
        """Make the folder of the data where a source is given (one process per node does this)."""
        if self.source is not None and not self._prepared:
            self.source.prepare(self.root)
            self._prepared = True  # Lightning asks before each of validation and training

    def choose(self) -> tuple[PairDataset, PairDataset]:
        """Read the pair list and split it.

        Raises:
            InputError: There is no pair list, no pair is left to train on, or the split would hold
                nothing out.
        """
        if (
            self.holdout == "views"
            and self.holdout_fraction > 0
            and not self.reader.views_are_fixed
        ):
            raise InputError(
                f"data.holdout views holds nothing out with {type(self.reader).__name__}: its "
                "views are cut anew from whole scans at each step; set data.holdout to scenes, or "
                "data.holdout_fraction to 0"
            )
        pairs = self.reader.list_pairs(self.root, self.network_input.features)
        train, held_out = split_pairs(pairs, self.holdout, self.holdout_fraction)
        if not train:
            raise InputError(
                f"data.root {self.root} leaves no pair to train on ({len(pairs)} in all, "
                f"{len(held_out)} held out); add scenes or lower data.holdout_fraction"
            )
        self._note_gaps(train, held_out)
        return self._dataset(train), self._dataset(spread(held_out, self.num_validation_pairs))

    def _note_gaps(self, train: list[Pair], held_out: list[Pair]) -> None:
        """Note scenes without a pair to train on, and a split that holds nothing out."""
        known = set(self.reader.list_scenes(self.root))
        empty = sorted(known - {pair.scene for pair in [*train, *held_out]})
        if empty:
            more = ", ..." if len(empty) > NAMED else ""
            self.notes.append(
                f"{len(empty)} of the {len(known)} scenes in data.root {self.root} have no pair: "
                f"{', '.join(empty[:NAMED])}{more}"
            )
        if not held_out and self.holdout_fraction > 0:
            self.notes.append(
                f"no pair is held out with data.holdout {self.holdout} and data.holdout_fraction "
                f"{self.holdout_fraction:g}: the network is not scored"
            )

    def _dataset(self, pairs: list[Pair]) -> PairDataset:
        return PairDataset(
            self.root,
            pairs,
            self.network_input,
            match_radius=self.match_radius,
            seed=self.seed,
            reader=self.reader,
            max_voxels=self.max_voxels,
        )

    def contents(self) -> dict[str, str]:
        """Return the numbers of pairs and digests of the lists; call ``setup`` first."""
        return {
            "training_pairs": summary(self.train_dataset.pairs),
            "held_out_pairs": summary(self.validation_dataset.pairs),
        }

    def loader(
        self, dataset: PairDataset, batches: Iterable[list[SampleKey]], num_workers: int
    ) -> DataLoader[PairBatch]:
        """Make a loader of batches of pairs."""
        return make_loader(dataset, batches, collate_pairs, num_workers)

    @property
    def num_validation_workers(self) -> int:
        """Return 0: held-out pairs are few, and workers take seconds to start."""
        return 0
