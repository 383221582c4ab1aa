"""Checks of tensors and of the arguments of layers, the same on both engines."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pointcontrast.sparse.sparse_tensor import SparseTensor

IntPerDimension = int | Sequence[int]
"""One integer for all dimensions of space, or one for each."""

DUPLICATE_COORDINATES = (
    "coordinates hold {count} duplicate rows; voxelise first "
    "(pointcontrast.voxelize keeps one point per voxel)"
)
NO_SUCH_STRIDE = (
    "there are no coordinates of stride {stride}; a transposed convolution returns to a stride "
    "that the network saw before"
)


def per_dimension(value: IntPerDimension, dimension: int, name: str) -> tuple[int, ...]:
    """Return ``value`` as one positive integer per dimension.

    Raises:
        ValueError: Wrong number of values, or one below 1; the message names the argument.
    """
    values = (value,) * dimension if isinstance(value, int) else tuple(int(v) for v in value)
    if len(values) != dimension or any(v < 1 for v in values):
        raise ValueError(
            f"{name} {value!r} must be a positive integer, or {dimension}, one per dimension"
        )
    return values


def check_sparse_input(
    coordinates: torch.Tensor, features: torch.Tensor, largest_coordinate: int
) -> None:
    """Check the arguments of a sparse tensor, except for duplicate rows.

    Raises:
        ValueError: The shape, dtype, device or range is wrong; the message names it.
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
            f"features must be ({len(coordinates)}, C), one row per coordinate; "
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
            f"coordinates range from {lowest} to {highest}, but must stay within "
            f"+-{largest_coordinate}; look for an outlier, or use larger voxels"
        )


def check_num_rows(features: torch.Tensor, num_rows: int) -> None:
    """Check that features are (num_rows, C).

    Raises:
        ValueError: They have another shape.
    """
    if features.ndim != 2:
        raise ValueError(
            f"features must be ({num_rows}, C); their shape is {tuple(features.shape)}"
        )
    if len(features) != num_rows:
        raise ValueError(f"{len(features)} rows of features do not fit {num_rows} coordinates")


def check_same_coordinates(first: SparseTensor, second: SparseTensor, verb: str) -> None:
    """Check that two tensors have the same coordinates.

    Raises:
        ValueError: They differ in stride, or come from different inputs.
    """
    if not first.shares_coordinates(second):
        raise ValueError(
            f"only tensors of the same input at the same stride can be {verb}; these have stride "
            f"{first.stride} with {len(first.features)} rows and stride {second.stride} with "
            f"{len(second.features)} rows"
        )


def check_shortcut(shortcut: torch.Tensor, features: torch.Tensor) -> None:
    """Check that a shortcut can be added to ``features``.

    Raises:
        ValueError: It has another shape or is on another device.
    """
    if shortcut.shape != features.shape or shortcut.device != features.device:
        raise ValueError(
            f"a shortcut of shape {tuple(shortcut.shape)} on {shortcut.device} cannot be added to "
            f"{tuple(features.shape)} on {features.device}"
        )


def check_dimension(stride: tuple[int, ...], dimension: int) -> None:
    """Check that a layer and its input, at ``stride``, have the same number of dimensions.

    Raises:
        ValueError: They differ.
    """
    if len(stride) != dimension:
        raise ValueError(f"the layer has {dimension} dimensions, its input {len(stride)}")


def check_features(features: torch.Tensor, kernel: torch.Tensor, shape: tuple[int, ...]) -> None:
    """Check that a layer's kernel has its shape and fits the features.

    Args:
        features: Features (N, in).
        kernel: Weights of the layer.
        shape: Expected shape of the weights, (volume, in, out) or (in, out).

    Raises:
        ValueError: The kernel has another shape, or channels or devices differ, or dtypes differ
            without autocast.
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
        ValueError: A number of channels is below 1.
    """
    if min(in_channels, out_channels) < 1:
        raise ValueError(
            f"in_channels {in_channels} and out_channels {out_channels} must be 1 or more"
        )


def divided_stride(stride: Sequence[int], factor: Sequence[int]) -> tuple[int, ...]:
    """Stride of the output of a transposed convolution.

    Raises:
        ValueError: It is not an integer.
    """
    if any(s % f for s, f in zip(stride, factor, strict=True)):
        raise ValueError(f"stride {tuple(stride)} cannot be divided by {tuple(factor)}")
    return tuple(s // f for s, f in zip(stride, factor, strict=True))


def pools_cells(
    kernel_size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> bool:
    """Whether a pooling layer pools the cells of the coarser grid: its kernel is its stride.

    Raises:
        ValueError: It does and has a dilation, which has no meaning then.
    """
    if kernel_size != stride:
        return False
    if any(d != 1 for d in dilation):
        raise ValueError(
            f"dilation {dilation} has no meaning if the pooling kernel is as large as its "
            f"stride {stride}; use 1"
        )
    return True
