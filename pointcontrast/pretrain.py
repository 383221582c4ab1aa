"""Pretraining: the LightningModule.

From the command to the loss in two hops: ``tools/pretrain.py`` calls
:func:`pointcontrast.pretrain_cli.main`, and the step of :class:`PointContrast` calls the loss.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import nn
from torch.utils.data import DataLoader

from pointcontrast.backbones import Backbone
from pointcontrast.data.module import PairDataModule
from pointcontrast.data.pair_dataset import PairDataset
from pointcontrast.data.stream import mixed_seed
from pointcontrast.errors import InputError
from pointcontrast.losses import LossOutput
from pointcontrast.losses.gathering import (
    gather_objects,
    sum_over_ranks,
    take_buffers_of_first_rank,
)
from pointcontrast.retrieval import (
    INLIER_DISTANCE,
    NUM_CANDIDATES,
    RetrievalScores,
    check_num_candidates,
    collapse_problem,
    effective_rank,
    inlier_distance_at,
    mean_scores,
    score_pair,
)
from pointcontrast.runs.batch_norm import Pass, recalibrated_batch_norm
from pointcontrast.runs.passes import encode_in_passes
from pointcontrast.runs.schedules import Schedule, StepwiseExponential
from pointcontrast.runs.trained_module import TrainedModule
from pointcontrast.types import PairBatch, ViewBatch

ROWS_FOR_RANK = 1000
"""Rows of each validation view that enter the effective rank."""


@dataclass(frozen=True)
class _ScoredPair:
    """Scores and some features of a pair, kept until all ranks have scored their pairs."""

    index: int
    scores: RetrievalScores
    features: torch.Tensor


class PointContrast(TrainedModule):
    """Contrast two registered views of a scene, point by point.

    Both views go through the network in passes of their own, as in the released code: batch norm
    sees one side of the pairs at a time.

    Any ``pl.Trainer`` fits it, on a :class:`~pointcontrast.data.module.PairDataModule` or on plain
    loaders of a :class:`~pointcontrast.data.pair_dataset.PairDataset` with
    :func:`~pointcontrast.data.collate.collate_pairs`.
    """

    batch_class = PairBatch
    samples = "pairs"

    def __init__(
        self,
        backbone: Backbone,
        loss: nn.Module,
        optimizer: OptimizerCallable = lambda parameters: torch.optim.SGD(
            parameters, lr=0.05, momentum=0.8, weight_decay=1e-4
        ),
        schedule: Schedule | None = None,
        num_candidates: int = NUM_CANDIDATES,
        inlier_distance: float | None = None,
        calibration_batches: int = 8,
        pairs_a_pass: int | None = None,
        seed: int = 0,
    ) -> None:
        """Join the parts.

        Args:
            backbone: Network to pretrain.
            loss: PointInfoNCE, HardestContrastive, or another module with their call.
            optimizer: Function from groups of parameters to an optimiser; the default is that of
                the authors' PointInfoNCE launch script, ``scripts/ddp_launch.sh``. A configuration
                that names another class starts from that class's own defaults.
            schedule: Schedule of the learning rate; None: the authors' (StepwiseExponential).
            num_candidates: Candidates among which validation seeks the true match, 2 or more.
            inlier_distance: Distance in the world within which a nearest feature counts as right,
                metres; None: 0.1 m or two voxels, whichever is larger
                (:func:`pointcontrast.retrieval.inlier_distance_at`).
            calibration_batches: Training batches on which batch norm's statistics are measured
                before the network is scored or exported; 0: the moving averages are used, as in
                the released code.
            pairs_a_pass: Pairs per pass of the network. Only the features of a pass are kept, and
                the backward pass encodes its pairs again (``pointcontrast.runs.passes``). Memory is
                then that of one pass, the negatives are still those of the whole batch, and batch
                norm sees one pass at a time. None: the batch is encoded at once.
                (trainer.accumulate_grad_batches saves memory too, but each part of the batch then
                has its own negatives only.)
            seed: Seed of the loss's sampling; set from seed_everything.

        Raises:
            InputError: pairs_a_pass is less than 1, num_candidates less than 2, or neither the
                backbone nor the loss normalises the features.
        """
        super().__init__()
        if pairs_a_pass is not None and pairs_a_pass < 1:
            raise InputError(f"model.pairs_a_pass {pairs_a_pass} must be at least 1, or null")
        check_num_candidates(num_candidates)
        lengths_are_free = getattr(backbone, "normalize_output", True) is False
        if lengths_are_free and getattr(loss, "normalize", True) is False:
            raise InputError(
                f"{type(loss).__name__} takes rows of unit length, and the backbone does not "
                "normalise its output: set model.backbone.init_args.normalize_output, or "
                "model.loss.init_args.normalize, to true"
            )
        self.backbone = backbone
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = StepwiseExponential() if schedule is None else schedule
        self.num_candidates = num_candidates
        self.inlier_distance = inlier_distance
        self.calibration_batches = calibration_batches
        self.pairs_a_pass = pairs_a_pass
        self.seed = seed
        self.on_scored: Callable[[dict[str, float]], None] | None = None
        """Function called with the figures of each validation, while batch norm is calibrated."""
        self.num_dropped_pairs = 0
        self.num_cropped_pairs = 0
        self._scored: list[_ScoredPair] = []

    def configure_optimizers(self) -> Any:
        """Make the optimiser and its schedule, stepped after every optimiser step."""
        groups: list[dict[str, Any]] = [{"params": list(self.backbone.parameters())}]
        learnt_by_loss = list(self.loss.parameters())
        if learnt_by_loss:  # such as a temperature, which weight decay would draw to 1
            groups.append({"params": learnt_by_loss, "weight_decay": 0.0})
        return self.with_schedule(self.optimizer(groups))

    def training_step(self, batch: PairBatch, batch_idx: int) -> torch.Tensor:
        """Compute the loss of one batch of pairs."""
        self._count(batch)
        if self._leaves_out(batch):
            # Every step must have a loss, or the count of steps would fall behind the stream of
            # samples, and a resumed run would differ from one that was not interrupted.
            return self._nothing(self)
        output = self.loss_of(batch, (self.global_step, batch_idx, self.global_rank))
        self.log_step(output, len(batch))
        return output.loss

    def loss_of(self, batch: PairBatch, key: tuple[int, ...]) -> LossOutput:
        """Compute the loss of a batch of pairs; ``key`` and the seed decide all random draws."""
        return self.loss(
            self._encode(batch.view0),
            self._encode(batch.view1),
            batch.correspondences,
            self._generator(*key),
            offsets0=batch.view0.offsets if len(batch) else None,
            offsets1=batch.view1.offsets if len(batch) else None,
        )

    def _leaves_out(self, batch: PairBatch) -> bool:
        """Return whether this step computes nothing: there is no pair, here or on another rank."""
        if any(isinstance(layer, nn.SyncBatchNorm) for layer in self.backbone.modules()):
            empty = torch.tensor(float(not len(batch)), device=self.device)
            return bool(sum_over_ranks(empty) > 0)  # or ranks with a pair would wait for this one
        return not len(batch) and not getattr(self.loss, "gather_negatives", False)

    def _encode(self, view: ViewBatch) -> torch.Tensor:
        """Encode a view to (N, C); without a row, every weight still has a gradient, for DDP."""
        if not len(view.coordinates):
            channels = self.backbone.out_channels or self.backbone.num_features
            return self._nothing(self.backbone).expand(0, channels)
        if self.pairs_a_pass is not None:
            return encode_in_passes(self.backbone, view, self.pairs_a_pass)
        return self.backbone.encode(view.coordinates, view.features)

    @staticmethod
    def _nothing(module: nn.Module) -> torch.Tensor:
        """Return a 0 that gives every weight a gradient of 0."""
        return torch.stack([p.sum() for p in module.parameters()]).sum() * 0.0

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the counts of dropped and cropped pairs."""
        checkpoint["num_dropped_pairs"] = self.num_dropped_pairs
        checkpoint["num_cropped_pairs"] = self.num_cropped_pairs

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the counts; older checkpoints have none."""
        self.num_dropped_pairs = checkpoint.get("num_dropped_pairs", 0)
        self.num_cropped_pairs = checkpoint.get("num_cropped_pairs", 0)

    def _count(self, batch: PairBatch) -> None:
        self.num_dropped_pairs += batch.num_dropped
        if batch.num_dropped:
            self.log("train/dropped_pairs", float(self.num_dropped_pairs), batch_size=1)
        self.num_cropped_pairs += batch.num_cropped
        if batch.num_cropped:
            self.log("train/cropped_pairs", float(self.num_cropped_pairs), batch_size=1)

    def _generator(self, *key: int) -> torch.Generator:
        """Return a generator that depends on the seed and ``key`` alone."""
        return torch.Generator().manual_seed(mixed_seed(self.seed, *key))

    def calibrated(self) -> AbstractContextManager[None]:
        """Return a context in which batch norm's statistics are those of the current weights."""
        return recalibrated_batch_norm(self.backbone, self._passes(self._calibration_data()))

    def _calibration_data(self) -> Iterable[PairBatch]:
        """Training batches from our data module, else from the trainer's loader, else none.

        A loader with persistent workers has one iterator, which is training's.
        """
        data: Any = self.trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(data, PairDataModule):
            return data.calibration_dataloader(self.calibration_batches)
        loader = self.trainer.train_dataloader  # None before training
        if not isinstance(loader, DataLoader) or loader.persistent_workers:
            return []
        return islice(loader, self.calibration_batches)

    def _passes(self, batches: Iterable[PairBatch]) -> Iterator[Pass]:
        """Each side of a batch of pairs is a pass of its own, as in training."""
        for batch in batches:
            if len(batch):
                for view in (batch.view0.to(self.device), batch.view1.to(self.device)):
                    yield partial(self.backbone.encode, view.coordinates, view.features)

    def on_validation_epoch_start(self) -> None:
        """Forget the scores of the validation before."""
        self._scored = []
        take_buffers_of_first_rank(self.backbone)

    def validation_step(self, batch: PairBatch, batch_idx: int) -> None:
        """Score held-out pairs, or none where other ranks have one more."""
        if not len(batch):
            return
        features0 = self.backbone.encode(batch.view0.coordinates, batch.view0.features)
        features1 = self.backbone.encode(batch.view1.coordinates, batch.view1.features)
        inlier_distance = self._inlier_distance()
        rows_of_matches = batch.correspondences[:, 0].contiguous()
        for number in range(len(batch)):
            index = (batch_idx * len(batch) + number) * self.trainer.world_size + self.global_rank
            start0, end0 = batch.view0.offsets[number : number + 2]
            start1, end1 = batch.view1.offsets[number : number + 2]
            first, last = torch.searchsorted(
                rows_of_matches, rows_of_matches.new_tensor([start0, end0])
            ).tolist()
            matches = batch.correspondences[first:last]
            scores = score_pair(
                features0[start0:end0],
                features1[start1:end1],
                batch.view0.points[start0:end0],
                batch.view1.points[start1:end1],
                matches - matches.new_tensor([start0, start1]),
                self._generator(index),
                num_candidates=self.num_candidates,
                inlier_distance=inlier_distance,
            )
            some = features0[start0 : end0 : max(1, (end0 - start0) // ROWS_FOR_RANK)].cpu()
            self._scored.append(_ScoredPair(index, scores, some))

    def _inlier_distance(self) -> float:
        """Return the distance given, or that of the voxels of the data at hand, metres."""
        dataset = getattr(self.trainer.val_dataloaders, "dataset", None)
        if self.inlier_distance is None and isinstance(dataset, PairDataset):
            return inlier_distance_at(dataset.network_input.voxel_size)
        return INLIER_DISTANCE if self.inlier_distance is None else self.inlier_distance

    def on_validation_epoch_end(self) -> None:
        """Log the means over pairs, and warn of a collapse."""
        scored = [pair for part in gather_objects(self._scored) for pair in part]
        if scored:  # in one order, so that sums do not depend on the number of ranks
            self._report_scores(sorted(scored, key=attrgetter("index")))

    def _report_scores(self, scored: Sequence[_ScoredPair]) -> None:
        features = torch.cat([pair.features for pair in scored])
        rank = effective_rank(features)
        figures = {
            **mean_scores([pair.scores for pair in scored]),
            "inlier_distance": self._inlier_distance(),
            "effective_rank": rank,
        }
        self.log_dict({f"validation/{name}": value for name, value in figures.items()})
        problem = collapse_problem(rank, features.shape[1], figures["negative_similarity"])
        is_told = self.trainer.is_global_zero and not self.trainer.sanity_checking
        if problem is not None and is_told:
            warnings.warn(f"collapse at step {self.global_step}: {problem}", stacklevel=1)
        if self.on_scored is not None:
            self.on_scored(figures)
