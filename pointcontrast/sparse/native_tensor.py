"""The sparse tensor of the native engine."""

from __future__ import annotations

import torch

from pointcontrast.sparse.coordinates import LARGEST_COORDINATE, CoordinateManager
from pointcontrast.sparse.engine import check_num_rows, check_same_coordinates, check_sparse_input


class NativeSparseTensor:
    """Features on a coordinate set of a manager; see :class:`pointcontrast.sparse.SparseTensor`."""

    def __init__(
        self, features: torch.Tensor, manager: CoordinateManager, stride: tuple[int, ...]
    ) -> None:
        """Put ``features`` (N, C) on the manager's set of that stride."""
        self.features = features
        self.manager = manager
        self.stride = stride

    @property
    def coordinates(self) -> torch.Tensor:
        """(N, 1+D) int32, batch index first."""
        return self.manager.coordinates(self.stride)

    def replace(self, features: torch.Tensor) -> NativeSparseTensor:
        """Other features (N, C') at the same coordinates.

        Raises:
            ValueError: the number of rows is another.
        """
        check_num_rows(features, len(self.features))
        return NativeSparseTensor(features, self.manager, self.stride)

    def shares_coordinates(self, other: NativeSparseTensor) -> bool:
        """Whether both came from one input and stand at one stride."""
        return other.manager is self.manager and other.stride == self.stride

    def __add__(self, other: NativeSparseTensor) -> NativeSparseTensor:
        """The sum of two tensors on the same coordinates.

        Raises:
            ValueError: they stand on other coordinates.
        """
        check_same_coordinates(self, other, "added")
        return self.replace(self.features + other.features)


def sparse_tensor(coordinates: torch.Tensor, features: torch.Tensor) -> NativeSparseTensor:
    """Make a sparse tensor of stride 1.

    Args:
        coordinates: (N, 1+D) int32 or int64, batch index first, no row twice; may be negative
            but for the batch index.
        features: (N, C) floating point, on the same device.

    Raises:
        ValueError: wrong shape, dtype or device, a row that stands there twice, a coordinate
            beyond +-2**30, or a range too wide to be numbered; the message names the value.
    """
    check_sparse_input(coordinates, features, LARGEST_COORDINATE)
    manager = CoordinateManager(coordinates)
    return NativeSparseTensor(features, manager, (1,) * manager.dimension)
