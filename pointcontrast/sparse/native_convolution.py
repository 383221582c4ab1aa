"""The convolutions of the native engine."""

from __future__ import annotations

import math

import torch
from torch import nn

from pointcontrast.sparse import kernel_library
from pointcontrast.sparse.convolution import sparse_convolution
from pointcontrast.sparse.coordinates import KernelMap
from pointcontrast.sparse.engine import (
    IntPerDimension,
    check_channels,
    check_dimension,
    check_features,
    check_num_rows,
    divided_stride,
    per_dimension,
)
from pointcontrast.sparse.kernel_region import KernelRegion, Region, kernel_volume
from pointcontrast.sparse.native_tensor import NativeSparseTensor


class KernelLayer(nn.Module):
    """What all layers with a kernel share: its shape, and the map it needs."""

    def __init__(
        self,
        kernel_size: IntPerDimension,
        stride: IntPerDimension,
        dilation: IntPerDimension,
        dimension: int,
        region: Region,
    ) -> None:
        super().__init__()
        self.dimension = dimension
        self.kernel_size = per_dimension(kernel_size, dimension, "kernel_size")
        self.stride = per_dimension(stride, dimension, "stride")
        self.dilation = per_dimension(dilation, dimension, "dilation")
        self.region: Region = region
        self.kernel_volume = kernel_volume(self.kernel_size, region)

    def _down(self, x: NativeSparseTensor) -> tuple[KernelMap, tuple[int, ...]]:
        """The map from x to its wider grid, and that grid's stride."""
        wider = x.manager.downsample(x.stride, self.stride)
        return x.manager.kernel_map(
            x.stride, self.stride, self.kernel_size, self.dilation, self.region
        ), wider

    def _up(self, x: NativeSparseTensor) -> tuple[KernelMap, tuple[int, ...]]:
        """The map from x to the finer grid it came from, and that grid's stride."""
        finer = divided_stride(x.stride, self.stride)
        x.manager.coordinates(finer)
        return x.manager.kernel_map(
            finer, self.stride, self.kernel_size, self.dilation, self.region
        ).transposed(), finer

    def extra_repr(self) -> str:
        """The kernel's shape, for ``print(module)``."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, dilation={self.dilation}"


class Convolution(KernelLayer):
    """Sparse convolution: out[u] = sum_t x[u + offset_t * dilation * stride(x)] @ kernel[t] + bias.

    With a stride the result stands on the input's coordinates floored to the wider grid.
    Parameters: ``kernel`` (volume, in, out), (in, out) where volume and stride are 1; ``bias``
    (1, out). Both start uniform in +-1/sqrt(in * volume), as MinkowskiEngine's.

    On the CPU a 2-D kernel goes through the compiled kernels like any other: torch's matrix product
    gives other bits on another number of threads.

    Under autocast a 2-D kernel is torch's matrix product, with a result in half precision. A larger
    one keeps float32 features: on the CPU, for bfloat16, products of rounded numbers summed in
    float32 (see ``POINTCONTRAST_BFLOAT16``), else full precision.
    """

    _transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: IntPerDimension,
        stride: IntPerDimension = 1,
        dilation: IntPerDimension = 1,
        bias: bool = False,
        dimension: int = 3,
        region: KernelRegion = "hypercube",
    ) -> None:
        """Make the layer; sizes are one integer or one for each of ``dimension`` dimensions."""
        super().__init__(kernel_size, stride, dilation, dimension, region)
        check_channels(in_channels, out_channels)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.is_linear = self.kernel_volume == 1 and all(s == 1 for s in self.stride)
        shape = (in_channels, out_channels)
        self.kernel = nn.Parameter(
            torch.empty(shape if self.is_linear else (self.kernel_volume, *shape))
        )
        self.bias = nn.Parameter(torch.empty(1, out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew from torch's global generator."""
        fan = self.out_channels if self._transposed else self.in_channels
        bound = 1 / math.sqrt(fan * self.kernel_volume)
        nn.init.uniform_(self.kernel, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def meetings(self, x: NativeSparseTensor) -> tuple[KernelMap, tuple[int, ...]]:
        """Who reads whom, and the stride of the result.

        Raises:
            ValueError: ``x`` or the weights do not fit the layer; the message names what differs.
        """
        self._check(x)
        return self._meetings(x)

    def _meetings(self, x: NativeSparseTensor) -> tuple[KernelMap, tuple[int, ...]]:
        return self._up(x) if self._transposed else self._down(x)

    def _check(self, x: NativeSparseTensor) -> None:
        check_dimension(x.stride, self.dimension)
        check_num_rows(x.features, len(x.coordinates))
        volume = () if self.is_linear else (self.kernel_volume,)
        check_features(x.features, self.kernel, (*volume, self.in_channels, self.out_channels))

    @property
    def taps(self) -> torch.Tensor:
        """The kernel as (volume, in, out), that of a linear layer too."""
        return self.kernel[None] if self.is_linear else self.kernel

    def forward(self, x: NativeSparseTensor) -> NativeSparseTensor:
        """Convolve ``x`` (N, in) to (N', out)."""
        self._check(x)
        autocast = torch.is_autocast_enabled(x.features.device.type)
        if self.is_linear and (autocast or not kernel_library.run_on(x.features)):
            features, stride = x.features @ self.kernel, x.stride
        else:
            kernel_map, stride = self._meetings(x)
            # Under autocast a 1x1 layer before this one may have given half precision.
            features = x.features.to(self.kernel.dtype)
            features = sparse_convolution(features, self.taps, kernel_map)
        if self.bias is not None:
            features = features + self.bias
        return NativeSparseTensor(features, x.manager, stride)


class ConvolutionTranspose(Convolution):
    """Transposed convolution: out[u + offset_t] += x[u] @ kernel[t], onto known finer coordinates.

    Weights start uniform in +-1/sqrt(out * volume), as MinkowskiEngine's.
    """

    _transposed = True
