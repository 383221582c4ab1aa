"""Engine 2: ours, in plain PyTorch on any device.

A convolution is a loop over the kernel's taps: gather the rows that the tap reads, multiply them
with its matrix, add the products to the rows that it writes. No row is written twice within a
tap, so the sum has one order and the result is the same on every run. The gathered rows are not
kept: the backward pass gathers them again, which costs little beside the products.
"""

from __future__ import annotations

import math
from typing import cast
import torch
from torch import nn

from pointcontrast.sparse import kernels, pointwise
from pointcontrast.sparse.convolution import (
    meetings_by_tap,
    sparse_convolution,
    sparse_convolution_and_normalization,
)
from pointcontrast.sparse.coordinates import LARGEST_COORDINATE, CoordinateManager, KernelMap
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
from pointcontrast.sparse.normalization import normalize_batch
from pointcontrast.sparse.pointwise import largest_by_row

NAME = "native"


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

    def meetings(self, x: NativeSparseTensor) -> tuple[KernelMap, tuple[int, ...]]:
        """Who reads whom, and the stride of the result.

        Raises:
            ValueError: ``x`` has another dimension, number of channels or dtype than the layer, or
                there are no coordinates to go up to.
        """
        check_dimension(x.stride, self.dimension)
        check_features(x.features, self.kernel)
        return self._up(x) if self._transposed else self._down(x)

    def forward(self, x: NativeSparseTensor) -> NativeSparseTensor:
        """Convolve ``x`` (N, in) to (N', out)."""
        check_dimension(x.stride, self.dimension)
        check_features(x.features, self.kernel)
        if self._is_linear:
            features, stride = x.features @ self.kernel, x.stride
        else:
            kernel_map, stride = self.meetings(x)
            # Under autocast a 1x1 layer before this one may have given half precision.
            features = x.features.to(self.kernel.dtype)
            features = sparse_convolution(features, self.kernel, kernel_map)
        if self.bias is not None:
            features = features + self.bias
        return NativeSparseTensor(features, x.manager, stride)


class ConvolutionTranspose(Convolution):
    """Transposed convolution: out[u + offset_t] += x[u] @ kernel[t], onto known finer coordinates.

    Weights start uniform in +-1/sqrt(out * volume), as MinkowskiEngine's.
    """

    _transposed = True


class BatchNorm(pointwise.BatchNorm):
    """Batch norm that does what follows it, and in evaluation what precedes it, in the same pass.

    Where the compiled kernels serve: on the CPU. The statistics are summed in double precision, and
    in the same order for any number of threads.
    """

    def after(
        self,
        convolution: nn.Module,
        x: NativeSparseTensor,
        shortcut: NativeSparseTensor | None = None,
        *,
        rectify: bool = False,
    ) -> NativeSparseTensor:
        """``self(convolution(x), shortcut, rectify=rectify)``; in evaluation in one pass.

        The convolution's rows are scaled and shifted while they are in the cache. With gradients,
        or a forward hook on either module, it is two passes after all.
        """
        if (
            isinstance(convolution, Convolution)
            and not convolution._is_linear
            and not torch.is_grad_enabled()
            and self._is_constant(x.features)
            and not any(module._forward_hooks or module._forward_pre_hooks
                        for module in (self, convolution))
        ):  # fmt: skip
            return self._folded(convolution, x, shortcut, rectify)
        return super().after(convolution, x, shortcut, rectify=rectify)

    def _folded(
        self,
        convolution: Convolution,
        x: NativeSparseTensor,
        shortcut: NativeSparseTensor | None,
        rectify: bool,
    ) -> NativeSparseTensor:
        kernel_map, stride = convolution.meetings(x)
        out = NativeSparseTensor(x.features, x.manager, stride)
        if shortcut is not None:
            check_same_coordinates(out, shortcut, "added")
        scale = self.bn.weight * self._inverse_deviation()
        mean = cast(torch.Tensor, self.bn.running_mean)
        if convolution.bias is not None:
            mean = mean - convolution.bias[0]
        out.features = sparse_convolution_and_normalization(
            x.features,
            convolution.kernel,
            kernel_map,
            scale,
            self.bn.bias - mean * scale,
            None if shortcut is None else shortcut.features,
            rectify,
        )
        return out

    def _finished(
        self, features: torch.Tensor, shortcut: torch.Tensor | None, rectify: bool
    ) -> torch.Tensor:
        bn = self.bn
        if self.training and self._served(features):
            out, mean, variance = normalize_batch(
                features, bn.weight, bn.bias, shortcut, bn.eps, rectify
            )
            self._remember(mean, variance, len(features))
            return out
        if not torch.is_grad_enabled() and self._is_constant(features):
            return kernels.normalize(
                features.contiguous(),
                cast(torch.Tensor, bn.running_mean),
                self._inverse_deviation(),
                bn.weight,
                bn.bias,
                None if shortcut is None else shortcut.contiguous(),
                rectify,
            )
        return super()._finished(features, shortcut, rectify)

    def _served(self, features: torch.Tensor) -> bool:
        return kernels.run_on(features) and features.dtype == self.bn.weight.dtype

    def _is_constant(self, features: torch.Tensor) -> bool:
        """Whether this layer is a scale and a shift that the kernels can apply."""
        return not self.training and self._served(features)

    def _inverse_deviation(self) -> torch.Tensor:
        return (cast(torch.Tensor, self.bn.running_var) + self.bn.eps).rsqrt()

    @torch.no_grad()
    def _remember(self, mean: torch.Tensor, variance: torch.Tensor, count: int) -> None:
        """Move the running statistics, as ``nn.BatchNorm1d`` does."""
        bn = self.bn
        tracked = cast(torch.Tensor, bn.num_batches_tracked)
        tracked += 1
        weight = 1 / float(tracked) if bn.momentum is None else bn.momentum
        cast(torch.Tensor, bn.running_mean).lerp_(mean, weight)
        cast(torch.Tensor, bn.running_var).lerp_(variance * (count / (count - 1)), weight)


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
