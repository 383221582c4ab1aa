"""The shape of a convolution kernel on the grid: which neighbour each tap reads."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch

KernelRegion = Literal["hypercube", "hybrid"]
"""The shapes that a network can choose."""
Region = KernelRegion | Literal["cell"]
"""Those, and the one that pooling needs."""
SPACE_DIMENSIONS = 3
"""Of a kernel's dimensions these are space, what follows is time."""


def kernel_offsets(kernel_size: Sequence[int], region: Region = "hypercube") -> torch.Tensor:
    """The taps of a kernel, in the order of its weights.

    Convention:
        Offsets count steps of the input's stride times the dilation. An odd size is centred
        (-(k-1)/2 .. (k-1)/2), an even one starts at the place itself (0 .. k-1).
        ``hypercube``: all combinations, first dimension fastest, so that tap i of a 3x3x3 kernel
        is (i % 3 - 1, i // 3 % 3 - 1, i // 9 - 1): the order of MinkowskiEngine 0.5.
        ``hybrid``: a cube in space (the first three dimensions), a cross in time (the fourth), in
        the order of MinkowskiEngine 0.4: the place itself, then dimension after dimension every
        offset so far with this dimension's steps added, then the steps in time. In three
        dimensions it has the taps of a hypercube in another order, that of the authors' weights.
        ``cell``: all combinations of 0 .. k-1, first dimension fastest: what lies in one cell of
        a grid whose stride is the kernel's size.

    Args:
        kernel_size: D positive integers.
        region: the shape; ``hybrid`` needs odd sizes.

    Returns:
        (volume, D) int64.

    Raises:
        ValueError: an unknown region, or an even size in a hybrid kernel.
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
    """The number of taps."""
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
