"""A run that can be stopped at any moment: when its checkpoint is written, and what it holds."""

from __future__ import annotations

import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint

from pointcontrast.errors import RunFailed
from pointcontrast.runs.checkpoints import (
    CHECKPOINT,
    FACTS,
    facts_entry,
    keep_as_last,
    write_checkpoint,
)
from pointcontrast.runs.stop_signals import StopSignals


class DurableCheckpointIO(TorchCheckpointIO):
    """Checkpoints on the disk before the call returns, read without running what is in them.

    Lightning's own writer goes through the system's folder of temporary files and syncs nothing.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint."""
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint: tensors and plain values, nothing else."""
        return torch.load(path, map_location=map_location or "cpu", weights_only=True)


class LastCheckpoint(Checkpoint):
    """Keep the newest checkpoint and the one before; stop gently where a signal asks for it.

    A checkpoint is of the end of a step. It is written a moment later, when the step's figures
    are logged and before anything else happens: before validation (so that a kill there loses no
    step), the next step, or the end. A run that goes on from it first validates, where the run
    before was about to.
    """

    def __init__(
        self, folder: Path, every_n_steps: int, signals: StopSignals, architecture: dict[str, Any]
    ) -> None:
        """Save to ``folder`` every so many optimiser steps, before each validation, at the end."""
        self.folder = folder
        self.every_n_steps = every_n_steps
        self.signals = signals
        self.architecture = architecture
        self.seconds: list[float] = []
        """That each checkpoint of this process took."""
        self._is_due = False
        self._saved_step = -1
        self._loops: dict[str, Any] | None = None
        """Of Lightning, at the end of the last step: from there it knows how to go on."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen for signals; catch up with the validation that a resumed run still owes."""
        self.signals.listen()
        self.signals.be_gentle(True)
        self._saved_step = trainer.global_step
        if trainer.global_step > 0 and self._validates_after(trainer, trainer.global_step):
            loop = trainer.fit_loop.epoch_loop.val_loop
            loop.restarting = False
            trainer.validating = True
            loop.run()
            trainer.training = True

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save what a kill during validation would lose."""
        self.signals.listen()
        self.signals.be_gentle(True)
        if trainer.state.fn == "fit":
            self._save(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """End at once where a signal came: the weights are saved, the scores can be had again."""
        if self.signals.received is not None and trainer.world_size == 1:
            raise KeyboardInterrupt

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Signals end the program at once again, but for training."""
        self.signals.be_gentle(trainer.state.fn == "fit")

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save the step before, where it is time."""
        if self._is_due:
            self._save(trainer)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Remember where the step ended; end the run where a signal came."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # half a step cannot be saved: its gradient would be lost
        self._loops = deepcopy(trainer.fit_loop.state_dict())
        self._is_due = trainer.global_step % self.every_n_steps == 0
        if self.signals.agreed(trainer) is not None:
            trainer.limit_val_batches = 0  # else Lightning validates before it stops
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the end."""
        self._save(trainer)
        self.signals.be_gentle(False)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave the last checkpoint as it is."""
        self.signals.be_gentle(False)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say what the file is; put in the loops as they were at the end of the step."""
        checkpoint[FACTS] = facts_entry(self.architecture)
        checkpoint["loops"]["fit_loop"] = self._loops

    def complete_last_step(self, trainer: pl.Trainer) -> None:
        """Do what was left of a run that was killed between its last step and its end.

        Lightning passes over all of ``fit`` where the steps are done: over the validation that is
        still owed, and over the counting of the last step, by which it numbers what is logged.
        """
        if self._validates_after(trainer, trainer.global_step):
            data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
            trainer.validate(trainer.lightning_module, datamodule=data, verbose=False)
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step

    def _save(self, trainer: pl.Trainer) -> None:
        self._is_due = False
        if trainer.global_step == self._saved_step or self._loops is None:
            return
        start = time.perf_counter()
        self._check_finite(trainer)
        partial = self.folder / f".{CHECKPOINT}.partial"  # one name: a kill leaves one at most
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            keep_as_last(partial)
        self._saved_step = trainer.global_step
        self.seconds.append(time.perf_counter() - start)

    def _check_finite(self, trainer: pl.Trainer) -> None:
        for name, value in trainer.lightning_module.state_dict().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise RunFailed(
                    f"{name} is not finite after step {trainer.global_step}: nothing is saved over "
                    "the checkpoints before; go on from there with a lower learning rate"
                )

    def _validates_after(self, trainer: pl.Trainer, step: int) -> bool:
        interval = trainer.val_check_batch  # None where validation goes by the clock
        if interval is None or not trainer.enable_validation:
            return False
        return step * trainer.accumulate_grad_batches % interval == 0
