"""Running statistics of batch norm, measured anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from pointcontrast.backbones import Backbone
from pointcontrast.types import PairBatch


@contextmanager
def recalibrated_batch_norm(backbone: Backbone, batches: Iterable[PairBatch]) -> Iterator[None]:
    """Within the block the running statistics are the plain means over ``batches``.

    The moving averages of a short run still hold the first steps' statistics, and an untrained
    network has none; networks are compared fairly with statistics of their own weights. Each
    side of a pair is a pass of its own, as in training. On leaving the block the statistics are
    as they were. Without a batch nothing changes.

    Args:
        backbone: the network; in evaluation mode within the block, in its old mode after it.
        batches: augmented training batches.
    """
    layers = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm1d)]
    before = [{name: b.clone() for name, b in layer.named_buffers()} for layer in layers]
    momenta = [layer.momentum for layer in layers]
    was_training = backbone.training
    try:
        _measure(backbone, layers, batches)
        backbone.eval()
        yield
    finally:
        for layer, buffers, momentum in zip(layers, before, momenta, strict=True):
            layer.momentum = momentum
            for name, buffer in buffers.items():
                layer.get_buffer(name).copy_(buffer)
        backbone.train(was_training)


@torch.no_grad()
def _measure(
    backbone: Backbone, layers: list[nn.BatchNorm1d], batches: Iterable[PairBatch]
) -> None:
    device = next(backbone.parameters()).device
    backbone.train()
    started = False
    for batch in batches:
        if not len(batch):
            continue
        if not started:
            for layer in layers:
                layer.reset_running_stats()
                layer.momentum = None  # PyTorch's sign for a plain mean over all passes
            started = True
        for view in (batch.view0, batch.view1):
            backbone.encode(view.coordinates.to(device), view.features.to(device))
