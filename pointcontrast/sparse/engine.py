"""What an engine must offer: the contract between the networks and the two engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import nn

if TYPE_CHECKING:
    from pointcontrast.sparse.pointwise import BatchNorm

IntPerDimension = int | Sequence[int]
"""One integer for every space dimension, or one for each."""


@runtime_checkable
class SparseTensor(Protocol):
    """Features at the occupied places of an integer grid.

    Rows keep their order: row i of the features that come out of layers of stride 1 belongs to
    row i of the coordinates that were given.
    """

    @property
    def coordinates(self) -> torch.Tensor:
        """(N, 1+D) int32: batch index, then grid coordinates, multiples of the stride."""
        ...

    @property
    def features(self) -> torch.Tensor:
        """(N, C) floating point."""
        ...

    @property
    def stride(self) -> tuple[int, ...]:
        """D integers: the spacing of the grid in units of the input's voxels."""
        ...

    def replace(self, features: torch.Tensor) -> SparseTensor:
        """Other features (N, C') at the same coordinates.

        Raises:
            ValueError: the number of rows is another.
        """
        ...

    def shares_coordinates(self, other: Any) -> bool:
        """Whether both came from one input and stand at one stride: row i is the same place."""
        ...

    def __add__(self, other: Any) -> SparseTensor:
        """The sum of two tensors on the same coordinates.

        Raises:
            ValueError: they stand on other coordinates.
        """
        ...


class Engine(Protocol):
    """A module that makes sparse tensors and the layers whose rows are not independent.

    Layers (``nn.Module``, keyword arguments as in ``native.py``):
        ``Convolution``, ``ConvolutionTranspose``: parameters ``kernel`` (volume, in, out), 2-D
        (in, out) where volume and stride are 1, and ``bias`` (1, out). A transposed convolution
        puts its result on the coordinates of the finer stride that the network saw before.
        ``BatchNorm``: with ``after``, which an engine may turn into one pass with the convolution.
        ``SumPooling``, ``AveragePooling``, ``MaxPooling``: over the occupied places in reach, 0
        where there is none. Where the kernel is as large as the stride, each cell of the wider
        grid is pooled, also with an odd size, whose convolution would be centred.
    """

    NAME: str
    Convolution: type[nn.Module]
    ConvolutionTranspose: type[nn.Module]
    BatchNorm: type[BatchNorm]
    SumPooling: type[nn.Module]
    AveragePooling: type[nn.Module]
    MaxPooling: type[nn.Module]
    sparse_tensor: Callable[[torch.Tensor, torch.Tensor], SparseTensor]


def per_dimension(value: IntPerDimension, dimension: int, name: str) -> tuple[int, ...]:
    """``value`` as one positive integer a dimension.

    Raises:
        ValueError: wrong number of values, or one below 1; the message names the argument.
    """
    values = (value,) * dimension if isinstance(value, int) else tuple(int(v) for v in value)
    if len(values) != dimension or any(v < 1 for v in values):
        raise ValueError(
            f"{name} {value!r} must be a positive integer, or {dimension} of them, one a dimension"
        )
    return values


def check_sparse_input(
    coordinates: torch.Tensor, features: torch.Tensor, largest_coordinate: int
) -> None:
    """Check what a sparse tensor is made of, all but the uniqueness of its rows.

    Raises:
        ValueError: the shape, dtype, device or range is wrong; the message names it.
    """
    if coordinates.ndim != 2 or coordinates.shape[1] < 2:
        raise ValueError(
            "coordinates must be (N, 1+D), batch index first, D >= 1; "
            f"their shape is {tuple(coordinates.shape)}"
        )
    if coordinates.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"coordinates must be int32 or int64, not {coordinates.dtype}")
    if features.ndim != 2 or len(features) != len(coordinates):
        raise ValueError(
            f"features must be ({len(coordinates)}, C), a row for each coordinate; "
            f"their shape is {tuple(features.shape)}"
        )
    if not features.is_floating_point():
        raise ValueError(f"features must be floating point, not {features.dtype}")
    if features.device != coordinates.device:
        raise ValueError(
            f"features are on {features.device} and coordinates on {coordinates.device}; "
            "put both on one device"
        )
    if len(coordinates) == 0:
        return
    if int(coordinates[:, 0].min()) < 0:
        raise ValueError(
            f"coordinates hold the batch index {int(coordinates[:, 0].min())}; "
            "column 0 must be 0 or more"
        )
    lowest, highest = int(coordinates.min()), int(coordinates.max())
    if max(-lowest, highest) > largest_coordinate:
        raise ValueError(
            f"coordinates go from {lowest} to {highest}, but must stay within "
            f"+-{largest_coordinate}; look for an outlier, or use larger voxels"
        )


