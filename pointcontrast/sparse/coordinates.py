"""Coordinates of the native engine: strided sets and the kernel maps between them.

A :class:`CoordinateManager` is shared by all tensors of one forward pass. It makes each strided
coordinate set and each kernel map once; every layer and the backward pass reuse them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from pointcontrast.sparse import compiled_coordinates as compiled
from pointcontrast.sparse import kernel_library
from pointcontrast.sparse.checks import DUPLICATE_COORDINATES, NO_SUCH_STRIDE
from pointcontrast.sparse.compiled_convolution import MapEntries
from pointcontrast.sparse.kernel_region import Region, kernel_offsets

Stride = tuple[int, ...]
LARGEST_COORDINATE = 2**30
"""Half the range of int32: room for the offsets of kernels and the floors of strides."""


@dataclass(frozen=True)
class MapSide:
    """One side of a kernel map, the input's or the output's.

    Attributes:
        rows: Row of each entry (M,), int32. Within a tap no row appears twice, and rows are in the
            order of ``order``.
        order: All rows of this side in the order of space (num_rows,), int32.
        cuts: First entry of each tap and each block of ``compiled_coordinates.BLOCK_ROWS`` rows of
            ``order`` (taps, blocks + 1), int32. None if the map was made by torch.
    """

    rows: torch.Tensor
    order: torch.Tensor
    cuts: torch.Tensor | None

    @property
    def num_rows(self) -> int:
        """Number of rows of this side, with entries or without."""
        return len(self.order)


@dataclass(frozen=True)
class KernelMap:
    """Pairs of input and output rows (entries) for each tap of a kernel.

    Attributes:
        inputs: Side that a convolution reads.
        outputs: Side that it writes.
        tap_starts: First entry of each tap (taps + 1,), int64 on the CPU: tap t has the entries
            from tap_starts[t] to tap_starts[t + 1].
    """

    inputs: MapSide
    outputs: MapSide
    tap_starts: torch.Tensor

    def transposed(self) -> KernelMap:
        """Swap inputs and outputs, for a transposed convolution."""
        return KernelMap(self.outputs, self.inputs, self.tap_starts)

    def entries(self) -> MapEntries:
        """Entries for the compiled kernels, which must have made this map."""
        assert self.outputs.cuts is not None
        return MapEntries(
            self.inputs.rows,
            self.outputs.rows,
            self.tap_starts,
            self.outputs.order,
            self.outputs.cuts,
        )

    @cached_property
    def counts(self) -> torch.Tensor:
        """Number of inputs that each output reads (num_outputs,), int64."""
        return torch.bincount(self.outputs.rows, minlength=self.outputs.num_rows)


@dataclass(frozen=True)
class _CoordinateSet:
    """Unique coordinates (N, 1+D) and their sorted row indices (N,), both int32."""

    coordinates: torch.Tensor
    order: torch.Tensor

    @cached_property
    def bounds(self) -> tuple[list[int], list[int]]:
        """Minimum and maximum of each column; 0 without rows."""
        return _bounds(self.coordinates)


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
        order, num_duplicates = _sorted(coordinates)
        if num_duplicates:
            raise ValueError(DUPLICATE_COORDINATES.format(count=num_duplicates))
        self._sets = {(1,) * self.dimension: _CoordinateSet(coordinates, order)}
        self._maps: dict[tuple, KernelMap] = {}

    def coordinates(self, stride: Stride) -> torch.Tensor:
        """Coordinates of the set at ``stride`` (N, 1+D), int32.

        Raises:
            ValueError: The set does not exist yet.
        """
        return self._set(stride).coordinates

    def _set(self, stride: Stride) -> _CoordinateSet:
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
            coordinates = _downsample(self._set(stride), (1, *wider))
            rows = torch.arange(len(coordinates), dtype=torch.int32, device=coordinates.device)
            self._sets[wider] = _CoordinateSet(coordinates, rows)
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
            self._maps[key] = _kernel_map(
                self._set(stride), self._set(self.downsample(stride, factor)), (1, *stride), taps
            )
        return self._maps[key]


@dataclass(frozen=True)
class _Packing:
    """Packing of coordinates into int64 keys that keep their order, batch index first.

    The key of a place is sum((place - lower) * radix), unique within the bounds of the packing.
    """

    lower: torch.Tensor
    extent: torch.Tensor
    radix: torch.Tensor

    @classmethod
    def of(cls, lowest: Sequence[int], highest: Sequence[int]) -> _Packing:
        """Packing for all places from ``lowest`` to ``highest``, one integer per column.

        Raises:
            ValueError: There are 2**63 places or more.
        """
        sizes = [high - low + 1 for low, high in zip(lowest, highest, strict=True)]
        if math.prod(sizes) >= 2**63:
            raise ValueError(
                f"coordinates span {sizes} places (batch first), too many to number in 63 bits; "
                "look for an outlier, or use larger voxels"
            )
        radix = [math.prod(sizes[column + 1 :]) for column in range(len(sizes))]
        return cls(torch.tensor(list(lowest)), torch.tensor(sizes), torch.tensor(radix))

    def keys(self, places: torch.Tensor) -> torch.Tensor:
        """Keys (N,), int64, of places (N, 1+D)."""
        lower, radix = self.lower.to(places.device), self.radix.to(places.device)
        return ((places.long() - lower) * radix).sum(1)

    def places(self, keys: torch.Tensor) -> torch.Tensor:
        """Places (N, 1+D), int64, of keys (N,)."""
        lower, extent, radix = (t.to(keys.device) for t in (self.lower, self.extent, self.radix))
        return keys[:, None].div(radix, rounding_mode="floor") % extent + lower


def _bounds(coordinates: torch.Tensor) -> tuple[list[int], list[int]]:
    if len(coordinates) == 0:
        zeros = [0] * coordinates.shape[1]
        return zeros, zeros
    return coordinates.amin(0).tolist(), coordinates.amax(0).tolist()


def _use_kernels(coordinates: torch.Tensor) -> bool:
    return coordinates.device.type == "cpu" and kernel_library.available()


def _sorted(coordinates: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Row indices in the order of space (N,), int32, and the number of duplicate rows."""
    packing = _Packing.of(*_bounds(coordinates))
    if _use_kernels(coordinates):
        return compiled.sort_coordinates(coordinates, packing.lower, packing.radix)
    keys, order = packing.keys(coordinates).sort(stable=True)
    return order.int(), int((keys[1:] == keys[:-1]).sum())


