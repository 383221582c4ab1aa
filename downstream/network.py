"""Networks: a backbone with a head, and which of their weights are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from downstream.heads import Head, HeadCallable
from downstream.initialization import InitializationReport, load_into_backbone
from downstream.tasks import Task
from downstream.types import LabelledBatch
from pointcontrast.backbones import Backbone
from pointcontrast.data.blocks import overlapping_blocks
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.weights.formats import KernelOrder
from pointcontrast.weights.pretrained import local_weights

Mode = Literal["full", "decoder", "linear"]
SCRATCH = "scratch"
"""In place of pretrained weights: fresh ones."""


class Network(nn.Module):
    """Backbone and head: what finetuning trains and evaluation runs.

    Modes:
        ``full`` trains every weight, ``decoder`` freezes the encoder, ``linear`` freezes the whole
        backbone. In every mode, layers behind the levels that the head reads are frozen. Frozen
        layers stay in evaluation mode: their batch norm keeps its statistics.
    """

    def __init__(self, backbone: Backbone, head: Head, mode: Mode = "full") -> None:
        """Join a backbone and a head.

        Raises:
            InputError: the backbone has an output layer or does not define its encoder, or the
                mode is unknown.
        """
        super().__init__()
        if backbone.out_channels is not None:
            raise InputError(
                f"backbone.out_channels must be null, got {backbone.out_channels}: the head takes "
                "the place of the output layer"
            )
        self.backbone = backbone
        self.head = head
        self.mode: Mode = mode
        self._frozen = [*_frozen_modules(backbone, mode), *_unread_modules(backbone, head)]
        for module in self._frozen:
            module.requires_grad_(False)
        self.train()

    def forward(self, batch: LabelledBatch) -> Any:
        """Output of the head: logits (M, K) or (B, K), or proposals of boxes."""
        x = self.backbone.engine.sparse_tensor(batch.coordinates, batch.features)
        return self.head(self.backbone.forward_levels(x), batch)

    def forward_in_blocks(
        self, batch: LabelledBatch, max_voxels: int, overlap: int
    ) -> torch.Tensor:
        """Compute the logits (M, K) of one cloud's voxels, in blocks if it is large.

        Args:
            batch: Batch of one sample, for a head with a row per voxel.
            max_voxels: Voxels above which a cloud is computed in overlapping blocks.
            overlap: Width of the context around each block, voxels.

        Raises:
            InputError: see :func:`pointcontrast.data.blocks.overlapping_blocks`.
        """
        if len(batch.coordinates) <= max_voxels:
            return self(batch)
        decided: list[torch.Tensor] = []
        logits: list[torch.Tensor] = []
        coordinates = batch.coordinates[:, 1:].cpu().numpy()
        for block in overlapping_blocks(coordinates, max_voxels, overlap):
            rows = torch.from_numpy(block.rows).to(batch.coordinates.device)
            core = torch.from_numpy(block.core).to(rows.device)
            decided.append(rows[core])
            logits.append(self(batch.part(rows))[core])
        return torch.cat(logits)[torch.cat(decided).argsort()]

    def train(self, mode: bool = True) -> Network:
        """Set trained layers to training mode; frozen ones stay in evaluation mode."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self


def build_network(
    task: Task,
    *,
    backbone: Backbone,
    head: HeadCallable,
    mode: Mode,
    weights: str,
    network_input: NetworkInput,
    accept_differences: Sequence[str] = (),
    kernel_order: KernelOrder = "auto",
) -> tuple[Network, InitializationReport | None]:
    """Build the network for a task, and load pretrained weights into its backbone.

    Args:
        task: Task, which determines the number of outputs.
        backbone: Backbone with fresh weights.
        head: Constructor of the head.
        mode: Weights to train.
        weights: ``scratch``, a path or an address.
        network_input: Input of the network.
        accept_differences: See :func:`downstream.initialization.load_into_backbone`.
        kernel_order: See :func:`downstream.initialization.load_into_backbone`.

    Returns:
        The network, and the report of its initialization; None from scratch.

    Raises:
        InputError: the weights are of another network or input, or the head does not predict
            what the task needs.
    """
    report = None
    if weights != SCRATCH:
        report = load_into_backbone(
            backbone,
            local_weights(weights),
            network_input=network_input,
            accept_differences=accept_differences,
            kernel_order=kernel_order,
        )
    built = head(backbone.level_channels, task.num_outputs)
    if built.predicts != task.predicts:
        raise InputError(
            f"model.head {type(built).__name__} predicts {built.predicts}, the benchmark needs "
            f"{task.predicts}: use LinearHead or HierarchicalHead for points, PoolingHead for "
            "clouds, VoteNet for boxes (downstream.heads)"
        )
    return Network(backbone, built, mode), report


def _frozen_modules(backbone: Backbone, mode: str) -> list[nn.Module]:
    if mode == "full":
        return []
    if mode == "linear":
        return [backbone]
    if mode == "decoder":
        return backbone.encoder_modules()
    raise InputError(f"mode {mode!r} must be full, decoder or linear")


def _unread_modules(backbone: Backbone, head: Head) -> list[nn.Module]:
    if head.levels_read is None:
        return []
    num_levels = len(backbone.level_channels)
    return backbone.unread_modules({level % num_levels for level in head.levels_read})
