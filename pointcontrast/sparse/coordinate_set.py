"""Coordinate sets of the native engine, sorted by packed keys.

The order of the keys is called the order of space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from pointcontrast.sparse import compiled_coordinates as compiled
from pointcontrast.sparse import kernel_library


@dataclass(frozen=True)
class CoordinateSet:
    """Unique coordinates and their order.

    Attributes:
        coordinates: Coordinates (N, 1+D), int32, batch index first.
        order: Row indices in the order of space (N,), int32.
    """

    coordinates: torch.Tensor
    order: torch.Tensor

    @cached_property
    def bounds(self) -> tuple[list[int], list[int]]:
        """Minimum and maximum of each column; 0 without rows."""
        return _bounds(self.coordinates)


@dataclass(frozen=True)
class Packing:
    """Packing of coordinates into int64 keys that keep their order, batch index first.

    The key of a place is sum((place - lower) * radix), unique within the bounds of the packing.
    """

    lower: torch.Tensor
    extent: torch.Tensor
    radix: torch.Tensor

    @classmethod
    def of(cls, lowest: Sequence[int], highest: Sequence[int]) -> Packing:
        """Packing for all places from ``lowest`` to ``highest``, one integer per column.

        Raises:
            ValueError: There are 2**63 places or more.
        """
        sizes = [high - low + 1 for low, high in zip(lowest, highest, strict=True)]
        if math.prod(sizes) >= 2**63:
            raise ValueError(
                f"coordinates span {sizes} places (batch first), too many to number in 63 bits; "
                "look for an outlier, or use larger voxels"
            )
        radix = [math.prod(sizes[column + 1 :]) for column in range(len(sizes))]
        return cls(torch.tensor(list(lowest)), torch.tensor(sizes), torch.tensor(radix))

    def keys(self, places: torch.Tensor) -> torch.Tensor:
        """Keys (N,), int64, of places (N, 1+D)."""
        lower, radix = self.lower.to(places.device), self.radix.to(places.device)
        return ((places.long() - lower) * radix).sum(1)

    def places(self, keys: torch.Tensor) -> torch.Tensor:
        """Places (N, 1+D), int64, of keys (N,)."""
        lower, extent, radix = (t.to(keys.device) for t in (self.lower, self.extent, self.radix))
        return keys[:, None].div(radix, rounding_mode="floor") % extent + lower


def sort_rows(coordinates: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Row indices in the order of space (N,), int32, and the number of duplicate rows."""
    packing = Packing.of(*_bounds(coordinates))
    if use_kernels(coordinates):
        return compiled.sort_coordinates(coordinates, packing.lower, packing.radix)
    keys, order = packing.keys(coordinates).sort(stable=True)
    return order.int(), int((keys[1:] == keys[:-1]).sum())


def downsample(finer: CoordinateSet, step: Sequence[int]) -> torch.Tensor:
    """Places of a set on a coarser grid of spacing ``step`` (N', 1+D), int32, sorted."""
    lowest, highest = ([b // s for b, s in zip(bs, step, strict=True)] for bs in finer.bounds)
    packing, steps = Packing.of(lowest, highest), torch.tensor(list(step))
    if use_kernels(finer.coordinates):
        return compiled.downsample(finer.coordinates, steps, packing.lower, packing.radix)
    steps = steps.to(finer.coordinates.device)
    floored = finer.coordinates.long().div(steps, rounding_mode="floor")
    return (packing.places(torch.unique(packing.keys(floored))) * steps).int()


def use_kernels(coordinates: torch.Tensor) -> bool:
    """Whether the compiled kernels support these coordinates."""
    return coordinates.device.type == "cpu" and kernel_library.available()


def _bounds(coordinates: torch.Tensor) -> tuple[list[int], list[int]]:
    if len(coordinates) == 0:
        zeros = [0] * coordinates.shape[1]
        return zeros, zeros
    return coordinates.amin(0).tolist(), coordinates.amax(0).tolist()
