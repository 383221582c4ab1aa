"""Signals that end a run: heard at once, obeyed where nothing is lost."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch

from pointcontrast.runs.slurm import requeue_signal


class StopSignals:
    """SIGINT, SIGTERM and, under SLURM, the signal that announces pre-emption.

    While the network is trained a first signal lets the step at hand finish; what trains asks
    :meth:`agreed` after every step. At any other time, and where a second one comes, it raises
    ``KeyboardInterrupt``, so that what is at work can tidy up.

    Attributes:
        received: the first signal that came, or that another rank said had come to it.
    """

    def __init__(self) -> None:
        """Hear nothing yet."""
        self.received: int | None = None
        self._is_gentle = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        """Listen."""
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back to whom they were."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def listen(self) -> None:
        """Listen, again where another took the signals: Lightning does at each of its stages."""
        numbers: list[int] = [signal.SIGINT, signal.SIGTERM]
        preemption = requeue_signal()
        if preemption is not None:
            numbers.append(preemption)
        for number in numbers:
            before = signal.signal(number, self._on_signal)
            self._handlers.setdefault(number, before)

    def be_gentle(self, is_gentle: bool) -> None:
        """Let a step finish from now on, or no longer."""
        self._is_gentle = is_gentle

    def agreed(self, trainer: pl.Trainer) -> int | None:
        """The signal that any rank has received; all ranks ask after the same step.

        One rank may be signalled before the others, or alone; they must stop at one step.
        """
        if trainer.world_size > 1:
            number = torch.tensor(self.received or 0, device=trainer.strategy.root_device)
            torch.distributed.all_reduce(number, torch.distributed.ReduceOp.MAX)
            self.received = int(number) or None
        return self.received

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        is_first = self.received is None
        if is_first:
            self.received = number
        if is_first and self._is_gentle:
            print("\nstopping after this step; once more to stop at once", flush=True)
            return
        raise KeyboardInterrupt
