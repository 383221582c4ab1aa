"""The compiled kernels for coordinates and kernel maps: ``csrc/coordinates.cpp`` through ctypes.

The functions do not check their arguments. ``coordinates.py`` calls them with contiguous tensors on
the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pointcontrast.sparse.kernel_library import call, load

BLOCK_ROWS = 128
"""``kBlockRows`` of ``csrc/kernels.h``."""


@dataclass(frozen=True)
class MapRows:
    """A kernel map as :func:`build_map` makes it; see :class:`.compiled_convolution.MapEntries`.

    Attributes:
        input_rows: Input row of each entry (M,), int32.
        output_rows: Output row of each entry (M,), int32.
        tap_starts: First entry of each tap (taps + 1,), int64.
        input_cuts: First entry of each block of inputs (taps, blocks + 1), int32.
        output_cuts: First entry of each block of outputs (taps, blocks + 1), int32.
    """

    input_rows: torch.Tensor
    output_rows: torch.Tensor
    tap_starts: torch.Tensor
    input_cuts: torch.Tensor
    output_cuts: torch.Tensor


def sort_coordinates(
    coordinates: torch.Tensor, lower: torch.Tensor, radix: torch.Tensor
) -> tuple[torch.Tensor, int]:
    """Sort coordinates by key, ``sum((coordinate - lower) * radix)``.

    Args:
        coordinates: Coordinates (N, columns), int32.
        lower: Lower bound of each column (columns,), int64.
        radix: Weight of each column (columns,), int64.

    Returns:
        Row indices in the order of their keys (N,), int32, and the number of duplicate rows.
    """
    order = torch.empty(len(coordinates), dtype=torch.int32)
    unit = torch.ones_like(lower)
    duplicates = call(
        "sort_coordinates", coordinates, *coordinates.shape, unit, lower, radix, order
    )
    return order, duplicates


def downsample(
    coordinates: torch.Tensor, step: torch.Tensor, lower: torch.Tensor, radix: torch.Tensor
) -> torch.Tensor:
    """Floor coordinates (N, columns), int32, to multiples of ``step``, unique and sorted.

    ``lower`` and ``radix`` pack the floored coordinates divided by ``step``.
    """
    wider = torch.empty_like(coordinates)
    count = call("downsample", coordinates, *coordinates.shape, step, lower, radix, wider)
    return wider[:count].clone()


def build_map(
    inputs: torch.Tensor,
    input_order: torch.Tensor,
    outputs: torch.Tensor,
    output_order: torch.Tensor,
    unit: torch.Tensor,
    lower: torch.Tensor,
    radix: torch.Tensor,
    deltas: torch.Tensor,
    opposite: torch.Tensor,
) -> MapRows:
    """Build the kernel map between two coordinate sets.

    Args:
        inputs: Input coordinates (N, columns), int32.
        input_order: Their order (N,), int32, from :func:`sort_coordinates`.
        outputs: Output coordinates (N', columns), int32; the same tensor for the same set.
        output_order: Their order (N',), int32.
        unit: Spacing of the inputs (columns,), int64; coordinates are packed in its multiples.
        lower: Lower bound of each column (columns,), int64.
        radix: Weight of each column (columns,), int64.
        deltas: Difference between the keys of input and output of each tap (taps,), int64.
        opposite: For each tap an earlier one with the opposite offset in the same set, or -1
            (taps,), int64.
    """
    library = load()
    assert library is not None
    num_taps = len(deltas)
    counts = torch.empty(num_taps, dtype=torch.int64)
    threads = torch.get_num_threads()
    begun = library.pointcontrast_begin_map(
        inputs.data_ptr(), input_order.data_ptr(), len(inputs),
        outputs.data_ptr(), output_order.data_ptr(), len(outputs),
        inputs.shape[1], unit.data_ptr(), lower.data_ptr(), radix.data_ptr(),
        num_taps, deltas.data_ptr(), opposite.data_ptr(), counts.data_ptr(), threads,
    )  # fmt: skip
    if not begun:
        raise MemoryError("not enough memory for a kernel map")
    tap_starts = torch.zeros(num_taps + 1, dtype=torch.int64)
    torch.cumsum(counts, 0, out=tap_starts[1:])
    rows = torch.empty(2, int(tap_starts[-1]), dtype=torch.int32)
    input_cuts, output_cuts = (
        torch.empty(num_taps, -(-len(side) // BLOCK_ROWS) + 1, dtype=torch.int32)
        for side in (inputs, outputs)
    )
    library.pointcontrast_finish_map(
        begun, opposite.data_ptr(), rows[0].data_ptr(), rows[1].data_ptr(),
        input_cuts.data_ptr(), output_cuts.data_ptr(), threads,
    )  # fmt: skip
    return MapRows(rows[0], rows[1], tap_starts, input_cuts, output_cuts)
