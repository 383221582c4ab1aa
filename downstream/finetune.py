"""Finetuning: the LightningModule.

``tools/finetune.py`` calls :func:`downstream.finetune_cli.main`, which trains
:class:`Finetune`; its training step calls the loss of the benchmark's task.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable

from downstream.benchmarks import Benchmark
from downstream.data import FinetuneDataModule
from downstream.heads import HeadCallable, LinearHead
from downstream.initialization import InitializationReport
from downstream.network import SCRATCH, Mode, build_network
from downstream.predictor import overlap_in_voxels
from downstream.types import LabelledBatch
from pointcontrast.backbones import Backbone
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.data.stream import mixed_seed
from pointcontrast.losses import LossOutput
from pointcontrast.losses.gathering import take_buffers_of_first_rank
from pointcontrast.runs.batch_norm import (
    AnyBatchNorm,
    Pass,
    measure_batch_norm,
    recalibrated_batch_norm,
)
from pointcontrast.runs.schedules import BatchNormMomentum, PolynomialDecay, Schedule
from pointcontrast.runs.trained_module import TrainedModule
from pointcontrast.weights.formats import KernelOrder

NO_SCORE = -1.0
"""Best main score before the first validation; lower than any score."""
OVERLAP = 1.0
"""Metres of context around each block of a large cloud in validation."""


class Finetune(TrainedModule):
    """Train a head, and the part of a backbone that ``mode`` selects, on a benchmark's labels."""

    batch_class = LabelledBatch
    samples = "clouds"

    def __init__(
        self,
        benchmark: Benchmark,
        network_input: NetworkInput,
        backbone: Backbone,
        head: HeadCallable = LinearHead,
        weights: str = SCRATCH,
        mode: Mode = "full",
        accept_differences: list[str] = [],  # noqa: B006 (jsonargparse needs the default itself)
        kernel_order: KernelOrder = "auto",
        optimizer: OptimizerCallable = lambda parameters: torch.optim.SGD(
            parameters, lr=0.1, momentum=0.9, dampening=0.1, weight_decay=1e-4
        ),
        schedule: Schedule | None = None,
        batch_norm_momentum: BatchNormMomentum | None = None,
        calibration_batches: int = 0,
        max_validation_voxels: int = 2_000_000,
        seed: int = 0,
    ) -> None:
        """Store the parts; the network is built by :meth:`configure_model`.

        Args:
            benchmark: Benchmark, which defines loss and metric; set from data.benchmark.
            network_input: Input of the network; set from the data module.
            backbone: Backbone with fresh weights, without an output layer.
            head: Head, from the backbone's levels to logits or boxes.
            weights: ``scratch``, or pretrained weights: a backbone file, its run's folder, its
                address (``https://...#sha256=...``), or a ``.pth`` of the released code. Loading
                is strict: the file must hold the whole backbone.
            mode: Weights to train: full (all), decoder, or linear (the head only).
            accept_differences: Differences between pretraining and this run to accept: voxel_size,
                features. The released recipes differ in both.
            kernel_order: Order of the kernels in a ``.pth`` file, if it cannot be told from them:
                hybrid (MinkowskiEngine 0.4, all released files) or hypercube (0.5).
            optimizer: Optimizer, given groups of parameters. The default is that of the released
                scripts (PointContrast ``downstream/semseg/scripts``) at S3DIS's learning rate.
            schedule: Schedule of the learning rate; None for the released PolyLR, power 0.9.
            batch_norm_momentum: Schedule of batch norm's momentum in backbone and head; None for
                the momentum of each layer.
            calibration_batches: Training batches on which the statistics of batch norm are
                measured before the network is scored or written, for short runs. 0 for the moving
                averages, as in the released code. If the mode freezes layers, they are measured
                once, before training: other voxels or another input have other statistics, and a
                network from scratch has none.
            max_validation_voxels: Voxels above which a cloud is validated in overlapping blocks.
            seed: Seed of dropout; set from seed_everything.
        """
        super().__init__()
        self.benchmark = benchmark
        # The arguments are not modules of this one: checkpoints hold the network once
        self._build_network = partial(
            build_network,
            backbone=backbone,
            head=head,
            mode=mode,
            weights=weights,
            network_input=network_input,
            accept_differences=accept_differences,
            kernel_order=kernel_order,
        )
        self.optimizer = optimizer
        self.schedule = PolynomialDecay() if schedule is None else schedule
        self.batch_norm_momentum = batch_norm_momentum
        self.calibration_batches = calibration_batches
        self.max_validation_voxels = max_validation_voxels
        self.seed = seed
        self.initialization: InitializationReport | None = None
        self.best_score = NO_SCORE
        self.on_scored: Callable[[dict[str, float], bool], None] | None = None
        """Called with the scores of each validation and whether they are the best so far, while
        batch norm is calibrated."""
        self._num_dropped = 0

    @property
    def data(self) -> FinetuneDataModule:
        """Data module of the trainer."""
        return self.trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]

    def configure_model(self) -> None:
        """Build network and metric for the benchmark's classes and load the weights, once.

        The constructor cannot: a run may make its own data, which defines the classes.

        Raises:
            InputError: the weights are of another network or input; the message says which.
        """
        if hasattr(self, "network"):
            return
        self.task = self.benchmark.task
        self.network, self.initialization = self._build_network(self.task)
        self.metric = self.task.new_metric()

    def configure_optimizers(self) -> Any:
        """Optimizer of the trained weights, with its schedule per step."""
        trained = [p for p in self.network.parameters() if p.requires_grad]
        return self.with_schedule(self.optimizer([{"params": trained}]))

    def paces(self) -> list[Callable[[int, int], float]]:
        """Return the factor of the learning rate and the momentum of batch norm."""
        momentum = self.batch_norm_momentum
        return [*super().paces(), *([] if momentum is None else [momentum.momentum])]

    def on_train_batch_start(self, batch: LabelledBatch, batch_idx: int) -> None:
        """Set the momentum of batch norm if it has a schedule."""
        if self.batch_norm_momentum is None:
            return
        momentum = self.batch_norm_momentum.momentum(self.global_step, self.trainer.max_steps)
        for layer in self.network.modules():
            if isinstance(layer, AnyBatchNorm):
                layer.momentum = momentum

    def training_step(self, batch: LabelledBatch, batch_idx: int) -> torch.Tensor:
        """Compute the loss of one batch."""
        output = self.loss_of(batch, (self.global_step, batch_idx, self.global_rank))
        self.log_step(output, len(batch))
        self._num_dropped += batch.num_dropped
        if batch.num_dropped:
            self.log("train/dropped_clouds", float(self._num_dropped), batch_size=1)
        return output.loss

    def loss_of(self, batch: LabelledBatch, key: tuple[int, ...]) -> LossOutput:
        """Compute the loss of a batch; ``key`` and the seed determine dropout."""
        torch.manual_seed(mixed_seed(self.seed, *key))
        return self.task.loss(self.network(batch), batch)

    def on_validation_epoch_start(self) -> None:
        """Reset the metric, and share the buffers of the first rank."""
        self.metric.reset()
        take_buffers_of_first_rank(self.network)

    def calibrated(self) -> AbstractContextManager[None]:
        """Context in which the network is scored and written, with calibrated batch norm."""
        if not self.calibration_batches or self.network.mode != "full":
            return nullcontext()
        return recalibrated_batch_norm(self.network, self._passes(self.data, self.network))

    def measure_frozen(self, data: FinetuneDataModule) -> None:
        """Measure batch norm's statistics once if the mode freezes layers."""
        if self.calibration_batches and self.network.mode != "full":
            backbone = self.network.backbone

            def encode(batch: LabelledBatch) -> object:
                return backbone.encode(batch.coordinates, batch.features)

            measure_batch_norm(backbone, self._passes(data, encode))

    def _passes(
        self, data: FinetuneDataModule, run: Callable[[LabelledBatch], object]
    ) -> Iterator[Pass]:
        device = next(self.network.parameters()).device
        for batch in data.calibration_dataloader(self.calibration_batches):
            yield partial(run, batch.to(device))

    def validation_step(self, batch: LabelledBatch | None, batch_idx: int) -> None:
        """Count the predictions of one cloud; None if only other ranks have one left."""
        if batch is None:
            return
        if self.task.predicts == "points":
            margin = overlap_in_voxels(OVERLAP, self.data.network_input.voxel_size)
            outputs = self.network.forward_in_blocks(batch, self.max_validation_voxels, margin)
        else:
            outputs = self.network(batch)
        self.task.update(self.metric, outputs, batch)

    def on_validation_epoch_end(self) -> None:
        """Log the scores, and report whether they are the best.

        A main score of NaN is never better than a number. A run whose validation cannot be scored
        at all keeps its last network as the best one.
        """
        scores = self.task.scores(self.metric)
        self.log_dict({f"validation/{name}": value for name, value in scores.items()})
        main = scores[self.task.main_score]
        self.log(self.task.main_score, main, prog_bar=True, logger=False)
        is_best = main > self.best_score or (math.isnan(main) and self.best_score == NO_SCORE)
        if not math.isnan(main):
            self.best_score = max(main, self.best_score)
        elif self.trainer.is_global_zero:
            warnings.warn(
                f"{self.task.main_score} is NaN at step {self.global_step}: no label of the "
                "validation clouds counts",
                stacklevel=1,
            )
        if self.on_scored is not None:
            self.on_scored(scores, is_best)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the best score and the number of dropped clouds."""
        checkpoint["best_score"] = self.best_score
        checkpoint["num_dropped"] = self._num_dropped

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what :meth:`on_save_checkpoint` stored."""
        self.best_score = checkpoint["best_score"]
        self._num_dropped = checkpoint["num_dropped"]
