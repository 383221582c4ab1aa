"""The engine MinkowskiEngine 0.5.4, the library of the released code.

Nothing outside of this package imports it. Its tensors are wrapped to follow the contract of
:mod:`pointcontrast.sparse.engine`; its layers are used unchanged.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

from pointcontrast.errors import InputError
from pointcontrast.sparse.checks import (
    DUPLICATE_COORDINATES,
    NO_SUCH_STRIDE,
    IntPerDimension,
    check_channels,
    check_dimension,
    check_features,
    check_num_rows,
    check_same_coordinates,
    check_sparse_input,
    divided_stride,
    per_dimension,
    pools_cells,
)
from pointcontrast.sparse.global_pooling import largest_by_row
from pointcontrast.sparse.kernel_region import KernelRegion
from pointcontrast.sparse.minkowski_import import import_minkowski
from pointcontrast.sparse.pointwise import BatchNorm as BatchNorm

NAME = "minkowski"
LARGEST_COORDINATE = 2**24
"""MinkowskiEngine floors to a stride in float32, wrong for larger integers (coordinate_map.hpp)."""
ME = import_minkowski()


def built_for_cuda() -> bool:
    """Whether this build supports CUDA devices."""
    return bool(ME.is_cuda_available())


class MinkowskiSparseTensor:
    """A MinkowskiEngine tensor; see :class:`pointcontrast.sparse.SparseTensor`.

    On a GPU MinkowskiEngine may reorder the rows. ``order`` holds its order of the input's
    coordinates (None: as given), and ``features`` and ``coordinates`` undo it.
    """

    def __init__(
        self, inner: Any, origin: Any, order: torch.Tensor | None, inverse: torch.Tensor | None
    ) -> None:
        """Wrap ``inner``; ``origin`` is the coordinate key of the input."""
        self.inner = inner
        self._origin = origin
        self._order = order
        self._inverse = inverse

    def _as_given(self, rows: torch.Tensor) -> torch.Tensor:
        if self._inverse is None or self.inner.coordinate_map_key != self._origin:
            return rows
        return rows[self._inverse]

    @property
    def features(self) -> torch.Tensor:
        """Features (N, C), floating point."""
        return self._as_given(self.inner.F)

    @property
    def coordinates(self) -> torch.Tensor:
        """Coordinates (N, 1+D), int32, batch index first."""
        return self._as_given(self.inner.C)

    @property
    def stride(self) -> tuple[int, ...]:
        """Spacing of the grid, D integers."""
        return tuple(self.inner.tensor_stride)

    def wrap(self, inner: Any) -> MinkowskiSparseTensor:
        """Wrap a tensor that MinkowskiEngine computed from this one."""
        return MinkowskiSparseTensor(inner, self._origin, self._order, self._inverse)

    def replace(self, features: torch.Tensor) -> MinkowskiSparseTensor:
        """Return a tensor with other features (N, C') at the same coordinates.

        Raises:
            ValueError: The number of rows differs.
        """
        check_num_rows(features, len(self.inner.F))
        if self._order is not None and self.inner.coordinate_map_key == self._origin:
            features = features[self._order]
        return self.wrap(
            ME.SparseTensor(
                features,
                coordinate_map_key=self.inner.coordinate_map_key,
                coordinate_manager=self.inner.coordinate_manager,
            )
        )

    def shares_coordinates(self, other: MinkowskiSparseTensor) -> bool:
        """Whether both tensors come from one input and have one stride."""
        return (
            self.inner.coordinate_manager is other.inner.coordinate_manager
            and self.inner.coordinate_map_key == other.inner.coordinate_map_key
        )

    def __add__(self, other: MinkowskiSparseTensor) -> MinkowskiSparseTensor:
        """Add two tensors on the same coordinates.

        Raises:
            ValueError: Their coordinates differ.
        """
        check_same_coordinates(self, other, "added")
        return self.wrap(self.inner + other.inner)


def sparse_tensor(coordinates: torch.Tensor, features: torch.Tensor) -> MinkowskiSparseTensor:
    """Make a sparse tensor of stride 1; arguments and errors as in :func:`native.sparse_tensor`.

    Raises:
        ValueError: As there, with a bound of +-2**24 for coordinates and none for the range; or
            there are no rows, which MinkowskiEngine does not support.
    """
    check_sparse_input(coordinates, features, LARGEST_COORDINATE)
    if len(coordinates) == 0:
        raise ValueError("MinkowskiEngine cannot hold an empty tensor; use engine: native")
    inner = ME.SparseTensor(features, coordinates=coordinates.int().contiguous())
    num_duplicates = len(coordinates) - len(inner.F)
    if num_duplicates:
        raise ValueError(DUPLICATE_COORDINATES.format(count=num_duplicates))
    order = inner.unique_index
    if torch.equal(order, torch.arange(len(order), device=order.device)):
        return MinkowskiSparseTensor(inner, inner.coordinate_map_key, None, None)
    return MinkowskiSparseTensor(
        inner, inner.coordinate_map_key, order, inner.inverse_mapping.long()
    )


def _check_region(region: KernelRegion) -> None:
    if region != "hypercube":
        raise InputError(
            f"MinkowskiEngine 0.5 has no {region} kernel (it was dropped after 0.4); "
            "use engine: native, or hypercube kernels"
        )


class _Wrapped(nn.Module):
    """Mixin for MinkowskiEngine's layers: wrapped tensors, checks, and copies that work."""

    dimension: int

    def __init__(self, **arguments: Any) -> None:
        # MinkowskiEngine stores instances of autograd functions, which torch warns about; the class
        # does the same and, unlike the instance, can be copied
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            super().__init__(**arguments)
        for name in ("conv", "pooling"):
            if hasattr(self, name):
                setattr(self, name, type(getattr(self, name)))

    def forward(self, x: MinkowskiSparseTensor) -> MinkowskiSparseTensor:
        """Apply MinkowskiEngine's layer of the same name."""
        check_dimension(x.stride, self.dimension)
        return x.wrap(super().forward(x.inner))

    def __getstate__(self) -> dict[str, Any]:
        """Include MinkowskiEngine's ``__slots__``, which torch's modules leave out."""
        names = {name for kind in type(self).__mro__ for name in vars(kind).get("__slots__", ())}
        names = {name for name in names - self._parameters.keys() if hasattr(self, name)}
        return {**super().__getstate__(), "slots": {name: getattr(self, name) for name in names}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Undo :meth:`__getstate__`."""
        super().__setstate__({name: value for name, value in state.items() if name != "slots"})
        for name, value in state["slots"].items():
            setattr(self, name, value)


class _WrappedConvolution(_Wrapped):
    kernel: torch.Tensor
    in_channels: int
    out_channels: int

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
        """Build the layer; arguments as in :class:`native.Convolution`.

        Raises:
            InputError: The kernel is hybrid, which this engine does not support.
        """
        _check_region(region)
        check_channels(in_channels, out_channels)
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=per_dimension(kernel_size, dimension, "kernel_size"),
            stride=per_dimension(stride, dimension, "stride"),
            dilation=per_dimension(dilation, dimension, "dilation"),
            bias=bias,
            dimension=dimension,
        )

    def forward(self, x: MinkowskiSparseTensor) -> MinkowskiSparseTensor:
        """Apply MinkowskiEngine's layer of the same name."""
        shape = (*self.kernel.shape[:-2], self.in_channels, self.out_channels)
        check_features(x.inner.F, self.kernel, shape)
        if x.inner.F.dtype != self.kernel.dtype:
            # under autocast a 1x1 layer before this one returns half precision
            x = x.replace(x.features.to(self.kernel.dtype))
        return super().forward(x)


class Convolution(_WrappedConvolution, ME.MinkowskiConvolution):
    """MinkowskiConvolution; see :class:`native.Convolution`."""


class ConvolutionTranspose(_WrappedConvolution, ME.MinkowskiConvolutionTranspose):
    """MinkowskiConvolutionTranspose; see :class:`native.ConvolutionTranspose`."""

    def forward(self, x: MinkowskiSparseTensor) -> MinkowskiSparseTensor:
        """Apply MinkowskiEngine's layer, unless it would generate new coordinates."""
        check_dimension(x.stride, self.dimension)
        finer = divided_stride(x.stride, self.kernel_generator.kernel_stride)
        manager = x.inner.coordinate_manager._manager
        if not manager.get_coordinate_map_keys(list(finer)):
            raise ValueError(NO_SUCH_STRIDE.format(stride=finer))
        return super().forward(x)


class _WrappedPooling(_Wrapped):
    def __init__(
        self,
        *,
        kernel_size: IntPerDimension,
        stride: IntPerDimension = 1,
        dilation: IntPerDimension = 1,
        dimension: int = 3,
    ) -> None:
        """Build the layer; arguments as in :class:`native.SumPooling`."""
        arguments = {
            "kernel_size": per_dimension(kernel_size, dimension, "kernel_size"),
            "stride": per_dimension(stride, dimension, "stride"),
            "dilation": per_dimension(dilation, dimension, "dilation"),
        }
        pools_cells(**arguments)
        super().__init__(**arguments, dimension=dimension)


class SumPooling(_WrappedPooling, ME.MinkowskiSumPooling):
    """MinkowskiSumPooling; see :class:`native.SumPooling`."""


class AveragePooling(_WrappedPooling, ME.MinkowskiAvgPooling):
    """MinkowskiAvgPooling; see :class:`native.AveragePooling`."""


class MaxPooling(_WrappedPooling, ME.MinkowskiMaxPooling):
    """Max pooling over MinkowskiEngine's kernel map; see :class:`native.MaxPooling`.

    MinkowskiEngine's own function skips NaN. Without a number above -inf it returns the lowest
    float, and its backward pass writes out of bounds (index -1).
    """

    def forward(self, x: MinkowskiSparseTensor) -> MinkowskiSparseTensor:
        """Maximum of the inputs within the kernel, for each channel; 0 if there are none."""
        check_dimension(x.stride, self.dimension)
        manager, before = x.inner.coordinate_manager, x.inner.coordinate_map_key
        kernel = self.kernel_generator
        after = manager.stride(before, kernel.kernel_stride)
        entries = manager.kernel_map(
            before,
            after,
            stride=kernel.kernel_stride,
            kernel_size=kernel.kernel_size,
            dilation=kernel.kernel_dilation,
            is_pool=True,
        )
        none = torch.zeros(2, 0, dtype=torch.int32, device=x.inner.F.device)
        inputs, outputs = torch.cat([none, *entries.values()], dim=1).long()
        features = largest_by_row(x.inner.F.index_select(0, inputs), outputs, manager.size(after))
        return x.wrap(
            ME.SparseTensor(features, coordinate_map_key=after, coordinate_manager=manager)
        )
