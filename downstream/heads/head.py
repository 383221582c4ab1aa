"""What turns a backbone's levels into logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from torch import nn

from downstream.types import LabelledBatch
from pointcontrast.sparse import SparseTensor

Predicts = Literal["points", "clouds", "boxes"]
"""A row of logits for each voxel (and so for its points), for each cloud, or proposals of boxes."""


class Head(nn.Module, ABC):
    """The part of a network that belongs to one benchmark; never loaded from a pretrained file.

    Attributes:
        predicts: Kind of output.
        arguments: Constructor arguments in addition to the channels; enough to build it again.
        levels_read: Indices of the backbone's levels that :meth:`forward` reads, negative ones
            from the last; None for all. Layers that none of them needs are not trained
            (:meth:`pointcontrast.backbones.Backbone.unread_modules`).
    """

    predicts: ClassVar[Predicts] = "points"
    levels_read: tuple[int, ...] | None = None

    def __init__(self, **arguments: Any) -> None:
        """Remember the arguments."""
        super().__init__()
        self.arguments = arguments

    @abstractmethod
    def forward(self, levels: list[SparseTensor], batch: LabelledBatch) -> Any:
        """What the benchmark's task reads.

        Args:
            levels: of ``Backbone.forward_levels``, coarsest first; the last has a row for each
                voxel of the input.
            batch: the M voxels of B clouds that the levels are of.

        Returns:
            Logits (M, K) for the voxels or (B, K) for the clouds; or
            :class:`downstream.types.Proposals`.
        """


HeadCallable = Callable[[Sequence[int], int], Head]
"""Takes the channels of the levels and K. A configuration gives the class and the rest."""
