"""Streams of batches, divided among ranks: the base of both trainings' data modules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sized
from typing import Any, ClassVar, Generic, TypeVar

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from pointcontrast.data.loading import (
    check_batch_sizes,
    samples_per_rank,
    training_stream,
    validation_keys,
)
from pointcontrast.data.stream import SampleKey, SampleStream
from pointcontrast.data.worker_processes import worker_context

DatasetT = TypeVar("DatasetT", bound=Sized)
BatchT = TypeVar("BatchT")


class StreamedDataModule(pl.LightningDataModule, ABC, Generic[DatasetT, BatchT]):
    """Training samples as one stream divided among ranks; validation samples one per batch.

    A subclass chooses its samples in :meth:`choose` and collates them in :meth:`loader`.
    """

    validation_epoch: ClassVar[int] = 0
    """Epoch in the keys of validation samples."""

    def __init__(
        self, batch_size: int, total_batch_size: int | None, num_workers: int, seed: int
    ) -> None:
        """Store the arguments; see the subclasses' ``__init__``.

        Raises:
            InputError: A size is less than 1.
        """
        super().__init__()
        check_batch_sizes(batch_size, total_batch_size)
        self.batch_size = batch_size
        self.total_batch_size = total_batch_size
        self.num_workers = num_workers
        self.seed = seed
        self._chosen: tuple[DatasetT, DatasetT] | None = None

    @abstractmethod
    def choose(self) -> tuple[DatasetT, DatasetT]:
        """Choose the samples to train on and those to validate on.

        Raises:
            InputError: There is nothing to train on, or the data are wrong.
        """

    @abstractmethod
    def loader(
        self, dataset: DatasetT, batches: Iterable[list[SampleKey]], num_workers: int
    ) -> DataLoader[Any]:
        """Make a loader of the batches that the keys name."""

    @abstractmethod
    def contents(self) -> dict[str, str]:
        """Return digests of the data, by name, that all ranks and a resumed run must share.

        Call ``setup`` first.
        """

    def meaning(self) -> dict[str, Any]:
        """Return what the data say of a network's outputs, JSON values; after ``setup``."""
        return {}

    def setup(self, stage: str) -> None:
        """Choose the samples, once.

        Raises:
            InputError: see :meth:`choose`.
        """
        if self._chosen is None:
            self._chosen = self.choose()

    def start_importing(self) -> None:
        """Import the modules of data workers in the background while the run is starting."""
        if self.num_workers:
            worker_context(type(self.train_dataset).__module__)

    @property
    def train_dataset(self) -> DatasetT:
        """The samples to train on; call ``setup`` first."""
        assert self._chosen is not None, "call setup first"
        return self._chosen[0]

    @property
    def validation_dataset(self) -> DatasetT:
        """The samples to validate on, perhaps none; call ``setup`` first."""
        assert self._chosen is not None, "call setup first"
        return self._chosen[1]

    @property
    def samples_per_rank(self) -> int:
        """Samples per step of this process.

        Raises:
            InputError: The number of processes does not divide total_batch_size.
        """
        num_ranks = 1 if self.trainer is None else self.trainer.world_size
        return samples_per_rank(self.batch_size, self.total_batch_size, num_ranks)

    def train_dataloader(self) -> DataLoader[BatchT]:
        """Make the loader of the stream of batches, from the run's current step on."""
        assert self.trainer is not None
        stream = training_stream(
            self.trainer, len(self.train_dataset), self.samples_per_rank, self.seed
        )
        return self.loader(self.train_dataset, stream, self.num_workers)

    def val_dataloader(self) -> DataLoader[BatchT]:
        """Make the loader of the rank's validation samples, one per batch, always the same."""
        rank, num_ranks = (
            (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
        )
        keys = validation_keys(len(self.validation_dataset), self.validation_epoch, rank, num_ranks)
        return self.loader(self.validation_dataset, keys, self.num_validation_workers)

    @property
    def num_validation_workers(self) -> int:
        """Processes that load validation samples."""
        return self.num_workers

    def calibration_dataloader(self, num_batches: int) -> DataLoader[BatchT]:
        """Make the loader of the first training batches, on which batch norm is recalibrated.

        They are the same on all ranks, and of the size that batch norm sees in training.
        """
        stream = SampleStream(
            len(self.train_dataset), self.samples_per_rank, num_batches, seed=self.seed
        )
        return self.loader(self.train_dataset, stream, 0)
