"""What the LightningModules of pretraining and of finetuning share."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch.optim.lr_scheduler import LambdaLR

from pointcontrast.losses import LossOutput
from pointcontrast.runs.schedules import Schedule


class TrainedModule(pl.LightningModule, ABC):
    """A module whose loss depends on its weights, a batch and a key of randomness alone.

    Attributes:
        batch_class: Dataclass of its batches; they have ``names``, one per sample.
        samples: Word for the samples of a batch in the names of figures, in the plural.
        seed: Seed of all its randomness.
        schedule: Schedule of the learning rate.
    """

    batch_class: ClassVar[type]
    samples: ClassVar[str]
    seed: int
    schedule: Schedule
    takes_new_settings: bool = False
    """Whether a resumed run takes the optimiser's settings from the configuration. Lightning
    restores those of the checkpoint."""
    _step_end: float | None = None
    _hyperparameters: Sequence[dict[str, Any]] = ()

    @abstractmethod
    def loss_of(self, batch: Any, key: tuple[int, ...]) -> LossOutput:
        """Compute the loss of a batch.

        Args:
            batch: Batch of ``batch_class``, not empty.
            key: (optimiser step, number of the batch, rank); with the seed, all that decides what
                is drawn at random.
        """

    @abstractmethod
    def calibrated(self) -> AbstractContextManager[None]:
        """Return a context in which the network is scored and written to files."""

    def paces(self) -> list[Callable[[int, int], float]]:
        """Return what follows the steps of a run: functions of (step, steps of the run)."""
        return [self.schedule.factor]

    def configure_callbacks(self) -> list[Callback]:
        """Score the network while it is calibrated, in any trainer."""
        attached = any(isinstance(c, CalibratedValidation) for c in self.trainer.callbacks)  # pyright: ignore[reportAttributeAccessIssue]
        return [] if attached else [CalibratedValidation()]

    def with_schedule(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Join the optimiser with the schedule, stepped after every optimiser step."""
        num_steps = self.trainer.max_steps
        if num_steps < 1:  # a trainer that counts epochs
            num_steps = int(min(self.trainer.estimated_stepping_batches, sys.maxsize))
        self._hyperparameters = [
            {name: value for name, value in group.items() if name != "params"}
            for group in optimizer.param_groups
        ]
        scheduler = LambdaLR(optimizer, lambda step: self.schedule.factor(step, num_steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_train_start(self) -> None:
        """Replace the restored hyperparameters where the run goes on under other settings."""
        if not self.takes_new_settings:
            return
        (optimizer,) = self.trainer.optimizers
        scheduler: Any = self.trainer.lr_scheduler_configs[0].scheduler
        scheduler.base_lrs = [given["lr"] for given in self._hyperparameters]
        factor = self.schedule.factor(self.global_step, self.trainer.max_steps)
        for group, given in zip(optimizer.param_groups, self._hyperparameters, strict=True):
            group.update(given, initial_lr=given["lr"], lr=given["lr"] * factor)

    def log_step(self, output: LossOutput, num_samples: int) -> None:
        """Log the loss, its terms, the learning rate and the samples per second of all ranks."""
        now, loss = time.perf_counter(), output.loss.detach()
        figures: dict[str, Any] = {f"train/{name}": value for name, value in output.terms.items()}
        figures["train/learning_rate"] = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.log_dict({**figures, "train/loss": loss}, batch_size=num_samples)
        self.log("loss", loss, prog_bar=True, logger=False, batch_size=num_samples)
        if self._step_end is not None:
            rate = num_samples * self.trainer.world_size / (now - self._step_end)
            self.log(f"{self.samples}/s", rate, prog_bar=True, logger=False, batch_size=1)
            self.log(f"train/{self.samples}_per_second", rate, batch_size=1)
        self._step_end = now

    def on_validation_end(self) -> None:
        """Leave the time of the validation out of the next step's rate."""
        self._step_end = None


class CalibratedValidation(Callback):
    """Enter :meth:`TrainedModule.calibrated` before a validation and leave it after.

    A callback, because only callbacks hear of an exception: whatever ends the validation, batch
    norm has its own statistics back.
    """

    def __init__(self) -> None:
        """Enter nothing yet."""
        self._entered = ExitStack()

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Calibrate, before the module's own hook."""
        assert isinstance(pl_module, TrainedModule)
        self._entered.enter_context(pl_module.calibrated())

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore, after the module's figures and files of the epoch."""
        self._entered.close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Restore."""
        self._entered.close()
