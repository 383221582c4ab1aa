"""Shapes of convolution kernels: the offset of each tap on the grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch

KernelRegion = Literal["hypercube", "hybrid"]
"""Kernel shapes of a network."""
Region = KernelRegion | Literal["cell"]
"""Kernel shapes including that of pooling."""
SPACE_DIMENSIONS = 3
"""Dimensions of space; the one after them is time."""


def kernel_offsets(kernel_size: Sequence[int], region: Region = "hypercube") -> torch.Tensor:
    """Offsets of the taps of a kernel, in the order of its weights.

    Convention:
        Offsets are in units of the input's stride times the dilation. An odd size is centred
        (-(k-1)/2 .. (k-1)/2), an even one starts at 0 (0 .. k-1).
        ``hypercube``: all combinations, first dimension fastest, so that tap i of a 3x3x3 kernel
        is (i % 3 - 1, i // 3 % 3 - 1, i // 9 - 1): the order of MinkowskiEngine 0.5.
        ``hybrid``: a cube in space (the first three dimensions) and a cross in time (the fourth),
        in the order of MinkowskiEngine 0.4: the centre, then for each dimension of space all taps
        so far moved along it, then the offsets in time. In three dimensions it has the taps of a
        hypercube in another order, that of the authors' weights.
        ``cell``: all combinations of 0 .. k-1, first dimension fastest: one cell of a grid whose
        stride is the size of the kernel.

    Args:
        kernel_size: Size in each dimension, D positive integers.
        region: Shape of the kernel; ``hybrid`` needs odd sizes.

    Returns:
        Offsets (volume, D), int64.

    Raises:
        ValueError: Unknown region, or an even size in a hybrid kernel.
    """
    starts = [-(size // 2) if size % 2 and region != "cell" else 0 for size in kernel_size]
    ranges = [range(start, start + size) for start, size in zip(starts, kernel_size, strict=True)]
    if region in ("hypercube", "cell"):
        taps = [tap[::-1] for tap in itertools.product(*reversed(ranges))]
    elif region == "hybrid":
        if any(size % 2 == 0 for size in kernel_size):
            raise ValueError(f"a hybrid kernel needs odd sizes, not {tuple(kernel_size)}")
        taps = _hybrid_taps(ranges)
    else:
        raise ValueError(f"kernel region {region!r} is unknown; use hypercube or hybrid")
    return torch.tensor(taps, dtype=torch.int64).reshape(-1, len(kernel_size))


def kernel_volume(kernel_size: Sequence[int], region: Region = "hypercube") -> int:
    """Number of taps of a kernel."""
    if region in ("hypercube", "cell"):
        return math.prod(kernel_size)
    return len(kernel_offsets(kernel_size, region))


def _hybrid_taps(ranges: list[range]) -> list[tuple[int, ...]]:
    dimension = len(ranges)
    taps: list[tuple[int, ...]] = [(0,) * dimension]
    for axis, steps in enumerate(ranges):
        grown = taps if axis < SPACE_DIMENSIONS else taps[:1]
        taps += [(*tap[:axis], step, *tap[axis + 1 :]) for tap in grown for step in steps if step]
    return taps
