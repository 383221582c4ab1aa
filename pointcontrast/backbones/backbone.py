"""The contract of a backbone: what losses, heads, backbone files and pictures rely on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar, cast

import torch
from torch import nn

from pointcontrast.backbones.checkpointing import run_checkpointed
from pointcontrast.errors import InputError
from pointcontrast.sparse import Engine, EngineName, SparseTensor, get_engine


class Backbone(nn.Module, ABC):
    """Base class of networks that compute one feature vector per voxel.

    A subclass must

    * accept ``in_channels``, ``out_channels`` and ``engine`` in its constructor. ``out_channels``
      is None in finetuning, where a head takes the place of the output layer: build none then;
    * call ``super().__init__`` first, with every argument of its constructor but ``engine`` by
      name, so that its files can build it again. These are JSON values;
    * build its layers from ``self.engine``, which makes it run on both engines;
    * set ``self.num_features``;
    * implement :meth:`forward_levels`. The last level has the rows of the input, in their order.

    It may

    * call its output layer something else than ``final`` and set :attr:`output_layer`;
    * override :meth:`output`, to normalize the features for example;
    * return several levels and describe them in :attr:`level_channels`;
    * implement :meth:`encoder_modules`, which finetuning in mode ``decoder`` needs, and
      :meth:`unread_modules`, for heads that do not read the last level;
    * set :attr:`input_layer` and :attr:`free_arguments`;
    * call its stages through :meth:`run_stage`, which allows activation checkpointing.

    Attributes:
        arguments: Arguments of the constructor without the engine: enough to build the same
            network again on either engine.
        in_channels: Channels of the input features.
        out_channels: Channels of the output. None if there is no output layer: heads of other
            tasks take the levels themselves.
        engine_name: ``native`` or ``minkowski``.
        checkpoint_activations: In training, keep only the input of each stage and recompute the
            rest in the backward pass: less memory for more time, the same numbers. A switch, not
            part of the network: it may be set at any time, and is not among ``arguments``.
    """

    output_layer: ClassVar[str] = "final"
    """Name of the submodule that is the output layer. Finetuning does not load its weights."""

    input_layer: ClassVar[str | None] = None
    """Name of the convolution that takes the input features, for error messages."""

    free_arguments: ClassVar[tuple[str, ...]] = ("out_channels",)
    """Arguments that may differ between pretraining and finetuning: the weights that are loaded
    do not depend on them."""

    num_features: int
    """Channels of the last level, before :meth:`output`."""

    def __init__(
        self, in_channels: int, out_channels: int | None, engine: EngineName, **arguments: Any
    ) -> None:
        """Store the arguments and select the engine."""
        super().__init__()
        self.checkpoint_activations = False
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.engine_name = get_engine(engine).NAME
        self.arguments = {"in_channels": in_channels, "out_channels": out_channels, **arguments}

    @property
    def engine(self) -> Engine:
        """Module with the layers of the engine, looked up by name: modules cannot be pickled."""
        return get_engine(cast(EngineName, self.engine_name))

    def run_stage(self, stage: nn.Module, x: SparseTensor) -> SparseTensor:
        """Return ``stage(x)``, checkpointed if :attr:`checkpoint_activations` is set."""
        if self.checkpoint_activations and torch.is_grad_enabled():
            return run_checkpointed(stage, x)
        return stage(x)

    @abstractmethod
    def forward_levels(self, x: SparseTensor) -> list[SparseTensor]:
        """Compute the features of every decoder level, coarsest first.

        Args:
            x: Input features (N, in_channels) at stride 1.

        Returns:
            One tensor per level. The last has shape (N, num_features) and the rows of ``x``.
        """

    @property
    def level_channels(self) -> list[int]:
        """Channels of each level of :meth:`forward_levels`. By default there is one level."""
        return [self.num_features]

    def encoder_modules(self) -> list[nn.Module]:
        """Layers up to the coarsest level, which finetuning in mode ``decoder`` freezes.

        Raises:
            InputError: The class does not define its encoder.
        """
        raise InputError(
            f"{type(self).__name__} does not say which layers are its encoder; train it in mode "
            "full or linear, or implement encoder_modules"
        )

    def unread_modules(self, levels: Collection[int]) -> list[nn.Module]:
        """Layers that none of ``levels`` depends on, which finetuning freezes.

        Their weights would get no gradient, which DistributedDataParallel refuses. By default
        every level depends on every layer.

        Args:
            levels: Indices into :meth:`forward_levels`, from 0.
        """
        return []

    def output(self, x: SparseTensor) -> SparseTensor:
        """Apply the output layer to the last level.

        Args:
            x: Features (N, num_features).

        Returns:
            Features (N, out_channels); ``x`` without an output layer.
        """
        return x if self.out_channels is None else self.get_submodule(self.output_layer)(x)

    @classmethod
    def is_output(cls, name: str) -> bool:
        """Whether an entry of the state dict belongs to the output layer."""
        return name.startswith(f"{cls.output_layer}.")

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Map features (N, in_channels) at stride 1 to (N, out_channels), row for row."""
        return self.output(self.forward_levels(x)[-1])

    def encode(self, coordinates: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Run the network on plain tensors.

        Args:
            coordinates: Batch index and voxel coordinates (N, 1+D), int32, unique rows.
            features: Input features (N, in_channels), float.

        Returns:
            Features (N, out_channels), or (N, num_features) without an output layer, row for row.
        """
        return self(self.engine.sparse_tensor(coordinates, features)).features
