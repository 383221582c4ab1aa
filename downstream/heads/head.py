"""What turns a backbone's levels into logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from pointcontrast.sparse import SparseTensor


class Head(nn.Module, ABC):
    """The part of a network that belongs to one benchmark; never loaded from a pretrained file.

    Attributes:
        arguments: what the constructor was given beyond the channels: enough to build it again.
    """

    def __init__(self, **arguments: Any) -> None:
        """Remember the arguments."""
        super().__init__()
        self.arguments = arguments

    @abstractmethod
    def forward(self, levels: list[SparseTensor], num_samples: int) -> torch.Tensor:
        """Logits.

        Args:
            levels: of ``Backbone.forward_levels``, coarsest first; the last has a row for each
                voxel of the input.
            num_samples: B, clouds in the batch.

        Returns:
            (M, K) for the M voxels of the last level, or (B, K) for the clouds.
        """


HeadCallable = Callable[[Sequence[int], int], Head]
"""Takes the channels of the levels and K. A configuration gives the class and the rest."""
