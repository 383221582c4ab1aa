"""Learning-rate schedules; each counts optimiser steps."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class StepwiseExponential(LambdaLR):
    """The authors' schedule: times ``gamma`` after the first step and after every ``interval``.

    PointContrast ``lib/ddp_trainer.py``: ``ExponentialLR.step()`` is called where the count of
    finished iterations is 1 or a multiple of ``lr_update_freq``. After 60,000 iterations with
    250 and 0.99 that is 241 times, a factor of 0.0887.
    """

    def __init__(self, optimizer: Optimizer, gamma: float = 0.99, interval: int = 250) -> None:
        """Schedule ``optimizer``'s learning rate."""
        if interval < 2:
            raise ValueError(f"interval {interval} must be 2 or more steps")
        super().__init__(optimizer, lambda step: gamma ** (step // interval + (step >= 1)))


class WarmupCosine(LambdaLR):
    """A linear rise from 0, then half a cosine down to 0: for short runs."""

    def __init__(self, optimizer: Optimizer, num_steps: int, num_warmup_steps: int = 0) -> None:
        """Schedule ``optimizer``'s learning rate.

        Args:
            optimizer: its learning rate is the peak.
            num_steps: length of the run.
            num_warmup_steps: steps until the peak.
        """
        if not 0 <= num_warmup_steps < num_steps:
            raise ValueError(
                f"num_warmup_steps {num_warmup_steps} must be below num_steps {num_steps}"
            )

        def factor(step: int) -> float:
            if step < num_warmup_steps:
                return (step + 1) / num_warmup_steps
            progress = (step - num_warmup_steps) / (num_steps - num_warmup_steps)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

        super().__init__(optimizer, factor)
