"""A batch encoded in several passes of the network, which keep only the features.

A contrastive loss needs the features of the whole batch at once, and its gradient needs their
activations: memory limits the batch. Here the features are computed first, a few pairs at a time
and without a graph. The loss is computed once over all of them. The backward pass then sends the
same pairs through the network again, one pass at a time, to turn the features' gradient into that
of the weights (Gao et al., Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup,
2021). The gradient is that of the large batch; activations are computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pointcontrast.backbones import Backbone
from pointcontrast.backbones.checkpointing import buffers_kept
from pointcontrast.types import ViewBatch


def encode_in_passes(backbone: Backbone, view: ViewBatch, samples_per_pass: int) -> torch.Tensor:
    """Encode a batch of views, a few views per pass.

    In training, batch norm sees one pass at a time, as each of the authors' GPUs saw its own four
    pairs, and counts each pass once. Only the features are kept for the backward pass: no kernel
    map, no coordinate manager, no activation. (``torch.utils.checkpoint`` would keep the objects
    that an engine's functions hold in Python, such as MinkowskiEngine's coordinate managers.)

    Args:
        backbone: Network.
        view: All first or all second views of a batch.
        samples_per_pass: Views per pass, at least 1; the last pass may have fewer.

    Returns:
        (N, out_channels), row for row; differentiable once in the backbone's weights.
    """
    weights = [p for p in backbone.parameters() if p.requires_grad]
    found = []
    for first in range(0, len(view.offsets) - 1, samples_per_pass):
        last = min(first + samples_per_pass, len(view.offsets) - 1)
        rows = slice(view.offsets[first], view.offsets[last])
        coordinates = view.coordinates[rows].clone()
        coordinates[:, 0] -= first
        found.append(_Pass.apply(backbone, coordinates, view.features[rows], *weights))
    return torch.cat(found)


class _Pass(torch.autograd.Function):
    """One pass without a graph; the backward pass makes the graph, uses it and frees it.

    The weights are arguments, so that their gradients come from one node per pass and reach each
    parameter once, summed, as DDP expects.
    """

    @staticmethod
    def forward(
        ctx: Any,
        backbone: Backbone,
        coordinates: torch.Tensor,
        features: torch.Tensor,
        *weights: torch.Tensor,
    ) -> torch.Tensor:
        ctx.backbone = backbone
        ctx.autocast = _autocast(features.device.type)
        ctx.randomness = _Randomness(features.device)
        ctx.save_for_backward(coordinates, features, *weights)
        return backbone.encode(coordinates, features)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: torch.Tensor
    ) -> tuple[torch.Tensor | None, ...]:
        coordinates, features, *weights = ctx.saved_tensors
        with ctx.randomness.again(), buffers_kept(ctx.backbone), torch.enable_grad():
            with ctx.autocast:
                encoded = ctx.backbone.encode(coordinates, features)
            gradients = torch.autograd.grad(encoded, weights, grad_outputs, allow_unused=True)
        return None, None, None, *gradients


def _autocast(device_type: str) -> torch.autocast:
    """Return the current state of autocast, as a context to enter again."""
    return torch.autocast(
        device_type,
        dtype=torch.get_autocast_dtype(device_type),
        enabled=torch.is_autocast_enabled(device_type),
        cache_enabled=False,  # casts made outside the second pass are not in its graph
    )


class _Randomness:
    """The state of the generators before a pass: dropout must draw the same twice."""

    def __init__(self, device: torch.device) -> None:
        self.devices = [device] if device.type == "cuda" else []
        self.states = [torch.cuda.get_rng_state(device) for device in self.devices]
        self.state = torch.get_rng_state()

    @contextmanager
    def again(self) -> Iterator[None]:
        """Draw the same again within the block."""
        with torch.random.fork_rng(self.devices):
            torch.set_rng_state(self.state)
            for device, state in zip(self.devices, self.states, strict=True):
                torch.cuda.set_rng_state(state, device)
            yield
