"""Pooling layers of the native engine."""

from __future__ import annotations

import torch

from pointcontrast.sparse.checks import IntPerDimension, check_dimension, pools_cells
from pointcontrast.sparse.convolution import entries_by_tap
from pointcontrast.sparse.global_pooling import largest_by_row
from pointcontrast.sparse.kernel_map import KernelMap
from pointcontrast.sparse.native_convolution import KernelLayer
from pointcontrast.sparse.native_tensor import NativeSparseTensor


class _Pooling(KernelLayer):
    def __init__(
        self,
        *,
        kernel_size: IntPerDimension,
        stride: IntPerDimension = 1,
        dilation: IntPerDimension = 1,
        dimension: int = 3,
    ) -> None:
        """Build the layer; sizes are one integer or one per dimension."""
        super().__init__(kernel_size, stride, dilation, dimension, "hypercube")
        if pools_cells(self.kernel_size, self.stride, self.dilation):
            self.region = "cell"

    def kernel_map(self, x: NativeSparseTensor) -> tuple[KernelMap, tuple[int, ...]]:
        """Kernel map from ``x`` to the output, and the stride of the output."""
        check_dimension(x.stride, self.dimension)
        return self._down(x)


class SumPooling(_Pooling):
    """Sum of the inputs within the kernel."""

    def forward(self, x: NativeSparseTensor) -> NativeSparseTensor:
        """Pool ``x`` (N, C) to (N', C)."""
        kernel_map, stride = self.kernel_map(x)
        return NativeSparseTensor(_sums(x.features, kernel_map), x.manager, stride)


class AveragePooling(_Pooling):
    """Mean of the inputs within the kernel; empty places do not count."""

    def forward(self, x: NativeSparseTensor) -> NativeSparseTensor:
        """Pool ``x`` (N, C) to (N', C)."""
        kernel_map, stride = self.kernel_map(x)
        counts = kernel_map.counts.clamp_min(1)[:, None].to(x.features.dtype)
        return NativeSparseTensor(_sums(x.features, kernel_map) / counts, x.manager, stride)


class MaxPooling(_Pooling):
    """Maximum of the inputs within the kernel, for each channel; 0 if there are none."""

    def forward(self, x: NativeSparseTensor) -> NativeSparseTensor:
        """Pool ``x`` (N, C) to (N', C)."""
        kernel_map, stride = self.kernel_map(x)
        inputs, outputs = kernel_map.inputs, kernel_map.outputs
        read = x.features.index_select(0, inputs.rows)
        largest = largest_by_row(read, outputs.rows.long(), outputs.num_rows)
        return NativeSparseTensor(largest, x.manager, stride)


def _sums(features: torch.Tensor, kernel_map: KernelMap) -> torch.Tensor:
    output = features.new_zeros(kernel_map.outputs.num_rows, features.shape[1])
    for inputs, outputs in entries_by_tap(kernel_map):
        output = output.index_add(0, outputs, features.index_select(0, inputs))
    return output
