"""The pooling layers of the native engine."""

from __future__ import annotations

import torch

from pointcontrast.sparse.convolution import meetings_by_tap
from pointcontrast.sparse.coordinates import KernelMap
from pointcontrast.sparse.engine import IntPerDimension, check_dimension, pools_cells
from pointcontrast.sparse.native_convolution import KernelLayer
from pointcontrast.sparse.native_tensor import NativeSparseTensor
from pointcontrast.sparse.pointwise import largest_by_row


class _Pooling(KernelLayer):
    def __init__(
        self,
        *,
        kernel_size: IntPerDimension,
        stride: IntPerDimension = 1,
        dilation: IntPerDimension = 1,
        dimension: int = 3,
    ) -> None:
        """Make the layer; sizes are one integer or one for each of ``dimension`` dimensions."""
        super().__init__(kernel_size, stride, dilation, dimension, "hypercube")
        if pools_cells(self.kernel_size, self.stride, self.dilation):
            self.region = "cell"

    def forward(self, x: NativeSparseTensor) -> NativeSparseTensor:
        """Pool ``x`` (N, C) to (N', C)."""
        check_dimension(x.stride, self.dimension)
        kernel_map, stride = self._down(x)
        return NativeSparseTensor(self._pool(x.features, kernel_map), x.manager, stride)

    def _pool(self, features: torch.Tensor, kernel_map: KernelMap) -> torch.Tensor:
        raise NotImplementedError


class SumPooling(_Pooling):
    """The sum of the inputs in reach of the kernel."""

    def _pool(self, features: torch.Tensor, kernel_map: KernelMap) -> torch.Tensor:
        output = features.new_zeros(kernel_map.outputs.num_rows, features.shape[1])
        for inputs, outputs in meetings_by_tap(kernel_map):
            output = output.index_add(0, outputs, features.index_select(0, inputs))
        return output


class AveragePooling(SumPooling):
    """The mean of the inputs in reach of the kernel; places without a point do not count."""

    def _pool(self, features: torch.Tensor, kernel_map: KernelMap) -> torch.Tensor:
        counts = kernel_map.counts.clamp_min(1)[:, None].to(features.dtype)
        return super()._pool(features, kernel_map) / counts


class MaxPooling(_Pooling):
    """The largest input in reach of the kernel, channel by channel; 0 where there is none."""

    def _pool(self, features: torch.Tensor, kernel_map: KernelMap) -> torch.Tensor:
        read = features.index_select(0, kernel_map.inputs.rows)
        outputs = kernel_map.outputs
        return largest_by_row(read, outputs.rows.long(), outputs.num_rows)
