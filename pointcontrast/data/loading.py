"""Samples to a data loader, for pretraining and finetuning."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from pointcontrast.data.stream import SampleKey, SampleStream
from pointcontrast.data.worker_processes import prepare_worker, worker_context
from pointcontrast.errors import InputError


def training_stream(
    trainer: pl.Trainer, num_samples: int, batch_size: int, seed: int
) -> SampleStream:
    """Make the stream of a rank's batches, from the run's current step on."""
    batches_per_step = trainer.accumulate_grad_batches
    return SampleStream(
        num_samples,
        batch_size,
        trainer.max_steps * batches_per_step,
        seed=seed,
        first_step=trainer.global_step * batches_per_step,
        rank=trainer.global_rank,
        num_ranks=trainer.world_size,
    )


def validation_keys(
    num_samples: int, epoch: int, rank: int, num_ranks: int
) -> list[list[SampleKey]]:
    """Return the keys of a rank's validation samples, one sample per batch.

    Rank r of n has the samples r, r + n, r + 2n, ... All ranks have the same number of batches,
    because Lightning skips the validation of a rank that has none: a shorter list is padded with
    batches without a sample.
    """
    own: list[list[SampleKey]] = [[(epoch, i)] for i in range(rank, num_samples, num_ranks)]
    return own + [[]] * (math.ceil(num_samples / num_ranks) - len(own))


def samples_per_rank(batch_size: int, total_batch_size: int | None, num_ranks: int) -> int:
    """Return the samples per step of a process.

    Args:
        batch_size: Samples per process and step, where there is no total.
        total_batch_size: Samples per step of all processes together, or None.
        num_ranks: Number of processes.

    Raises:
        InputError: The number of processes does not divide the total.
    """
    if total_batch_size is None:
        return batch_size
    if total_batch_size % num_ranks:
        raise InputError(
            f"data.total_batch_size {total_batch_size} is not divisible by the {num_ranks} "
            "processes (trainer.devices x trainer.num_nodes); change one of them, or give "
            "data.batch_size, which is a process's"
        )
    return total_batch_size // num_ranks


def check_batch_sizes(batch_size: int, total_batch_size: int | None) -> None:
    """Refuse batch sizes below 1.

    Raises:
        InputError: A size is below 1.
    """
    for name, size in (("batch_size", batch_size), ("total_batch_size", total_batch_size)):
        if size is not None and size < 1:
            raise InputError(f"data.{name} {size} must be at least 1")


def summary(samples: Sequence[object]) -> str:
    """Return the number of samples and a digest of their names, which ranks compare."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample}\n".encode())
    return f"{len(samples)} ({digest.hexdigest()[:12]})"


def make_loader(
    dataset: Dataset[Any],
    batches: Iterable[list[SampleKey]],
    collate: Callable[[list[Any]], Any],
    num_workers: int,
) -> DataLoader[Any]:
    """Make a loader of the batches that the keys name."""
    return DataLoader(
        dataset,
        batch_sampler=batches,  # pyright: ignore[reportArgumentType]
        collate_fn=collate,
        num_workers=num_workers,
        persistent_workers=False,
        multiprocessing_context=worker_context(type(dataset).__module__) if num_workers else None,
        worker_init_fn=prepare_worker if num_workers else None,
    )
