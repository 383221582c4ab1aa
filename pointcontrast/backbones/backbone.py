"""What every backbone offers to losses, heads, checkpoints and pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, cast

import torch
from torch import nn

from pointcontrast.backbones.checkpointing import run_checkpointed
from pointcontrast.errors import InputError
from pointcontrast.sparse import Engine, EngineName, SparseTensor, get_engine


class Backbone(nn.Module, ABC):
    """A network from voxels to one feature vector a voxel.

    A subclass calls ``super().__init__`` first, builds its layers from ``self.engine``, and
    implements :meth:`forward_levels` and :meth:`head`. The rows that come out are the rows that
    went in.

    Attributes:
        arguments: what the constructor was given, without the engine: enough to build the same
            network again on either engine.
        in_channels: channels of the input features.
        out_channels: channels of the output; None where there is no output layer, and what comes
            out is the last level: heads of other tasks take the levels themselves.
        engine_name: ``native`` or ``minkowski``.
        checkpoint_activations: in training keep only what enters each stage and compute the rest
            again in the backward pass: less memory for more time, the same numbers. A switch, not
            part of the network: it may be set at any time, and is not among ``arguments``.
    """

    num_features: int
    """Channels of the last level, before :meth:`head`."""

    def __init__(
        self, in_channels: int, out_channels: int | None, engine: EngineName, **arguments: Any
    ) -> None:
        """Remember the arguments and choose the engine."""
        super().__init__()
        self.checkpoint_activations = False
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.engine_name = get_engine(engine).NAME
        self.arguments = {"in_channels": in_channels, "out_channels": out_channels, **arguments}

    @property
    def engine(self) -> Engine:
        """The module of layers in use; by its name, as a module cannot be copied or pickled."""
        return get_engine(cast(EngineName, self.engine_name))

    def run_stage(self, stage: nn.Module, x: SparseTensor) -> SparseTensor:
        """``stage(x)``, checkpointed where :attr:`checkpoint_activations` asks for it."""
        if self.checkpoint_activations and torch.is_grad_enabled():
            return run_checkpointed(stage, x)
        return stage(x)

    @abstractmethod
    def forward_levels(self, x: SparseTensor) -> list[SparseTensor]:
        """The features of every decoder level, coarsest first; the last has ``num_features``."""

    @property
    def level_channels(self) -> list[int]:
        """Channels of each of :meth:`forward_levels`; one level where a subclass says no more."""
        return [self.num_features]

    def encoder_modules(self) -> list[nn.Module]:
        """The layers up to the coarsest level: what finetuning only the decoder leaves alone.

        Raises:
            InputError: the network does not say what its encoder is.
        """
        raise InputError(
            f"{type(self).__name__} does not say which layers are its encoder; train it in mode "
            "full or linear, or implement encoder_modules"
        )

    def unread_modules(self, levels: Collection[int]) -> list[nn.Module]:
        """Layers that none of some levels depends on; finetuning freezes them.

        Their weights would have no gradient, at which DistributedDataParallel fails. A subclass
        whose levels need different layers says so here; by default every level needs all layers.

        Args:
            levels: Indices into :meth:`forward_levels`, from 0.
        """
        return []

    @abstractmethod
    def head(self, x: SparseTensor) -> SparseTensor:
        """(N, num_features) of the last level to (N, out_channels).

        Without an output layer it is handed on as it is.
        """

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Features (N, in_channels) at stride 1 to (N, out_channels), row for row."""
        return self.head(self.forward_levels(x)[-1])

    def encode(self, coordinates: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Run the network on plain tensors.

        Args:
            coordinates: (N, 1+D) int32, batch index first, unique rows.
            features: (N, in_channels) float.

        Returns:
            (N, out_channels), or (N, num_features) without an output layer; row for row.
        """
        return self(self.engine.sparse_tensor(coordinates, features)).features
