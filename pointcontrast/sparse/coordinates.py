"""Coordinates of the native engine: strided sets and the kernel maps between them.

A :class:`CoordinateManager` is shared by all tensors of one forward pass. It makes each strided
coordinate set and each kernel map once; every layer and the backward pass reuse them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pointcontrast.sparse.checks import DUPLICATE_COORDINATES, NO_SUCH_STRIDE
from pointcontrast.sparse.coordinate_set import CoordinateSet, downsample, sort_rows
from pointcontrast.sparse.kernel_map import KernelMap, build_kernel_map
from pointcontrast.sparse.kernel_region import Region, kernel_offsets

Stride = tuple[int, ...]
LARGEST_COORDINATE = 2**30
"""Half the range of int32: room for the offsets of kernels and the floors of strides."""


class CoordinateManager:
    """Coordinate sets of one input, by stride, and the kernel maps between them."""

    def __init__(self, coordinates: torch.Tensor) -> None:
        """Start from the coordinates of the input (N, 1+D), integers, at stride 1.

        Raises:
            ValueError: A row is duplicate, or the range is too wide to be packed.
        """
        self.dimension = coordinates.shape[1] - 1
        # A copy: maps are made later, and the caller may write to the original.
        coordinates = coordinates.to(torch.int32, copy=True, memory_format=torch.contiguous_format)
        order, num_duplicates = sort_rows(coordinates)
        if num_duplicates:
            raise ValueError(DUPLICATE_COORDINATES.format(count=num_duplicates))
        self._sets = {(1,) * self.dimension: CoordinateSet(coordinates, order)}
        self._maps: dict[tuple, KernelMap] = {}

    def coordinates(self, stride: Stride) -> torch.Tensor:
        """Coordinates of the set at ``stride`` (N, 1+D), int32.

        Raises:
            ValueError: The set does not exist yet.
        """
        return self._set(stride).coordinates

    def _set(self, stride: Stride) -> CoordinateSet:
        if stride not in self._sets:
            raise ValueError(NO_SUCH_STRIDE.format(stride=stride))
        return self._sets[stride]

    def downsample(self, stride: Stride, factor: Sequence[int]) -> Stride:
        """Make the set at ``stride * factor``, coordinates floored to the coarser grid.

        Returns:
            The stride of the set.

        Raises:
            ValueError: The stride is too large.
        """
        wider = tuple(s * f for s, f in zip(stride, factor, strict=True))
        if wider not in self._sets:
            if max(wider) > LARGEST_COORDINATE:
                raise ValueError(f"stride {wider} is beyond {LARGEST_COORDINATE}")
            coordinates = downsample(self._set(stride), (1, *wider))
            rows = torch.arange(len(coordinates), dtype=torch.int32, device=coordinates.device)
            self._sets[wider] = CoordinateSet(coordinates, rows)
        return wider

    def kernel_map(
        self,
        stride: Stride,
        factor: Sequence[int],
        kernel_size: Sequence[int],
        dilation: Sequence[int],
        region: Region,
    ) -> KernelMap:
        """Kernel map from the set at ``stride`` to the one at ``stride * factor``.

        An output at u reads the inputs at u + offset * dilation * stride for each tap.
        """
        key = (stride, tuple(factor), tuple(kernel_size), tuple(dilation), region)
        if key not in self._maps:
            taps = kernel_offsets(kernel_size, region) * torch.tensor(tuple(dilation))
            self._maps[key] = build_kernel_map(
                self._set(stride), self._set(self.downsample(stride, factor)), (1, *stride), taps
            )
        return self._maps[key]
