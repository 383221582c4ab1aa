"""The sparse tensor of the native engine."""

from __future__ import annotations

import torch

from pointcontrast.sparse.checks import check_num_rows, check_same_coordinates, check_sparse_input
from pointcontrast.sparse.coordinates import LARGEST_COORDINATE, CoordinateManager


class NativeSparseTensor:
    """Features on a coordinate set; see :class:`pointcontrast.sparse.SparseTensor`."""

    def __init__(
        self, features: torch.Tensor, manager: CoordinateManager, stride: tuple[int, ...]
    ) -> None:
        """Combine ``features`` (N, C) with the manager's coordinate set at ``stride``."""
        self.features = features
        self.manager = manager
        self.stride = stride

    @property
    def coordinates(self) -> torch.Tensor:
        """Coordinates (N, 1+D), int32, batch index first."""
        return self.manager.coordinates(self.stride)

    def replace(self, features: torch.Tensor) -> NativeSparseTensor:
        """Return a tensor with other features (N, C') at the same coordinates.

        Raises:
            ValueError: The number of rows differs.
        """
        check_num_rows(features, len(self.features))
        return NativeSparseTensor(features, self.manager, self.stride)

    def shares_coordinates(self, other: NativeSparseTensor) -> bool:
        """Whether both tensors come from one input and have one stride."""
        return other.manager is self.manager and other.stride == self.stride

    def __add__(self, other: NativeSparseTensor) -> NativeSparseTensor:
        """Add two tensors on the same coordinates.

        Raises:
            ValueError: Their coordinates differ.
        """
        check_same_coordinates(self, other, "added")
        return self.replace(self.features + other.features)


def sparse_tensor(coordinates: torch.Tensor, features: torch.Tensor) -> NativeSparseTensor:
    """Make a sparse tensor of stride 1.

    Args:
        coordinates: Coordinates (N, 1+D), int32 or int64, batch index first, unique rows. All but
            the batch index may be negative.
        features: Features (N, C), floating point, on the same device.

    Raises:
        ValueError: Wrong shape, dtype or device, a duplicate row, a coordinate beyond +-2**30, or a
            range too wide to be packed; the message names the value.
    """
    check_sparse_input(coordinates, features, LARGEST_COORDINATE)
    manager = CoordinateManager(coordinates)
    return NativeSparseTensor(features, manager, (1,) * manager.dimension)
