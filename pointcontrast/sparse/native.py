"""Engine 2: ours, in plain PyTorch on any device.

A convolution is a loop over the kernel's taps: gather the rows that the tap reads, multiply them
with its matrix, add the products to the rows that it writes. No row is written twice within a
tap, so the sum has one order and the result is the same on every run. The gathered rows are not
kept: the backward pass gathers them again, which costs little beside the products.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from pointcontrast.sparse.coordinates import CoordinateManager, KernelMap
from pointcontrast.sparse.engine import (
    IntPerDimension,
    check_dimension,
    check_features,
    check_num_rows,
    check_same_coordinates,
    check_sparse_input,
    divided_stride,
    per_dimension,
    pools_cells,
)
from pointcontrast.sparse.kernel_region import KernelRegion, Region, kernel_volume
from pointcontrast.sparse.pointwise import largest_by_row

NAME = "native"
# Half of what 32 bits hold: room for the steps of kernels and the floors of strides.
LARGEST_COORDINATE = 2**30


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


class _GatherMultiplyScatter(torch.autograd.Function):
    """out[o] = sum over taps t and meetings (i, o) of t: features[i] @ kernel[t].

    Autocast is off within: a sum of products in half precision over many taps loses digits.
    """

    @staticmethod
    def forward(
        ctx: Any, features: torch.Tensor, kernel: torch.Tensor, kernel_map: KernelMap
    ) -> torch.Tensor:
        ctx.save_for_backward(features, kernel)
        ctx.kernel_map = kernel_map
        with torch.autocast(features.device.type, enabled=False):
            return _gather_multiply_scatter(features, kernel, kernel_map)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad_output: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        features, kernel = ctx.saved_tensors
        kernel_map: KernelMap = ctx.kernel_map
        grad_features = grad_kernel = None
        with torch.autocast(features.device.type, enabled=False):
            if ctx.needs_input_grad[0]:
                grad_features = _gather_multiply_scatter(
                    grad_output, kernel.transpose(1, 2), kernel_map.transposed()
                )
            if ctx.needs_input_grad[1]:
                grad_kernel = _kernel_gradient(features, grad_output, kernel, kernel_map)
        return grad_features, grad_kernel, None


def _gather_multiply_scatter(
    features: torch.Tensor, kernel: torch.Tensor, kernel_map: KernelMap
) -> torch.Tensor:
    output = features.new_zeros(kernel_map.num_outputs, kernel.shape[2])
    for tap, (inputs, outputs) in enumerate(_meetings(kernel_map)):
        if len(inputs):
            output.index_add_(0, outputs, features.index_select(0, inputs) @ kernel[tap])
    return output


def _kernel_gradient(
    features: torch.Tensor, grad_output: torch.Tensor, kernel: torch.Tensor, kernel_map: KernelMap
) -> torch.Tensor:
    grad_kernel = torch.zeros_like(kernel)
    for tap, (inputs, outputs) in enumerate(_meetings(kernel_map)):
        torch.mm(
            features.index_select(0, inputs).t(),
            grad_output.index_select(0, outputs),
            out=grad_kernel[tap],
        )
    return grad_kernel


def _meetings(kernel_map: KernelMap) -> zip[tuple[torch.Tensor, torch.Tensor]]:
    return zip(kernel_map.input_rows, kernel_map.output_rows, strict=True)


class _KernelLayer(nn.Module):
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


class Convolution(_KernelLayer):
    """Sparse convolution: out[u] = sum_t x[u + offset_t * dilation * stride(x)] @ kernel[t] + bias.

    With a stride the result stands on the input's coordinates floored to the wider grid.
    Parameters: ``kernel`` (volume, in, out), (in, out) where volume and stride are 1; ``bias``
    (1, out). Both start uniform in +-1/sqrt(in * volume), as MinkowskiEngine's.
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
        self.in_channels = in_channels
        self.out_channels = out_channels
        self._is_linear = self.kernel_volume == 1 and all(s == 1 for s in self.stride)
        shape = (in_channels, out_channels)
        self.kernel = nn.Parameter(
            torch.empty(shape if self._is_linear else (self.kernel_volume, *shape))
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

    def forward(self, x: NativeSparseTensor) -> NativeSparseTensor:
        """Convolve ``x`` (N, in) to (N', out)."""
        check_dimension(x.stride, self.dimension)
        check_features(x.features, self.kernel)
        if self._is_linear:
            features, stride = x.features @ self.kernel, x.stride
        else:
            kernel_map, stride = self._up(x) if self._transposed else self._down(x)
            # Under autocast a 1x1 layer before this one may have given half precision.
            features = x.features.to(self.kernel.dtype)
            features = _GatherMultiplyScatter.apply(features, self.kernel, kernel_map)
        if self.bias is not None:
            features = features + self.bias
        return NativeSparseTensor(features, x.manager, stride)


class ConvolutionTranspose(Convolution):
    """Transposed convolution: out[u + offset_t] += x[u] @ kernel[t], onto known finer coordinates.

    Weights start uniform in +-1/sqrt(out * volume), as MinkowskiEngine's.
    """

    _transposed = True


class _Pooling(_KernelLayer):
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
        output = features.new_zeros(kernel_map.num_outputs, features.shape[1])
        for inputs, outputs in _meetings(kernel_map):
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
        inputs = torch.cat(kernel_map.input_rows)
        outputs = torch.cat(kernel_map.output_rows)
        return largest_by_row(features.index_select(0, inputs), outputs, kernel_map.num_outputs)
