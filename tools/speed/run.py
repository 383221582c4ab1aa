"""A whole run: pairs per second by number of data workers, and the cost of checkpoints."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from tqdm import tqdm

from pointcontrast.data.collate import collate_pairs
from pointcontrast.data.loading import make_loader
from pointcontrast.data.module import PairDataModule
from pointcontrast.data.stream import SampleStream
from pointcontrast.pretrain_cli import PretrainCLI
from pointcontrast.runs.checkpoints import CHECKPOINT
from tools.speed.recorded_data import Rooms, prepared_pairs
from tools.speed.timing import Figures, seconds_of

BATCH_SIZE = 4
CHECKPOINT_EVERY = 250
"""Steps between checkpoints by default."""


class _StepTimes(Callback):
    """Seconds of each step, from the arrival of its batch to the update of the weights."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._start = 0.0

    def on_train_batch_start(self, *_: Any, **__: Any) -> None:
        self._start = time.perf_counter()

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.perf_counter() - self._start)


def benchmark_run(
    root: Path | None,
    num_pairs: int,
    steps: int,
    workers: list[int],
    voxel_size: float,
    variant: str,
    generated_rooms: int = 4,
    generated_frames: int = 40,
) -> Figures:
    """Load batches with each number of workers; then train, with a checkpoint after each step.

    Loading is what the run's own loader does (read, rotate, voxelise, match, collate), with
    no other work at the same time; the first batches, while workers start, are not counted. The
    share of a run that checkpoints take is for :data:`CHECKPOINT_EVERY`.

    Args:
        root: Prepared folder, or None; see :func:`prepared_pairs`.
        num_pairs: Pairs loaded for each number of workers.
        steps: Steps of training; the first two are not counted.
        workers: Numbers of workers to measure.
        voxel_size: Metres.
        variant: Variant of Res16UNet.
        generated_rooms: Rooms to generate where there are no recorded scans.
        generated_frames: Frames per room.
    """
    with prepared_pairs(root, Rooms(generated_rooms, generated_frames)) as folder:
        loaded = {
            f"pairs_per_second_{count}_workers": round(
                _loading(folder, count, num_pairs, voxel_size), 2
            )
            for count in workers
        }
        return {
            **loaded,
            **_checkpoints(folder, steps, voxel_size, variant),
            "num_pairs": num_pairs,
            "batch_size": BATCH_SIZE,
            "voxel_size": voxel_size,
            "variant": variant,
        }


def _loading(root: Path, num_workers: int, num_pairs: int, voxel_size: float) -> float:
    """Pairs per second."""
    data = PairDataModule(str(root), voxel_size=voxel_size, holdout_fraction=0)
    data.setup("fit")
    first = 2 * max(1, num_workers)  # batches that are ready while the workers start
    num_batches = first + num_pairs // BATCH_SIZE
    stream = SampleStream(len(data.train_dataset), BATCH_SIZE, num_batches, seed=0)
    start = 0.0
    loader = make_loader(data.train_dataset, stream, collate_pairs, num_workers)
    for place, _ in enumerate(tqdm(loader, desc=f"{num_workers} workers", unit="batch"), start=1):
        if place == first:
            start = time.perf_counter()
    return (num_batches - first) * BATCH_SIZE / (time.perf_counter() - start)


def _checkpoints(root: Path, steps: int, voxel_size: float, variant: str) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        cli = PretrainCLI([
            "--run_dir", str(run), "--data.root", str(root), "--data.voxel_size", str(voxel_size),
            "--data.num_workers", "0", "--data.batch_size", str(BATCH_SIZE),
            "--data.holdout_fraction", "0",
            "--model.backbone", "pointcontrast.backbones.Res16UNet",
            "--model.backbone.out_channels", "32", "--model.backbone.variant", variant,
            "--model.backbone.normalize_output", "true",
            "--model.loss", "pointcontrast.losses.PointInfoNCE",
            "--model.calibration_batches", "0",
            "--trainer.max_steps", str(steps), "--trainer.log_every_n_steps", "1",
            "--checkpoint_every", "1", "--picture", "false",
        ])  # fmt: skip
        times = _StepTimes()
        callbacks: list[pl.Callback] = cli.trainer.callbacks  # pyright: ignore
        callbacks.append(times)
        write_checkpoint, checkpoints = cli.trainer.save_checkpoint, []

        def timed(*args: Any, **kwargs: Any) -> None:
            checkpoints.append(seconds_of(lambda: write_checkpoint(*args, **kwargs)))

        cli.trainer.save_checkpoint = timed
        cli.run()
        size = (run / CHECKPOINT).stat().st_size
    step = statistics.median(times.seconds[2:])
    checkpoint = statistics.median(checkpoints)
    return {
        "step_seconds": round(step, 3),
        "checkpoint_seconds": round(checkpoint, 3),
        "checkpoint_megabytes": round(size / 1e6, 1),
        "checkpoint_share": round(checkpoint / (checkpoint + CHECKPOINT_EVERY * step), 6),
        "checkpoint_every": CHECKPOINT_EVERY,
    }