def check_num_rows(features: torch.Tensor, num_rows: int) -> None:
    """Check that there is a feature vector for each place.

    Raises:
        ValueError: there are more or fewer, or they are not vectors.
    """
    if features.ndim != 2:
        raise ValueError(
            f"features must be ({num_rows}, C); their shape is {tuple(features.shape)}"
        )
    if len(features) != num_rows:
        raise ValueError(f"{len(features)} rows of features cannot stand on {num_rows} coordinates")


def check_same_coordinates(first: SparseTensor, second: SparseTensor, verb: str) -> None:
    """Check that two tensors stand on the same coordinates.

    Raises:
        ValueError: they differ in stride, or came from different inputs.
    """
    if not first.shares_coordinates(second):
        raise ValueError(
            f"only tensors of the same input at the same stride can be {verb}; these have stride "
            f"{first.stride} with {len(first.features)} rows and stride {second.stride} with "
            f"{len(second.features)} rows"
        )


def check_dimension(stride: tuple[int, ...], dimension: int) -> None:
    """Check that a layer and its input, at ``stride``, have the same number of dimensions.

    Raises:
        ValueError: they do not; the message names both.
    """
    if len(stride) != dimension:
        raise ValueError(f"the layer has {dimension} dimensions, its input {len(stride)}")


def check_features(features: torch.Tensor, kernel: torch.Tensor, shape: tuple[int, ...]) -> None:
    """Check that a layer's kernel is whole and fits the features that it multiplies.

    Args:
        features: (N, in).
        kernel: the weights.
        shape: what theirs must be: (volume, in, out), or (in, out).

    Raises:
        ValueError: the kernel has another shape, the channels differ, or the device, or the dtype
            does without autocast to mend it; the message names both values.
    """
    if tuple(kernel.shape) != shape:
        raise ValueError(f"the layer's kernel must be {shape}, its shape is {tuple(kernel.shape)}")
    if features.ndim != 2 or features.shape[1] != shape[-2]:
        has = features.shape[1] if features.ndim == 2 else f"the shape {tuple(features.shape)}"
        raise ValueError(f"the layer takes {shape[-2]} channels, its input has {has}")
    if features.device != kernel.device:
        raise ValueError(f"the layer is on {kernel.device}, its input on {features.device}")
    if features.dtype != kernel.dtype and not torch.is_autocast_enabled(features.device.type):
        raise ValueError(f"the layer's weights are {kernel.dtype}, its input is {features.dtype}")


def check_channels(in_channels: int, out_channels: int) -> None:
    """Check that a layer has channels.

    Raises:
        ValueError: it has none; the message names both numbers.
    """
    if min(in_channels, out_channels) < 1:
        raise ValueError(
            f"in_channels {in_channels} and out_channels {out_channels} must be 1 or more"
        )


def divided_stride(stride: Sequence[int], factor: Sequence[int]) -> tuple[int, ...]:
    """The stride that a transposed convolution returns to.

    Raises:
        ValueError: it is not a whole number.
    """
    if any(s % f for s, f in zip(stride, factor, strict=True)):
        raise ValueError(f"stride {tuple(stride)} cannot be divided by {tuple(factor)}")
    return tuple(s // f for s, f in zip(stride, factor, strict=True))


def pools_cells(
    kernel_size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> bool:
    """Whether a pooling layer goes cell by cell of the wider grid: its kernel is its stride.

    Raises:
        ValueError: it does and has a dilation, which then means nothing.
    """
    if kernel_size != stride:
        return False
    if any(d != 1 for d in dilation):
        raise ValueError(
            f"dilation {dilation} has no meaning where the pooling kernel is as large as its "
            f"stride {stride}; use 1"
        )
    return True


DUPLICATE_COORDINATES = (
    "coordinates hold {count} rows that stand there twice; voxelise first "
    "(pointcontrast.voxelize keeps one point a voxel)"
)
NO_SUCH_STRIDE = (
    "there are no coordinates of stride {stride}; a transposed convolution returns to a stride "
    "that the network saw before"
)
