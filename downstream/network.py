"""A backbone and a head, and which of their weights are trained."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn

from downstream.heads import Head
from downstream.types import LabelledBatch
from pointcontrast.backbones import Backbone
from pointcontrast.data.blocks import overlapping_blocks
from pointcontrast.errors import InputError

Mode = Literal["full", "decoder", "linear"]


class Network(nn.Module):
    """What finetuning trains and evaluation runs.

    Modes:
        ``full`` trains every weight. ``decoder`` leaves the encoder as it is, ``linear`` all of
        the backbone. Layers that are left alone stay in evaluation mode: their batch norm keeps
        the statistics that they came with.
    """

    def __init__(self, backbone: Backbone, head: Head, mode: Mode = "full") -> None:
        """Put the two together.

        Raises:
            InputError: the backbone has an output layer of its own, or no known encoder; or an
                unknown mode.
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
        """What the head puts out: logits (M, K) or (B, K), or proposals of boxes."""
        x = self.backbone.engine.sparse_tensor(batch.coordinates, batch.features)
        return self.head(self.backbone.forward_levels(x), batch)

    def forward_in_blocks(
        self, batch: LabelledBatch, max_voxels: int, overlap: int
    ) -> torch.Tensor:
        """Logits (M, K) of one cloud's voxels, without gradients; in blocks where it is large.

        Args:
            batch: of one sample, for a head with a row for each voxel.
            max_voxels: a cloud with more is seen in overlapping blocks.
            overlap: voxels that a block sees around the part that it decides on.

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
        """Training mode for what is trained, evaluation mode for what is not."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self


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
