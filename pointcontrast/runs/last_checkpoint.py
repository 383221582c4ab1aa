"""The checkpoint of a run that can be stopped at any moment: its time and its contents."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint

from pointcontrast.errors import RunFailed
from pointcontrast.runs.bad_batch import not_finite
from pointcontrast.runs.checkpoints import (
    CHECKPOINT,
    FACTS,
    keep_as_last,
    write_checkpoint,
)
from pointcontrast.runs.stop_signals import StopSignals


class DurableCheckpointIO(TorchCheckpointIO):
    """Writing of checkpoints that reach the disk, and reading that runs no code in them.

    Lightning's own writer uses the system's folder of temporary files and flushes nothing.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint."""
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint of tensors and plain values."""
        return torch.load(path, map_location=map_location or "cpu", weights_only=True)


class LastCheckpoint(Checkpoint):
    """Keep the newest checkpoint and the one before, and end a run after a signal.

    A checkpoint has the state at the end of a step. It is written after the step's figures are
    logged and before anything else happens: before validation (so that a kill there loses no
    step), the next step, or the end. A run resumed from it validates first, where the run before
    was about to.
    """

    def __init__(
        self, folder: Path, every_n_steps: int, signals: StopSignals, facts: dict[str, Any]
    ) -> None:
        """Save every ``every_n_steps`` optimiser steps, before each validation, and at the end.

        ``facts`` is the entry of ``checkpoints.facts_entry``.
        """
        self.folder = folder
        self.every_n_steps = every_n_steps
        self.signals = signals
        self.facts = facts
        self._is_due = False
        self._saved_step = -1
        self._loops: dict[str, Any] | None = None
        """State of Lightning's loops at the end of the last step, from which it can resume."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen for signals; run the validation that a resumed run had not finished."""
        self.signals.listen()
        self.signals.is_gentle = True
        self._saved_step = trainer.global_step
        if trainer.global_step > 0 and self._validates_after(trainer, trainer.global_step):
            loop = trainer.fit_loop.epoch_loop.val_loop
            loop.restarting = False
            trainer.validating = True
            loop.run()
            trainer.training = True

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the steps that a kill during validation would lose.

        A signal may then end the run at once: scores can be computed again, and the calibration
        before them takes minutes with a large network. Several ranks must stop together.
        """
        self.signals.listen()
        self.signals.is_gentle = True
        if trainer.state.fn == "fit":
            self._save(trainer)
        self.signals.is_gentle = trainer.world_size > 1
        if self.signals.received is not None and trainer.world_size == 1:
            raise KeyboardInterrupt

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let signals end the program at once again, except in training."""
        self.signals.is_gentle = trainer.state.fn == "fit"

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save the step before, if a checkpoint is due."""
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
        """Store the state at the end of the step; end the run after a signal."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # the gradient accumulated so far would be lost
        self._loops = deepcopy(trainer.fit_loop.state_dict())
        self._is_due = trainer.global_step % self.every_n_steps == 0
        if self.signals.agreed(trainer) is not None:
            trainer.limit_val_batches = 0  # else Lightning validates before it stops
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the last step."""
        self._save(trainer)
        self.signals.is_gentle = False

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave the last checkpoint as it is."""
        self.signals.is_gentle = False

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the description of the file, and the loops' state at the end of the step."""
        checkpoint[FACTS] = self.facts
        checkpoint["loops"]["fit_loop"] = self._loops

    def complete_last_step(self, trainer: pl.Trainer) -> None:
        """Complete a run that was killed between its last step and its end.

        Lightning skips all of ``fit`` where the steps are done: also the outstanding validation,
        and the count of the last step, by which it numbers logged figures.
        """
        if self._validates_after(trainer, trainer.global_step):
            data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
            trainer.validate(trainer.lightning_module, datamodule=data, verbose=False)
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step

    def _save(self, trainer: pl.Trainer) -> None:
        self._is_due = False
        if trainer.global_step == self._saved_step or self._loops is None:
            return
        bad = not_finite(trainer.lightning_module.state_dict())
        if bad:
            raise RunFailed(
                f"{bad[0]} is not finite after step {trainer.global_step}: nothing is saved over "
                "the checkpoints before; resume from there with a lower learning rate"
            )
        partial = self.folder / f".{CHECKPOINT}.partial"  # one name: a kill leaves at most one
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            keep_as_last(partial)
        self._saved_step = trainer.global_step

    def _validates_after(self, trainer: pl.Trainer, step: int) -> bool:
        interval = trainer.val_check_batch  # None where validation goes by the clock
        if interval is None or not trainer.enable_validation:
            return False
        return step * trainer.accumulate_grad_batches % interval == 0
