"""Streams of batches, cut among ranks: what the data modules of both trainings share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sized
from typing import Any, ClassVar, Generic, TypeVar

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from pointcontrast.data.loading import (
    check_batch_sizes,
    samples_a_rank,
    training_stream,
    validation_keys,
)
from pointcontrast.data.stream import SampleKey, SampleStream
from pointcontrast.data.worker_processes import worker_context

DatasetT = TypeVar("DatasetT", bound=Sized)
BatchT = TypeVar("BatchT")


class StreamedDataModule(pl.LightningDataModule, ABC, Generic[DatasetT, BatchT]):
    """Training samples as one stream cut among ranks; validation samples one a batch.

    A subclass chooses its samples in :meth:`choose` and collates them in :meth:`loader`.
    """

    validation_epoch: ClassVar[int] = 0
    """The epoch in the keys of validation samples."""

    def __init__(
        self, batch_size: int, total_batch_size: int | None, num_workers: int, seed: int
    ) -> None:
        """Keep what streams are made of; see the subclasses' ``__init__``.

        Raises:
            InputError: a size is less than 1.
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
        """The samples to train on and those to validate on.

        Raises:
            InputError: there is nothing to train on, or the data are not as they must be.
        """

    @abstractmethod
    def loader(
        self, dataset: DatasetT, batches: Iterable[list[SampleKey]], num_workers: int
    ) -> DataLoader[Any]:
        """A loader of the batches that the keys name."""

    @abstractmethod
    def contents(self) -> dict[str, str]:
        """What ranks must have alike: name -> summary; there after ``setup``."""

    def setup(self, stage: str) -> None:
        """Choose the samples, once.

        Raises:
            InputError: see :meth:`choose`.
        """
        if self._chosen is None:
            self._chosen = self.choose()

    def start_importing(self) -> None:
        """Have what data workers need imported while the run is still starting."""
        if self.num_workers:
            worker_context(type(self.train_dataset).__module__)

    @property
    def train_dataset(self) -> DatasetT:
        """What to train on; there after ``setup``."""
        assert self._chosen is not None, "call setup first"
        return self._chosen[0]

    @property
    def validation_dataset(self) -> DatasetT:
        """What to validate on; there after ``setup``, perhaps empty."""
        assert self._chosen is not None, "call setup first"
        return self._chosen[1]

    @property
    def samples_a_rank(self) -> int:
        """Samples that this process takes a step.

        Raises:
            InputError: the number of processes does not divide total_batch_size.
        """
        num_ranks = 1 if self.trainer is None else self.trainer.world_size
        return samples_a_rank(self.batch_size, self.total_batch_size, num_ranks)

    def train_dataloader(self) -> DataLoader[BatchT]:
        """The stream of batches, from the step at which the run stands."""
        assert self.trainer is not None
        stream = training_stream(
            self.trainer, len(self.train_dataset), self.samples_a_rank, self.seed
        )
        return self.loader(self.train_dataset, stream, self.num_workers)

    def val_dataloader(self) -> DataLoader[BatchT]:
        """The validation samples, one a batch, always the same; each rank has every so many."""
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
        """The first batches of the training stream: what batch norm is recalibrated on.

        The same on all ranks, and of the size that batch norm sees in training.
        """
        stream = SampleStream(
            len(self.train_dataset), self.samples_a_rank, num_batches, seed=self.seed
        )
        return self.loader(self.train_dataset, stream, 0)
