"""Kernel maps of the native engine: which input row each tap reads for each output row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from pointcontrast.sparse import compiled_coordinates as compiled
from pointcontrast.sparse.compiled_convolution import MapEntries
from pointcontrast.sparse.coordinate_set import CoordinateSet, Packing, use_kernels


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


def build_kernel_map(
    inputs: CoordinateSet, outputs: CoordinateSet, unit: Sequence[int], taps: torch.Tensor
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
    packing, units = Packing.of(lowest, highest), torch.tensor(list(unit))
    deltas = (taps * packing.radix[1:]).sum(1)
    opposite = torch.tensor(_opposite(taps) if inputs is outputs else [-1] * len(taps))
    if use_kernels(inputs.coordinates):
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
