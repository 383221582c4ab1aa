"""Sparse convolution and pooling the slow way: dictionaries of places and Python loops.

A sparse tensor is ``{(batch, *place): vector}``, float64; a layer's taps are looped over one by
one. Nothing is shared with the package: even the order of the taps is written out anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

Place = tuple[int, ...]
Sparse = dict[Place, np.ndarray]


def as_dictionary(coordinates: torch.Tensor, features: torch.Tensor) -> Sparse:
    """(N, 1+D) and (N, C) tensors as a dictionary."""
    rows = features.detach().double().numpy()
    return {tuple(c): rows[i] for i, c in enumerate(coordinates.tolist())}


def cube_taps(kernel_size: Sequence[int], centred: bool = True) -> list[Place]:
    """Taps by counting: the first dimension is the lowest digit."""
    taps = []
    for number in range(int(np.prod(kernel_size))):
        tap = []
        for size in kernel_size:
            tap.append(number % size - (size // 2 if centred and size % 2 else 0))
            number //= size
        taps.append(tuple(tap))
    return taps


def floored(places: Iterable[Place], stride: Sequence[int]) -> set[Place]:
    """The places of the wider grid; Python's // rounds down, also below zero."""
    return {
        (place[0], *(p // s * s for p, s in zip(place[1:], stride, strict=True)))
        for place in places
    }


def neighbour(place: Place, tap: Place, dilation: Sequence[int], stride: Sequence[int]) -> Place:
    """Where the tap of an output at ``place`` reads."""
    steps = (t * d * s for t, d, s in zip(tap, dilation, stride, strict=True))
    return (place[0], *(p + step for p, step in zip(place[1:], steps, strict=True)))


def convolve(
    x: Sparse,
    kernel: np.ndarray,
    taps: Sequence[Place],
    *,
    stride: Sequence[int],
    factor: Sequence[int],
    dilation: Sequence[int],
    bias: np.ndarray | None = None,
) -> Sparse:
    """``x`` on the grid of ``stride`` to the grid of ``stride * factor``."""
    wider = [s * f for s, f in zip(stride, factor, strict=True)]
    out: Sparse = {}
    for place in floored(x, wider):
        total = np.zeros(kernel.shape[-1])
        for matrix, tap in zip(kernel, taps, strict=True):
            source = neighbour(place, tap, dilation, stride)
            if source in x:
                total = total + x[source] @ matrix
        out[place] = total if bias is None else total + bias
    return out


def convolve_transposed(
    x: Sparse,
    targets: Iterable[Place],
    kernel: np.ndarray,
    taps: Sequence[Place],
    *,
    stride: Sequence[int],
    factor: Sequence[int],
    dilation: Sequence[int],
    bias: np.ndarray | None = None,
) -> Sparse:
    """``x`` on the grid of ``stride`` onto ``targets``, places of the grid ``stride / factor``."""
    finer = [s // f for s, f in zip(stride, factor, strict=True)]
    out = {place: np.zeros(kernel.shape[-1]) for place in targets}
    for place, vector in x.items():
        for matrix, tap in zip(kernel, taps, strict=True):
            target = neighbour(place, tap, dilation, finer)
            if target in out:
                out[target] = out[target] + vector @ matrix
    return out if bias is None else {place: vector + bias for place, vector in out.items()}


def pool(
    x: Sparse,
    reduce: Callable[[np.ndarray], np.ndarray],
    *,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    factor: Sequence[int],
    dilation: Sequence[int],
) -> Sparse:
    """Pool the inputs in reach with ``reduce`` ((M, C) to (C,)); 0 where there is none."""
    taps = cube_taps(kernel_size, centred=tuple(kernel_size) != tuple(factor))
    wider = [s * f for s, f in zip(stride, factor, strict=True)]
    out: Sparse = {}
    for place in floored(x, wider):
        sources = [neighbour(place, tap, dilation, stride) for tap in taps]
        found = [x[source] for source in sources if source in x]
        out[place] = reduce(np.stack(found)) if found else np.zeros_like(next(iter(x.values())))
    return out


def dense_grid(
    coordinates: torch.Tensor, features: torch.Tensor, lower: torch.Tensor, size: torch.Tensor
) -> torch.Tensor:
    """(B, C, *size) grid whose first cell is ``lower``; differentiable in the features."""
    num_samples = int(coordinates[:, 0].max()) + 1
    grid = features.new_zeros(num_samples, *size.tolist(), features.shape[1])
    where = (coordinates[:, 1:].long() - lower).unbind(1)
    return grid.index_put((coordinates[:, 0].long(), *where), features).movedim(-1, 1)


def from_dense(grid: torch.Tensor, coordinates: torch.Tensor, lower: torch.Tensor) -> torch.Tensor:
    """(N, C) rows of a (B, C, *size) grid at ``coordinates``, in cells from ``lower``."""
    where = (coordinates[:, 1:].long() - lower).unbind(1)
    return grid.movedim(1, -1)[(coordinates[:, 0].long(), *where)]


def dense_convolution(
    grid: torch.Tensor,
    kernel: torch.Tensor,
    kernel_size: Sequence[int],
    *,
    stride: int,
    dilation: int,
) -> torch.Tensor:
    """Dense convolution of a 3D or 4D grid with a sparse kernel (volume, in, out).

    torch has none in four dimensions: there it is the sum over the taps in time (not strided) of
    3D convolutions of shifted grids.
    """
    if len(kernel_size) == 3:
        weight = kernel.reshape(*reversed(kernel_size), *kernel.shape[1:]).permute(4, 3, 2, 1, 0)
        padding: list[int] = []
        for size in reversed(kernel_size):
            reach = (size - 1) * dilation
            padding += [reach // 2, reach // 2] if size % 2 else [0, reach]
        return F.conv3d(F.pad(grid, padding), weight, stride=stride, dilation=dilation)
    taps_in_time = kernel.reshape(kernel_size[3], -1, *kernel.shape[1:])
    num_frames = grid.shape[-1]
    frames = []
    for time in range(num_frames):
        total = None
        for index, part in enumerate(taps_in_time):
            source = time + (index - (kernel_size[3] // 2 if kernel_size[3] % 2 else 0)) * dilation
            if 0 <= source < num_frames:
                term = dense_convolution(
                    grid[..., source], part, kernel_size[:3], stride=stride, dilation=dilation
                )
                total = term if total is None else total + term
        frames.append(total)
    return torch.stack([frame for frame in frames if frame is not None], dim=-1)


def dense_convolution_transposed(
    grid: torch.Tensor, kernel: torch.Tensor, kernel_size: Sequence[int], *, stride: int
) -> torch.Tensor:
    """Dense transposed 3D convolution; the output's first cell is that of the input's."""
    weight = kernel.reshape(*reversed(kernel_size), *kernel.shape[1:]).permute(3, 4, 2, 1, 0)
    out = F.pad(F.conv_transpose3d(grid, weight, stride=stride), [0, stride] * 3)
    for axis, size in enumerate(kernel_size, start=2):
        start = size // 2 if size % 2 else 0
        out = out.narrow(axis, start, out.shape[axis] - start)
    return out
