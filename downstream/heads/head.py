"""The contract of heads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from torch import nn

from downstream.types import LabelledBatch
from pointcontrast.sparse import SparseTensor

Predicts = Literal["points", "clouds", "boxes"]
"""Kind of output: logits per voxel (and so per point), logits per cloud, or proposals of boxes."""


class Head(nn.Module, ABC):
    """The part of a network for one task. Pretrained files never provide its weights.

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
        """Store the arguments."""
        super().__init__()
        self.arguments = arguments

    @abstractmethod
    def forward(self, levels: list[SparseTensor], batch: LabelledBatch) -> Any:
        """Compute the output that the task reads.

        Args:
            levels: Levels of ``Backbone.forward_levels``, coarsest first; the last has one row
                per voxel of the input.
            batch: Batch that the levels were computed from: M voxels of B clouds.

        Returns:
            Logits (M, K) of the voxels or (B, K) of the clouds; or
            :class:`downstream.types.Proposals`.
        """


HeadCallable = Callable[[Sequence[int], int], Head]
"""From the channels of the levels and K to a head; a configuration gives class and arguments."""
