"""Convolutions of the native engine."""

from __future__ import annotations

import math

import torch
from torch import nn

from pointcontrast.sparse import kernel_library
from pointcontrast.sparse.checks import (
    IntPerDimension,
    check_channels,
    check_dimension,
    check_features,
    check_num_rows,
    divided_stride,
    per_dimension,
)
from pointcontrast.sparse.convolution import sparse_convolution
from pointcontrast.sparse.kernel_map import KernelMap
from pointcontrast.sparse.kernel_region import KernelRegion, Region, kernel_volume
from pointcontrast.sparse.native_tensor import NativeSparseTensor


class KernelLayer(nn.Module):
    """Base class of layers with a kernel: its shape and its kernel map."""

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
        """Kernel map from ``x`` to the coarser grid, and the stride of that grid."""
        coarser = x.manager.downsample(x.stride, self.stride)
        return x.manager.kernel_map(
            x.stride, self.stride, self.kernel_size, self.dilation, self.region
        ), coarser

    def _up(self, x: NativeSparseTensor) -> tuple[KernelMap, tuple[int, ...]]:
        """Kernel map from ``x`` to the finer grid it came from, and the stride of that grid."""
        finer = divided_stride(x.stride, self.stride)
        x.manager.coordinates(finer)
        return x.manager.kernel_map(
            finer, self.stride, self.kernel_size, self.dilation, self.region
        ).transposed(), finer

    def extra_repr(self) -> str:
        """Describe the kernel for ``print(module)``."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, dilation={self.dilation}"


class Convolution(KernelLayer):
    """Sparse convolution: out[u] = sum_t x[u + offset_t * dilation * stride(x)] @ kernel[t] + bias.

    With a stride the coordinates of the output are those of the input floored to the coarser grid.
    Parameters: ``kernel`` (volume, in, out), or (in, out) if volume and stride are 1; ``bias``
    (1, out). Both are initialized uniformly in +-1/sqrt(in * volume), as in MinkowskiEngine.

    On the CPU a 2-D kernel uses the compiled kernels like any other: the last bits of torch's
    matrix product depend on the number of threads.

    Under autocast a 2-D kernel is torch's matrix product, with a result in half precision. A larger
    one returns float32 features: on the CPU, for bfloat16, products of rounded numbers summed in
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
        """Build the layer.

        Args:
            in_channels: Channels of the input.
            out_channels: Channels of the output.
            kernel_size: Size of the kernel, one integer or one per dimension.
            stride: Stride, one integer or one per dimension.
            dilation: Dilation, one integer or one per dimension.
            bias: Whether to add a bias.
            dimension: Number of dimensions D.
            region: Shape of the kernel.
        """
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
        """Initialize the weights from torch's global generator."""
        fan = self.out_channels if self._transposed else self.in_channels
        bound = 1 / math.sqrt(fan * self.kernel_volume)
        nn.init.uniform_(self.kernel, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def kernel_map(self, x: NativeSparseTensor) -> tuple[KernelMap, tuple[int, ...]]:
        """Kernel map from ``x`` to the output, and the stride of the output."""
        return self._up(x) if self._transposed else self._down(x)

    def check(self, x: NativeSparseTensor) -> None:
        """Check that the weights and ``x`` fit the layer.

        Raises:
            ValueError: They do not; the message names what differs.
        """
        check_dimension(x.stride, self.dimension)
        check_num_rows(x.features, len(x.coordinates))
        volume = () if self.is_linear else (self.kernel_volume,)
        check_features(x.features, self.kernel, (*volume, self.in_channels, self.out_channels))

    @property
    def taps(self) -> torch.Tensor:
        """The kernel as (volume, in, out), also of a linear layer."""
        return self.kernel[None] if self.is_linear else self.kernel

    def forward(self, x: NativeSparseTensor) -> NativeSparseTensor:
        """Convolve ``x`` (N, in) to (N', out)."""
        self.check(x)
        autocast = torch.is_autocast_enabled(x.features.device.type)
        if self.is_linear and (autocast or not kernel_library.run_on(x.features)):
            features, stride = x.features @ self.kernel, x.stride
        else:
            kernel_map, stride = self.kernel_map(x)
            # under autocast a 1x1 layer before this one returns half precision
            features = x.features.to(self.kernel.dtype)
            features = sparse_convolution(features, self.taps, kernel_map)
        if self.bias is not None:
            features = features + self.bias
        return NativeSparseTensor(features, x.manager, stride)


class ConvolutionTranspose(Convolution):
    """Transposed convolution: out[u + offset_t] += x[u] @ kernel[t], onto known finer coordinates.

    Weights are initialized uniformly in +-1/sqrt(out * volume), as in MinkowskiEngine.
    """

    _transposed = True
