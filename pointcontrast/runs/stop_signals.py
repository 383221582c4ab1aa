"""Signals that end a run at the next point where nothing is lost."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch

from pointcontrast.runs.slurm import requeue_signal


class StopSignals:
    """SIGINT, SIGTERM and, under SLURM, the signal that announces pre-emption.

    During training a first signal lets the current step finish; :meth:`agreed` is called after
    every step. At any other time, and at a second signal, the handler raises ``KeyboardInterrupt``,
    so that the running code can clean up.

    Attributes:
        is_gentle: Whether a first signal lets the current step finish, as in training.
        received: First signal that this rank, or another one, received; None before.
    """

    def __init__(self) -> None:
        """Install no handler yet."""
        self.received: int | None = None
        self.is_gentle = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        """Install the handlers."""
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the handlers from before."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def listen(self) -> None:
        """Install the handlers, again at each stage of Lightning, which replaces them."""
        numbers: list[int] = [signal.SIGINT, signal.SIGTERM]
        preemption = requeue_signal()
        if preemption is not None:
            numbers.append(preemption)
        for number in numbers:
            before = signal.signal(number, self._on_signal)
            self._handlers.setdefault(number, before)

    def agreed(self, trainer: pl.Trainer) -> int | None:
        """Return the signal that any rank has received; all ranks call this after the same step.

        One rank may be signalled before the others, or alone; all must stop at the same step.
        """
        if trainer.world_size == 1:
            return self.received
        number = torch.tensor(self.received or 0, device=trainer.strategy.root_device)
        torch.distributed.all_reduce(number, torch.distributed.ReduceOp.MAX)
        agreed = int(number) or None
        if agreed is not None:  # or a signal that came during the reduction would be lost
            self.received = agreed
        return agreed

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        is_first = self.received is None
        if is_first:
            self.received = number
        if is_first and self.is_gentle:
            print("\nstopping after this step; send the signal again to stop at once", flush=True)
            return
        raise KeyboardInterrupt
