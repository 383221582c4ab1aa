"""The stream of training samples, and seeds: randomness that depends on numbers alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

SampleKey = tuple[int, int]
"""(epoch, index of the sample); with the seed it determines a sample."""


class SampleStream(Sampler[list[SampleKey]]):
    """Batches of sample keys: each epoch is a permutation of the samples, divided among the ranks.

    Step s of rank r takes the places from (s * num_ranks + r) * batch_size on in the stream of
    permutations. So no sample comes twice in an epoch whatever the number of ranks, a batch may
    span two epochs, and a run resumed at step s continues as if it had never stopped. (The
    released sampler, PointContrast ``pretrain/pointcontrast/lib/data_sampler.py``, does not keep
    the ranks' permutations equal after the first.)
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        num_steps: int,
        *,
        seed: int,
        first_step: int = 0,
        rank: int = 0,
        num_ranks: int = 1,
    ) -> None:
        """Describe the stream.

        Args:
            num_samples: Samples in the data.
            batch_size: Samples per rank and step.
            num_steps: Steps of the whole run; the stream's length.
            seed: Seed of the permutations.
            first_step: Steps done before, by a run that is resumed; the iterator starts there.
            rank: Number of this process.
            num_ranks: Number of processes.
        """
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.num_steps = num_steps
        self.seed = seed
        self.first_step = first_step
        self.rank = rank
        self.num_ranks = num_ranks

    def __len__(self) -> int:
        """Return the steps of the whole run, including those before ``first_step``.

        Lightning counts a resumed run's steps from where it stopped up to this.
        """
        return self.num_steps

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Yield the batches from ``first_step`` on."""
        for step in range(self.first_step, self.num_steps):
            place = (step * self.num_ranks + self.rank) * self.batch_size
            yield [self._key(place + offset) for offset in range(self.batch_size)]

    def _key(self, place: int) -> SampleKey:
        epoch, position = divmod(place, self.num_samples)
        return epoch, int(_permutation(self.num_samples, self.seed, epoch)[position])


@lru_cache(maxsize=2)
def _permutation(num_samples: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(num_samples)


def mixed_seed(*numbers: int) -> int:
    """Combine numbers into one seed for PyTorch's generators, 0 to 2**63 - 1."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 1_000_003 + number + 1) % 2**63
    return mixed
