"""A run that can be stopped at any moment: the last checkpoint, and signals."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint


class LastCheckpoint(Checkpoint):
    """Keep one checkpoint, the newest, always whole; stop gently on Ctrl-C and SIGTERM.

    A first signal lets the step at hand finish, saves, and ends the run; a second one ends it at
    once. The file is written under another name and renamed, so that a kill while it is written
    leaves the one before.
    """

    def __init__(self, path: Path, every_n_steps: int) -> None:
        """Save to ``path`` after every ``every_n_steps`` optimiser steps and at the end."""
        self.path = path
        self.every_n_steps = every_n_steps
        self.signal_received: int | None = None
        self._handlers: dict[int, Any] = {}
        self._saved_step = -1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen for signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._on_signal)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save where it is time; end the run where a signal came."""
        if self.signal_received is not None:
            self._save(trainer)
            trainer.limit_val_batches = 0  # else Lightning validates before it stops
            trainer.should_stop = True
        elif trainer.global_step % self.every_n_steps == 0:
            self._save(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the end, and give the signals back."""
        self._save(trainer)
        self._release()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Give the signals back; the last checkpoint stays as it is."""
        self._release()

    def _save(self, trainer: pl.Trainer) -> None:
        if trainer.global_step == self._saved_step:
            return
        partial = self.path.with_name(f".{self.path.name}.partial")
        try:
            trainer.save_checkpoint(partial)
            if trainer.is_global_zero:
                os.replace(partial, self.path)
        finally:
            if trainer.is_global_zero:
                partial.unlink(missing_ok=True)
        self._saved_step = trainer.global_step

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self.signal_received is not None:
            self._release()
            raise KeyboardInterrupt
        self.signal_received = number
        print("\nstopping after this step; once more to stop at once", flush=True)

    def _release(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
