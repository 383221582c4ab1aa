"""Samples to a data loader: what pretraining and finetuning share."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from typing import Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from pointcontrast.stream import SampleKey, SampleStream


def training_stream(
    trainer: pl.Trainer, num_samples: int, batch_size: int, seed: int
) -> SampleStream:
    """The stream of a rank's batches, from the step at which the run stands."""
    batches_a_step = trainer.accumulate_grad_batches
    return SampleStream(
        num_samples,
        batch_size,
        trainer.max_steps * batches_a_step,
        seed=seed,
        first_step=trainer.global_step * batches_a_step,
        rank=trainer.global_rank,
        num_ranks=trainer.world_size,
    )


def make_loader(
    dataset: Dataset[Any],
    batches: Iterable[list[SampleKey]],
    collate: Callable[[list[Any]], Any],
    num_workers: int,
) -> DataLoader[Any]:
    """A loader of the batches that the keys name."""
    return DataLoader(
        dataset,
        batch_sampler=batches,  # pyright: ignore[reportArgumentType]
        collate_fn=collate,
        num_workers=num_workers,
        persistent_workers=False,
        # Forked workers of a process with threads (OpenMP, Open3D) can deadlock.
        multiprocessing_context="spawn" if num_workers else None,
        worker_init_fn=_leave_signals_to_the_run if num_workers else None,
    )


def _leave_signals_to_the_run(_: int) -> None:
    """Terminals and SLURM signal all processes; the run ends its workers when it is ready."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
