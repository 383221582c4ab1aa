"""Activation checkpointing: a stage keeps its input alone and runs again in the backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from pointcontrast.sparse import SparseTensor


def run_checkpointed(stage: nn.Module, x: SparseTensor) -> SparseTensor:
    """``stage(x)``, to the same result and gradients, keeping only ``x`` for the backward pass.

    The second run leaves the stage's buffers alone: batch norm counts each batch once.
    """

    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return nullcontext(), buffers_kept(stage)

    return checkpoint(stage, x, use_reentrant=False, context_fn=contexts)


@contextmanager
def buffers_kept(module: nn.Module) -> Iterator[None]:
    """Within the block the module's buffers may move; on leaving it they are as they were."""
    before = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)
