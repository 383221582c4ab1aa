"""Learning-rate schedules: pure functions of the step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

from pointcontrast.errors import InputError


class Schedule(ABC):
    """A factor of the learning rate for each step."""

    @abstractmethod
    def factor(self, step: int, num_steps: int) -> float:
        """Return the factor of step ``step`` (counted from 0) of a run of ``num_steps`` steps."""


class StepwiseExponential(Schedule):
    """The authors' schedule: multiply by ``gamma`` after step 1 and after every ``interval``.

    PointContrast ``lib/ddp_trainer.py``: ``ExponentialLR.step()`` is called where the count of
    finished iterations is 1 or a multiple of ``lr_update_freq``. After 60,000 iterations with
    250 and 0.99 that is 241 times, a factor of 0.0887.
    """

    def __init__(self, gamma: float = 0.99, interval: int = 250) -> None:
        """Set the factor, and the steps between two multiplications."""
        if interval < 2:
            raise InputError(f"interval {interval} must be 2 or more steps")
        self.gamma = gamma
        self.interval = interval

    def factor(self, step: int, num_steps: int) -> float:
        """Return ``gamma`` to the power of its multiplications; ``num_steps`` is not used."""
        return self.gamma ** (step // self.interval + (step >= 1))


class WarmupCosine(Schedule):
    """A linear rise from 0, then half a cosine down to 0 at the end of the run: for short runs."""

    def __init__(self, num_warmup_steps: int = 0) -> None:
        """Reach the full learning rate after ``num_warmup_steps``."""
        if num_warmup_steps < 0:
            raise InputError(f"num_warmup_steps {num_warmup_steps} must not be negative")
        self.num_warmup_steps = num_warmup_steps

    def factor(self, step: int, num_steps: int) -> float:
        """Return a factor that rises up to ``num_warmup_steps`` and falls to ``num_steps``."""
        if step < self.num_warmup_steps:
            return (step + 1) / self.num_warmup_steps
        progress = (step - self.num_warmup_steps) / max(1, num_steps - self.num_warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class PolynomialDecay(Schedule):
    """A fall from 1 to nearly 0 at the end of the run: the released finetuning's ``PolyLR``.

    PointContrast ``downstream/semseg/lib/solvers.py``: (1 - step / (num_steps + 1)) ** power.
    """

    def __init__(self, power: float = 0.9) -> None:
        """Set the power."""
        if not power > 0:
            raise InputError(f"power {power} must be positive")
        self.power = power

    def factor(self, step: int, num_steps: int) -> float:
        """Return a factor that falls from step 0 on, never below 0."""
        return max(0.0, 1 - step / (num_steps + 1)) ** self.power


class StepDecay(Schedule):
    """VoteNet's schedule: multiply by ``gamma`` at each milestone.

    A run counts steps. Milestones are epochs of a run of ``num_epochs``, so that a shorter run has
    them at the same fractions of its length.
    """

    def __init__(
        self,
        milestones: Sequence[float] = (80, 120, 160),
        gamma: float = 0.1,
        num_epochs: float = 180,
    ) -> None:
        """Set the milestones; defaults as PointContrast ``downstream/votenet_det_new/config``.

        Raises:
            InputError: A milestone is not within the run, or gamma is negative.
        """
        if not all(0 < milestone < num_epochs for milestone in milestones) or gamma < 0:
            raise InputError(
                f"milestones {list(milestones)} must lie between 0 and num_epochs {num_epochs}, "
                f"and gamma {gamma} must not be negative"
            )
        self.milestones = list(milestones)
        self.gamma = gamma
        self.num_epochs = num_epochs

    def factor(self, step: int, num_steps: int) -> float:
        """Return ``gamma`` to the power of the milestones passed."""
        epoch = step / num_steps * self.num_epochs
        return self.gamma ** sum(epoch >= milestone for milestone in self.milestones)


class BatchNormMomentum:
    """The weight of a batch in the running statistics, halved at intervals, as in VoteNet.

    PyTorch's momentum: ``initial * factor ** (epoch // interval)``, never below ``lowest``
    (facebookresearch/votenet ``train.py``); epochs as in :class:`StepDecay`.
    """

    def __init__(
        self,
        initial: float = 0.5,
        factor: float = 0.5,
        interval: float = 20,
        lowest: float = 0.001,
        num_epochs: float = 180,
    ) -> None:
        """Set the momentum at the start and its fall.

        Raises:
            InputError: A value leaves 0..1, or an interval or run has no length.
        """
        if not (0 < lowest <= initial <= 1 and 0 < factor <= 1 and interval > 0 < num_epochs):
            raise InputError(
                f"momentum from {initial} to {lowest} must fall within 0..1, with factor {factor} "
                f"in 0..1 and interval {interval} and num_epochs {num_epochs} above 0"
            )
        self.initial = initial
        self.decay = factor
        self.interval = interval
        self.lowest = lowest
        self.num_epochs = num_epochs

    def momentum(self, step: int, num_steps: int) -> float:
        """Return the momentum at step ``step`` (counted from 0) of a run of ``num_steps`` steps."""
        epoch = step / num_steps * self.num_epochs
        return max(self.initial * self.decay ** (epoch // self.interval), self.lowest)