def _downsample(finer: _CoordinateSet, step: Sequence[int]) -> torch.Tensor:
    """Places of a set on a coarser grid of spacing ``step`` (N', 1+D), int32, sorted."""
    lowest, highest = ([b // s for b, s in zip(bs, step, strict=True)] for bs in finer.bounds)
    packing, steps = _Packing.of(lowest, highest), torch.tensor(list(step))
    if _use_kernels(finer.coordinates):
        return compiled.downsample(finer.coordinates, steps, packing.lower, packing.radix)
    steps = steps.to(finer.coordinates.device)
    floored = finer.coordinates.long().div(steps, rounding_mode="floor")
    return (packing.places(torch.unique(packing.keys(floored))) * steps).int()


def _kernel_map(
    inputs: _CoordinateSet, outputs: _CoordinateSet, unit: Sequence[int], taps: torch.Tensor
) -> KernelMap:
    """Kernel map of two sets; ``taps`` (volume, D) count in ``unit``, the spacing of the inputs.

    The packing has a margin as wide as the widest tap. So an offset is one addition to the key, and
    never carries into the next column. If inputs and outputs are the same set, a tap is its
    opposite with the sides swapped.
    """
    reach = [0, *taps.abs().amax(0).tolist()] if len(taps) else [0] * len(unit)
    bounds = zip(inputs.bounds[0], outputs.bounds[0], inputs.bounds[1], outputs.bounds[1],
                 unit, reach, strict=True)  # fmt: skip
    lowest, highest = zip(
        *((min(a, b) // u - r, max(c, d) // u + r) for a, b, c, d, u, r in bounds), strict=True
    )
    packing, units = _Packing.of(lowest, highest), torch.tensor(list(unit))
    deltas = (taps * packing.radix[1:]).sum(1)
    opposite = torch.tensor(_opposite(taps) if inputs is outputs else [-1] * len(taps))
    if _use_kernels(inputs.coordinates):
        rows = compiled.build_map(
            inputs.coordinates, inputs.order, outputs.coordinates, outputs.order,
            units, packing.lower, packing.radix, deltas, opposite,
        )  # fmt: skip
        return KernelMap(
            MapSide(rows.input_rows, inputs.order, rows.input_cuts),
            MapSide(rows.output_rows, outputs.order, rows.output_cuts),
            rows.tap_starts,
        )
    units = units.to(inputs.coordinates.device)
    input_keys, output_keys = (
        packing.keys(side.coordinates.long().div(units, rounding_mode="floor"))[side.order]
        for side in (inputs, outputs)
    )
    input_rows: list[torch.Tensor] = []
    output_rows: list[torch.Tensor] = []
    for delta, known in zip(deltas.tolist(), opposite.tolist(), strict=True):
        if known >= 0:
            input_rows.append(output_rows[known])
            output_rows.append(input_rows[known])
        else:
            found, where = _search(input_keys, output_keys + delta)
            input_rows.append(inputs.order[where])
            output_rows.append(outputs.order[found])
    counts = torch.tensor([0, *(len(rows) for rows in input_rows)])
    return KernelMap(
        MapSide(torch.cat(input_rows), inputs.order, None),
        MapSide(torch.cat(output_rows), outputs.order, None),
        counts.cumsum(0),
    )


def _opposite(taps: torch.Tensor) -> list[int]:
    """For each tap the index of an earlier one with the opposite offset, or -1."""
    known: dict[tuple[int, ...], int] = {}
    result = []
    for index, tap in enumerate(taps.tolist()):
        result.append(known.get(tuple(-step for step in tap), -1))
        known[tuple(tap)] = index
    return result


def _search(keys: torch.Tensor, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices of the queries that are among the sorted keys, and their positions there."""
    if len(keys) == 0:
        empty = queries.new_zeros(0)
        return empty, empty
    where = torch.searchsorted(keys, queries).clamp_max(len(keys) - 1)
    found = torch.nonzero(keys[where] == queries).squeeze(1)
    return found, where[found]
