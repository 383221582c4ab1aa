"""Running statistics of batch norm, measured anew for the current weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

AnyBatchNorm = _BatchNorm
"""Base class that also covers the layers which Lightning makes with trainer.sync_batchnorm."""

Pass = Callable[[], object]
"""Sends one augmented training batch through the network."""


@contextmanager
def recalibrated_batch_norm(network: nn.Module, passes: Iterable[Pass]) -> Iterator[None]:
    """Replace the running statistics within a block by the plain means over ``passes``.

    The moving averages of a short run still contain the first steps' statistics, and an untrained
    network has none; networks are compared fairly with statistics of their own weights. Leaving the
    block restores the old statistics. Without a pass nothing changes.

    Args:
        network: Network; in evaluation mode within the block, in its old mode after it.
        passes: Passes of the network.
    """
    before = _buffers(network)
    was_training = network.training
    try:
        measure_batch_norm(network, passes)
        network.eval()
        yield
    finally:
        _restore(network, before)
        network.train(was_training)


@torch.no_grad()
def measure_batch_norm(network: nn.Module, passes: Iterable[Pass]) -> None:
    """Replace the running statistics by the plain means over ``passes``, permanently.

    Without a pass, or after an error, nothing changes.

    Args:
        network: Network on any device and in any mode, which it keeps.
        passes: Passes of the network, or of the part of it whose layers are measured.

    Raises:
        ValueError: A layer sees fewer than two voxels in a pass: they have no variance.
    """
    before = _buffers(network)
    was_training = network.training
    device = next(network.parameters()).device
    devices = [device] if device.type == "cuda" else []
    started = False
    network.train()
    # Layers that stay in evaluation mode are frozen, and keep their statistics
    layers = [m for m in network.modules() if isinstance(m, AnyBatchNorm) and m.training]
    momenta = [layer.momentum for layer in layers]
    try:
        with torch.random.fork_rng(devices):  # loaders and dropout draw nothing from training's
            for run in passes:
                if not started:
                    for layer in layers:
                        layer.reset_running_stats()
                        layer.momentum = None  # PyTorch's sign for a plain mean over all passes
                    started = True
                run()
    except BaseException:
        _restore(network, before)
        raise
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        network.train(was_training)


def _buffers(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: buffer.clone() for name, buffer in network.named_buffers()}


def _restore(network: nn.Module, buffers: dict[str, torch.Tensor]) -> None:
    for name, buffer in buffers.items():
        network.get_buffer(name).copy_(buffer)
