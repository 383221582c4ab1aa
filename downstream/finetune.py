"""Finetuning: the LightningModule.

From the command to the loss in two hops: ``tools/finetune.py`` calls
:func:`downstream.finetune_cli.main`, and the step of :class:`Finetune` calls the task's loss.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable

from downstream.benchmarks import Benchmark
from downstream.data import FinetuneDataModule
from downstream.heads import HeadCallable, LinearHead
from downstream.initialization import InitializationReport, load_into_backbone
from downstream.network import Mode, Network
from downstream.predictor import overlap_in_voxels
from downstream.tasks import Task
from downstream.types import LabelledBatch
from pointcontrast.backbones import Backbone
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.data.stream import mixed_seed
from pointcontrast.errors import InputError
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
from pointcontrast.weights.pretrained import local_weights

SCRATCH = "scratch"
NO_SCORE = -1.0
"""Best main score before any: below all that there are."""
OVERLAP = 1.0
"""Metres that blocks of a large cloud see around themselves in validation."""


@dataclass(frozen=True, kw_only=True)
class _Ingredients:
    """What a network is made of, kept until the benchmark's classes are known.

    Not modules of the LightningModule itself: its checkpoints hold the network once.
    """

    network_input: NetworkInput
    backbone: Backbone
    head: HeadCallable
    weights: str
    mode: Mode
    accept_differences: Sequence[str]
    kernel_order: KernelOrder

    def network(self, task: Task) -> tuple[Network, InitializationReport | None]:
        """The network with its weights, and where they are from; None from scratch."""
        report = None
        if self.weights != SCRATCH:
            report = load_into_backbone(
                self.backbone,
                local_weights(self.weights),
                network_input=self.network_input,
                accept_differences=self.accept_differences,
                kernel_order=self.kernel_order,
            )
        head = self.head(self.backbone.level_channels, task.num_outputs)
        if head.predicts != task.predicts:
            raise InputError(
                f"model.head {type(head).__name__} puts out {head.predicts}, the benchmark wants "
                f"{task.predicts}: points take LinearHead or HierarchicalHead, clouds PoolingHead, "
                "boxes VoteNet (downstream.heads)"
            )
        return Network(self.backbone, head, self.mode), report


class Finetune(TrainedModule):
    """Train a head, and as much of a backbone as the mode says, on a benchmark's labels."""

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
        """Put the parts together.

        Args:
            benchmark: gives the loss and the figures; set from data.benchmark.
            network_input: how clouds become input; set from the data module.
            backbone: with fresh weights, without an output layer.
            head: takes the backbone's levels to logits.
            weights: ``scratch``; or a backbone file of ours, its run's folder, its address
                (``https://...#sha256=...``), or a ``.pth`` of the released code, loaded strictly:
                all of the backbone must be in it.
            mode: what is trained: full, decoder or linear (the head alone).
            accept_differences: in what the pretraining may differ from this run: voxel_size,
                features. The released recipes differ in both.
            kernel_order: of a ``.pth`` file's kernels, where it cannot be told from them: hybrid
                (MinkowskiEngine 0.4, all released files) or hypercube (0.5).
            optimizer: takes groups of parameters; the default is that of the released scripts
                (PointContrast ``downstream/semseg/scripts``) at S3DIS's learning rate.
            schedule: of the learning rate; None is the released PolyLR with power 0.9.
            batch_norm_momentum: of all layers, backbone and head, as it falls over the run; None
                leaves each layer its own.
            calibration_batches: training batches on which batch norm's statistics are measured
                before the network is scored or written; 0 takes the moving averages, as the
                released code does. For short runs. Where the mode leaves layers alone they are
                measured once, before training: features of other voxels or another input have
                other statistics, and a network from scratch has none.
            max_validation_voxels: a cloud with more is validated in blocks that overlap by a metre.
            seed: set from seed_everything.
        """
        super().__init__()
        self.benchmark = benchmark
        self._ingredients = _Ingredients(
            network_input=network_input,
            backbone=backbone,
            head=head,
            weights=weights,
            mode=mode,
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
        """Called with the figures of each validation and whether they are the best so far,
        while batch norm is calibrated."""
        self._num_dropped = 0

    @property
    def data(self) -> FinetuneDataModule:
        """The data module of the trainer at work."""
        return self.trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]

    def configure_model(self) -> None:
        """Build head and metric for the benchmark's classes, and load the weights; once.

        Not before: a run may make its own data, and the data says which classes there are.

        Raises:
            InputError: the weights are of another network or input; the message says which.
        """
        if hasattr(self, "network"):
            return
        self.task = self.benchmark.task
        self.network, self.initialization = self._ingredients.network(self.task)
        self.metric = self.task.new_metric()

    def configure_optimizers(self) -> Any:
        """The optimiser of what is trained, and its schedule, stepped after every step."""
        trained = [p for p in self.network.parameters() if p.requires_grad]
        return self.with_schedule(self.optimizer([{"params": trained}]))

    def on_train_batch_start(self, batch: LabelledBatch, batch_idx: int) -> None:
        """Set the momentum of batch norm, where it has a schedule."""
        if self.batch_norm_momentum is None:
            return
        momentum = self.batch_norm_momentum.momentum(self.global_step, self.trainer.max_steps)
        for layer in self.network.modules():
            if isinstance(layer, AnyBatchNorm):
                layer.momentum = momentum

    def training_step(self, batch: LabelledBatch, batch_idx: int) -> torch.Tensor:
        """The loss of one batch."""
        output = self.loss_of(batch, (self.global_step, batch_idx, self.global_rank))
        self.log_step(output, len(batch))
        self._num_dropped += batch.num_dropped
        if batch.num_dropped:
            self.log("train/dropped_clouds", float(self._num_dropped), batch_size=1)
        return output.loss

    def loss_of(self, batch: LabelledBatch, key: tuple[int, ...]) -> LossOutput:
        """The loss of a batch of clouds; ``key`` and the seed decide what dropout leaves out."""
        torch.manual_seed(mixed_seed(self.seed, *key))
        return self.task.loss(self.network(batch), batch)

    def on_validation_epoch_start(self) -> None:
        """Forget the validation before."""
        self.metric.reset()
        take_buffers_of_first_rank(self.network)

    def calibrated(self) -> AbstractContextManager[None]:
        """A context in which the network is scored and written."""
        if not self.calibration_batches or self.network.mode != "full":
            return nullcontext()
        return recalibrated_batch_norm(self.network, self._passes(self.data, self.network))

    def measure_frozen(self, data: FinetuneDataModule) -> None:
        """Measure the statistics of a network whose layers are not all trained, for good."""
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
        """Count the predictions of one cloud; of none where other ranks have one more."""
        if batch is None:
            return
        if self.task.predicts == "points":
            margin = overlap_in_voxels(OVERLAP, self.data.network_input.voxel_size)
            outputs = self.network.forward_in_blocks(batch, self.max_validation_voxels, margin)
        else:
            outputs = self.network(batch)
        self.task.update(self.metric, outputs, batch)

    def on_validation_epoch_end(self) -> None:
        """Log the figures, and tell whether they are the best.

        A main score of NaN is never better than a number, but better than nothing: a run whose
        validation cannot be scored keeps its last network as the best one.
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
        """Remember what a resumed run compares with."""
        checkpoint["best_score"] = self.best_score
        checkpoint["num_dropped"] = self._num_dropped

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from what was remembered."""
        self.best_score = checkpoint["best_score"]
        self._num_dropped = checkpoint["num_dropped"]
