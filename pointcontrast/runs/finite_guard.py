"""The end of a run at a loss or gradient that is not finite; the batch is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from pointcontrast.errors import RunFailed
from pointcontrast.runs.bad_batch import BadBatch, bad_batch_path, not_finite, write_bad_batch


class FiniteGuard(Callback):
    """Check each loss before its backward pass, and each gradient before the optimiser's step.

    So the weights stay finite, and the batch at fault is the current one. All ranks end together:
    the others would wait for the gradient of the rank that failed.
    """

    def __init__(self, folder: Path, architecture: dict[str, Any]) -> None:
        """Save bad batches to ``folder``, with the run's architecture."""
        self.folder = folder
        self.architecture = architecture
        self._batch: Any = None
        self._key: tuple[int, ...] = ()
        self._loss = torch.zeros(())

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Remember the batch."""
        self._batch = batch
        self._key = (trainer.global_step, batch_idx, trainer.global_rank)

    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor
    ) -> None:
        """Check the loss."""
        self._loss = loss.detach() * trainer.accumulate_grad_batches  # Lightning divides it
        problem = None if torch.isfinite(loss) else f"the loss is {loss.item()}"
        if trainer.world_size > 1:
            count = torch.tensor(int(problem is not None), device=trainer.strategy.root_device)
            torch.distributed.all_reduce(count)
            if problem is None and int(count):
                raise RunFailed(
                    f"a loss is not finite at step {trainer.global_step} on {int(count)} of "
                    f"{trainer.world_size} ranks; their messages name the batches"
                )
        if problem is not None:
            self._end(trainer, pl_module, problem)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Check the gradients, which all ranks share."""
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            return  # float16's scaler handles infinities, and lowers its scale
        gradients = {name: p.grad for name, p in pl_module.named_parameters()}
        bad = not_finite(gradients)
        if bad:
            self._end(trainer, pl_module, f"the gradient of {bad[0]} is not finite")

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        """Forget the batch."""
        self._batch = None

    def _end(self, trainer: pl.Trainer, module: Any, problem: str) -> None:
        path = bad_batch_path(
            self.folder, trainer.global_step, trainer.global_rank, trainer.world_size
        )
        bad = BadBatch(
            batch=self._batch,
            key=self._key,
            seed=module.seed,
            loss=self._loss.item(),
            state_dict={name: value.cpu() for name, value in module.state_dict().items()},
            architecture=self.architecture,
        )
        write_bad_batch(path, bad)
        names = ", ".join(self._batch.names)
        raise RunFailed(
            f"{problem} at step {trainer.global_step} on {names}; the batch and the weights are "
            f"saved: the same command with --reproduce {path} computes the loss again"
        )
