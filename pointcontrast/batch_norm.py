"""Running statistics of batch norm, measured anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from pointcontrast.backbones import Backbone

Pass = tuple[torch.Tensor, torch.Tensor]
"""What one pass takes: coordinates (N, 1+D) int32, batch index first, and features (N, C)."""


@contextmanager
def recalibrated_batch_norm(backbone: Backbone, passes: Iterable[Pass]) -> Iterator[None]:
    """Within the block the running statistics are the plain means over ``passes``.

    The moving averages of a short run still hold the first steps' statistics, and an untrained
    network has none; networks are compared fairly with statistics of their own weights. On
    leaving the block the statistics are as they were. Without a pass nothing changes.

    Args:
        backbone: the network; in evaluation mode within the block, in its old mode after it.
        passes: coordinates and features of augmented training batches.
    """
    before = _buffers(backbone)
    was_training = backbone.training
    try:
        measure_batch_norm(backbone, passes)
        backbone.eval()
        yield
    finally:
        _restore(backbone, before)
        backbone.train(was_training)


@torch.no_grad()
def measure_batch_norm(backbone: Backbone, passes: Iterable[Pass]) -> None:
    """Replace the running statistics by the plain means over ``passes``, for good.

    Without a pass nothing changes, and nothing does after an error.

    Args:
        backbone: the network, on any device and in any mode, which it keeps.
        passes: coordinates and features of each pass, on any device.

    Raises:
        ValueError: a layer sees less than two voxels in a pass: they have no variance.
    """
    layers = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm1d)]
    momenta = [layer.momentum for layer in layers]
    before = _buffers(backbone)
    was_training = backbone.training
    device = next(backbone.parameters()).device
    started = False
    backbone.train()
    try:
        for coordinates, features in passes:
            if not started:
                for layer in layers:
                    layer.reset_running_stats()
                    layer.momentum = None  # PyTorch's sign for a plain mean over all passes
                started = True
            backbone.encode(coordinates.to(device), features.to(device))
    except BaseException:
        _restore(backbone, before)
        raise
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        backbone.train(was_training)


def _buffers(backbone: Backbone) -> dict[str, torch.Tensor]:
    return {name: buffer.clone() for name, buffer in backbone.named_buffers()}


def _restore(backbone: Backbone, buffers: dict[str, torch.Tensor]) -> None:
    for name, buffer in buffers.items():
        backbone.get_buffer(name).copy_(buffer)
