"""Coordinates of the native engine: strided sets, and who reads whom in a convolution.

A :class:`CoordinateManager` is shared by all tensors of one forward pass. It makes each strided
coordinate set and each kernel map once; every layer and the backward pass reuse them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from pointcontrast.sparse import kernel_library, kernels
from pointcontrast.sparse.engine import DUPLICATE_COORDINATES, NO_SUCH_STRIDE
from pointcontrast.sparse.kernel_region import Region, kernel_offsets

Stride = tuple[int, ...]
# Half of what 32 bits hold: room for the steps of kernels and the floors of strides.
LARGEST_COORDINATE = 2**30


@dataclass(frozen=True)
class MapSide:
    """One side of a kernel map, the rows that are read or those that are written.

    Attributes:
        rows: (M,) int32, the row of each meeting; within a tap none appears twice, and they follow
            ``order``.
        order: (num_rows,) int32, all rows of this side in the order of space.
        cuts: (taps, blocks + 1) int32, for each tap and each ``kernels.BLOCK_ROWS`` rows of
            ``order`` the first meeting; None where the map was made by torch.
    """

    rows: torch.Tensor
    order: torch.Tensor
    cuts: torch.Tensor | None

    @property
    def num_rows(self) -> int:
        """Rows of this side, whether they meet any or not."""
        return len(self.order)


@dataclass(frozen=True)
class KernelMap:
    """For each tap of a kernel the rows that meet: the input's and the output's.

    Attributes:
        inputs: the side that a convolution reads.
        outputs: the side that it writes.
        tap_starts: (taps + 1,) int64 on the CPU: tap t has the meetings from tap_starts[t] to
            tap_starts[t + 1].
    """

    inputs: MapSide
    outputs: MapSide
    tap_starts: torch.Tensor

    def transposed(self) -> KernelMap:
        """The same meetings seen from the other side: what a transposed convolution needs."""
        return KernelMap(self.outputs, self.inputs, self.tap_starts)

    def for_kernels(self) -> kernels.Meetings:
        """This map as the compiled kernels take it, which must have made it."""
        assert self.outputs.cuts is not None
        return kernels.Meetings(
            self.inputs.rows,
            self.outputs.rows,
            self.tap_starts,
            self.outputs.order,
            self.outputs.cuts,
        )

    @cached_property
    def counts(self) -> torch.Tensor:
        """(num_outputs,) int64: how many inputs each output reads."""
        return torch.bincount(self.outputs.rows, minlength=self.outputs.num_rows)


@dataclass(frozen=True)
class _CoordinateSet:
    """Unique (N, 1+D) int32 coordinates and their rows (N,) int32 in the order of space."""

    coordinates: torch.Tensor
    order: torch.Tensor

    @cached_property
    def bounds(self) -> tuple[list[int], list[int]]:
        """The least and the greatest of each column; 0 where there is no row."""
        return _bounds(self.coordinates)


class CoordinateManager:
    """The coordinate sets of one input, by stride, and the kernel maps between them."""

    def __init__(self, coordinates: torch.Tensor) -> None:
        """Start from the (N, 1+D) integer coordinates of the input, at stride 1.

        Raises:
            ValueError: a row stands there twice, or the range is too wide to be packed.
        """
        self.dimension = coordinates.shape[1] - 1
        # A copy: maps are made when a layer first asks, and the caller may write to the original.
        coordinates = coordinates.to(torch.int32, copy=True, memory_format=torch.contiguous_format)
        order, num_duplicates = _sorted(coordinates)
        if num_duplicates:
            raise ValueError(DUPLICATE_COORDINATES.format(count=num_duplicates))
        self._sets = {(1,) * self.dimension: _CoordinateSet(coordinates, order)}
        self._maps: dict[tuple, KernelMap] = {}

    def coordinates(self, stride: Stride) -> torch.Tensor:
        """(N, 1+D) int32 coordinates of the set at ``stride``.

        Raises:
            ValueError: there is no such set yet.
        """
        return self._set(stride).coordinates

    def _set(self, stride: Stride) -> _CoordinateSet:
        if stride not in self._sets:
            raise ValueError(NO_SUCH_STRIDE.format(stride=stride))
        return self._sets[stride]

    def downsample(self, stride: Stride, factor: Sequence[int]) -> Stride:
        """Make sure the set at ``stride * factor`` exists: each place floored to the wider grid.

        Raises:
            ValueError: the stride leaves what 32 bits hold.
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
        """Who reads whom when a kernel goes from the set at ``stride`` to ``stride * factor``.

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
    """Places as single int64 numbers that keep their order, batch first.

    The number of a place is sum((place - lower) * radix); all within the bounds it was made for
    have different ones.
    """

    lower: torch.Tensor
    extent: torch.Tensor
    radix: torch.Tensor

    @classmethod
    def of(cls, lowest: Sequence[int], highest: Sequence[int]) -> _Packing:
        """A packing for all places from ``lowest`` to ``highest``, one integer a column.

        Raises:
            ValueError: there are 2**63 or more.
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
        """(N,) int64 numbers of (N, 1+D) places."""
        lower, radix = self.lower.to(places.device), self.radix.to(places.device)
        return ((places.long() - lower) * radix).sum(1)

    def places(self, keys: torch.Tensor) -> torch.Tensor:
        """(N, 1+D) int64 places of (N,) numbers."""
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
    """The rows (N,) int32 in the order of space, and how many stand there for a second time."""
    packing = _Packing.of(*_bounds(coordinates))
    if _use_kernels(coordinates):
        return kernels.sort_coordinates(coordinates, packing.lower, packing.radix)
    keys, order = packing.keys(coordinates).sort(stable=True)
    return order.int(), int((keys[1:] == keys[:-1]).sum())


def _downsample(finer: _CoordinateSet, step: Sequence[int]) -> torch.Tensor:
    """The places of a set on a wider grid of spacing ``step``, (N', 1+D) int32, in order."""
    lowest, highest = ([b // s for b, s in zip(bs, step, strict=True)] for bs in finer.bounds)
    packing, steps = _Packing.of(lowest, highest), torch.tensor(list(step))
    if _use_kernels(finer.coordinates):
        return kernels.downsample(finer.coordinates, steps, packing.lower, packing.radix)
    steps = steps.to(finer.coordinates.device)
    floored = finer.coordinates.long().div(steps, rounding_mode="floor")
    return (packing.places(torch.unique(packing.keys(floored))) * steps).int()


def _kernel_map(
    inputs: _CoordinateSet, outputs: _CoordinateSet, unit: Sequence[int], taps: torch.Tensor
) -> KernelMap:
    """The meetings of two sets; ``taps`` (volume, D) count in ``unit``, the inputs' spacing.

    Within a margin as wide as the widest tap an offset is one addition to the packed number, and
    packed numbers never run over into the neighbouring row. Where inputs and outputs are the same
    set, the tap opposite to a known one is that one turned round.
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
        rows = kernels.build_map(
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
    """For each tap an earlier one that goes the other way, or -1."""
    known: dict[tuple[int, ...], int] = {}
    result = []
    for index, tap in enumerate(taps.tolist()):
        result.append(known.get(tuple(-step for step in tap), -1))
        known[tuple(tap)] = index
    return result


def _search(keys: torch.Tensor, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which of the queries are among the sorted keys, and where."""
    if len(keys) == 0:
        empty = queries.new_zeros(0)
        return empty, empty
    where = torch.searchsorted(keys, queries).clamp_max(len(keys) - 1)
    found = torch.nonzero(keys[where] == queries).squeeze(1)
    return found, where[found]
