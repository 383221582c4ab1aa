"""The contract of a sparse tensor, which both engines implement."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch


@runtime_checkable
class SparseTensor(Protocol):
    """Features at the occupied places of an integer grid.

    Rows keep their order: row i of the output of layers of stride 1 belongs to row i of the
    coordinates that were given.
    """

    @property
    def coordinates(self) -> torch.Tensor:
        """Coordinates (N, 1+D), int32: batch index, then multiples of the stride."""
        ...

    @property
    def features(self) -> torch.Tensor:
        """Features (N, C), floating point."""
        ...

    @property
    def stride(self) -> tuple[int, ...]:
        """Spacing of the grid in voxels of the input, D integers."""
        ...

    def replace(self, features: torch.Tensor) -> SparseTensor:
        """Return a tensor with other features (N, C') at the same coordinates.

        Raises:
            ValueError: The number of rows differs.
        """
        ...

    def shares_coordinates(self, other: Any) -> bool:
        """Whether both tensors come from one input and have one stride: row i is the same place."""
        ...

    def __add__(self, other: Any) -> SparseTensor:
        """Add two tensors on the same coordinates.

        Raises:
            ValueError: Their coordinates differ.
        """
        ...
