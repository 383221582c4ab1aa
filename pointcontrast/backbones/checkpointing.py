"""Activation checkpointing: a stage keeps only its input and is recomputed in the backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from pointcontrast.sparse import SparseTensor


def run_checkpointed(stage: nn.Module, x: SparseTensor) -> SparseTensor:
    """Return ``stage(x)``, keeping only ``x`` for the backward pass.

    Result and gradients are the same. The recomputation does not change the stage's buffers: batch
    norm counts each batch once.
    """

    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return nullcontext(), buffers_kept(stage)

    return checkpoint(stage, x, use_reentrant=False, context_fn=contexts)


@contextmanager
def buffers_kept(module: nn.Module) -> Iterator[None]:
    """Restore the module's buffers on leaving the block."""
    before = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)
