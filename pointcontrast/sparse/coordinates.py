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

from pointcontrast.sparse.engine import DUPLICATE_COORDINATES, NO_SUCH_STRIDE
from pointcontrast.sparse.kernel_region import Region, kernel_offsets

Stride = tuple[int, ...]


@dataclass(frozen=True)
class KernelMap:
    """For each tap the rows that meet: the input's and the output's.

    Attributes:
        input_rows: one (M_t,) int64 tensor a tap.
        output_rows: the same shapes; no row appears twice within one tap.
        num_inputs: rows of the input.
        num_outputs: rows of the output.
    """

    input_rows: tuple[torch.Tensor, ...]
    output_rows: tuple[torch.Tensor, ...]
    num_inputs: int
    num_outputs: int

    def transposed(self) -> KernelMap:
        """The same meetings seen from the other side: what a transposed convolution needs."""
        return KernelMap(self.output_rows, self.input_rows, self.num_outputs, self.num_inputs)

    @cached_property
    def counts(self) -> torch.Tensor:
        """(num_outputs,) int64: how many inputs each output reads."""
        rows = torch.cat(self.output_rows)
        return torch.bincount(rows, minlength=self.num_outputs)


class CoordinateManager:
    """The coordinate sets of one input, by stride, and the kernel maps between them."""

    def __init__(self, coordinates: torch.Tensor) -> None:
        """Start from the (N, 1+D) integer coordinates of the input, at stride 1.

        Raises:
            ValueError: a row stands there twice, or the range is too wide to be packed.
        """
        self.dimension = coordinates.shape[1] - 1
        # A copy: maps are made when a layer first asks, and the caller may write to the original.
        self._sets: dict[Stride, torch.Tensor] = {
            (1,) * self.dimension: coordinates.to(torch.int32, copy=True)
        }
        self._maps: dict[tuple, KernelMap] = {}
        keys = _Packing.of(coordinates.long(), margin=0).keys(coordinates.long())
        num_duplicates = len(keys) - len(torch.unique(keys))
        if num_duplicates:
            raise ValueError(DUPLICATE_COORDINATES.format(count=num_duplicates))

    def coordinates(self, stride: Stride) -> torch.Tensor:
        """(N, 1+D) int32 coordinates of the set at ``stride``.

        Raises:
            ValueError: there is no such set yet.
        """
        if stride not in self._sets:
            raise ValueError(NO_SUCH_STRIDE.format(stride=stride))
        return self._sets[stride]

    def downsample(self, stride: Stride, factor: Sequence[int]) -> Stride:
        """Make sure the set at ``stride * factor`` exists: each place floored to the wider grid."""
        wider = tuple(s * f for s, f in zip(stride, factor, strict=True))
        if wider not in self._sets:
            step = torch.tensor((1, *wider), device=self._sets[stride].device)
            floored = self._sets[stride].long().div(step, rounding_mode="floor")
            packing = _Packing.of(floored, margin=0)
            unique = packing.coordinates(torch.unique(packing.keys(floored)))
            self._sets[wider] = (unique * step).int()
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
            inputs = self.coordinates(stride)
            outputs = self.coordinates(self.downsample(stride, factor))
            unit = torch.tensor((1, *stride), device=inputs.device)
            taps = kernel_offsets(kernel_size, region) * torch.tensor(tuple(dilation))
            self._maps[key] = _build_map(
                inputs.long().div(unit, rounding_mode="floor"),
                outputs.long().div(unit, rounding_mode="floor"),
                taps,
                same=all(f == 1 for f in factor),
            )
        return self._maps[key]


@dataclass(frozen=True)
class _Packing:
    """Coordinates as single int64 numbers that keep their order, batch first."""

    lower: torch.Tensor
    extent: torch.Tensor
    radix: torch.Tensor

    @classmethod
    def of(cls, coordinates: torch.Tensor, margin: int) -> _Packing:
        """A packing for ``coordinates`` (N, 1+D) and all that is within ``margin`` of them."""
        columns = coordinates.shape[1]
        if len(coordinates) == 0:
            coordinates = coordinates.new_zeros(1, columns)
        lower = coordinates.amin(0) - margin
        extent = coordinates.amax(0) + margin - lower + 1
        sizes: list[int] = extent.tolist()
        if math.prod(sizes) >= 2**63:
            raise ValueError(
                f"coordinates span {sizes} places (batch first), too many to number in 63 bits; "
                "look for an outlier, or use larger voxels"
            )
        radix = [math.prod(sizes[column + 1 :]) for column in range(columns)]
        return cls(lower, extent, torch.tensor(radix, device=coordinates.device))

    def keys(self, coordinates: torch.Tensor) -> torch.Tensor:
        """(N,) int64 numbers of (N, 1+D) coordinates."""
        return ((coordinates - self.lower) * self.radix).sum(1)

    def coordinates(self, keys: torch.Tensor) -> torch.Tensor:
        """(N, 1+D) int64 coordinates of (N,) numbers."""
        return keys[:, None].div(self.radix, rounding_mode="floor") % self.extent + self.lower


def _build_map(
    inputs: torch.Tensor, outputs: torch.Tensor, taps: torch.Tensor, same: bool
) -> KernelMap:
    """The kernel map from ``inputs`` to ``outputs`` (N, 1+D) int64 in units of the input's stride.

    Within a margin as wide as the widest tap an offset is one addition to the packed number, and
    packed numbers never run over into the neighbouring row. The numbers are sorted once and each
    tap is one binary search over sorted queries. Where inputs and outputs are the same set, the
    tap opposite to a known one is that one turned round.
    """
    # The floored outputs of a wider stride may stand left of all inputs: one reach more for them.
    reach = int(taps.abs().max()) if len(taps) else 0
    span = (
        0
        if same or len(inputs) == 0
        else int((inputs.amin(0) - outputs.amin(0)).clamp_min(0).max())
    )
    packing = _Packing.of(inputs, margin=reach + span)
    input_keys, input_order = packing.keys(inputs).sort()
    output_keys, output_order = (input_keys, input_order) if same else packing.keys(outputs).sort()
    deltas: list[int] = (taps * packing.radix[1:].cpu()).sum(1).tolist()
    known = {tuple(tap): index for index, tap in enumerate(taps.tolist())}
    input_rows: list[torch.Tensor] = []
    output_rows: list[torch.Tensor] = []
    for index, (tap, delta) in enumerate(zip(taps.tolist(), deltas, strict=True)):
        opposite = known.get(tuple(-step for step in tap))
        if same and opposite is not None and opposite < index:
            input_rows.append(output_rows[opposite])
            output_rows.append(input_rows[opposite])
        elif same and delta == 0:
            rows = torch.arange(len(inputs), device=inputs.device)
            input_rows.append(rows)
            output_rows.append(rows)
        else:
            found, where = _search(input_keys, output_keys + delta)
            input_rows.append(input_order[where])
            output_rows.append(output_order[found])
    return KernelMap(tuple(input_rows), tuple(output_rows), len(inputs), len(outputs))


def _search(keys: torch.Tensor, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which of the queries are among the sorted keys, and where."""
    if len(keys) == 0:
        empty = queries.new_zeros(0)
        return empty, empty
    where = torch.searchsorted(keys, queries).clamp_max(len(keys) - 1)
    found = torch.nonzero(keys[where] == queries).squeeze(1)
    return found, where[found]
