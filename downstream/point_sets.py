"""Operations on sets of points that VoteNet is made of, on any device, without a CUDA build.

Sampling, grouping and interpolation of PointNet++ (facebookresearch/votenet ``pointnet2/_ext_src``,
which needs a CUDA compiler). Everything is PyTorch; the sampling, a loop by its nature, is compiled
on the CPU where it could be (``pointcontrast/csrc/point_sets.cpp``), to the same rows.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch

from pointcontrast.point_kernels import load_kernels


def farthest_points(points: torch.Tensor, offsets: tuple[int, ...], num: int) -> torch.Tensor:
    """Farthest-point sampling: from each cloud, points far from one another.

    The first point of the cloud, then always the one whose nearest chosen point is farthest, of
    several the first. No row is chosen twice while there are others; a cloud with fewer than
    ``num`` points gives its rows again from the start, in the order chosen. Deviation from the CUDA
    kernel: that one takes a chosen point again where all others coincide with chosen ones, and
    passes over points within 3 cm of the origin.

    Args:
        points: (N, 3) float32 metres, of B clouds one after another.
        offsets: B+1 row numbers: cloud b owns rows ``offsets[b]:offsets[b + 1]``.
        num: S, points a cloud.

    Returns:
        (B, S) int64 rows of ``points``.

    Raises:
        ValueError: a cloud without points, or a point that is not finite.
    """
    points = points.detach().float()
    sizes = [stop - start for start, stop in pairwise(offsets)]
    if min(sizes) < 1:
        raise ValueError(f"cloud {sizes.index(min(sizes))} of {len(sizes)} has no point to sample")
    if not torch.isfinite(points).all():
        raise ValueError("points to sample are NaN or infinite")
    kernel = _kernel() if points.device.type == "cpu" else None
    if kernel is None:
        return _farthest_in_torch(points, offsets, num)
    array = points.contiguous().numpy()
    chosen = np.empty((len(sizes), num), np.int64)

    def sample(cloud: int) -> None:
        start, size = offsets[cloud], sizes[cloud]
        count = min(num, size)
        if kernel(array[start : start + size], size, count, chosen[cloud]):
            raise MemoryError("no memory for farthest-point sampling")
        chosen[cloud] = start + np.resize(chosen[cloud, :count], num)

    if len(sizes) == 1 or torch.get_num_threads() == 1:
        for cloud in range(len(sizes)):
            sample(cloud)
    else:  # the kernel runs without Python's lock
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(sample, range(len(sizes))))
    return torch.from_numpy(chosen)


def ball_query(
    points: torch.Tensor, centers: torch.Tensor, radius: float, num: int
) -> torch.Tensor:
    """For each centre some points nearer than ``radius``.

    The first ``num`` in the order of rows; where there are fewer, the first again for the rest, as
    the CUDA kernel has it. Where there is none, row 0.

    Args:
        points: (B, N, 3).
        centers: (B, M, 3).
        radius: in the unit of the points; points at this distance do not count.
        num: K.

    Returns:
        (B, M, K) int64 rows 0..N-1.
    """
    num_points = points.shape[1]
    numbers = torch.arange(num_points, device=points.device)
    found = []
    for cloud, middles in zip(points, centers, strict=True):
        far = _squares(middles, cloud) >= radius * radius
        rows = numbers.expand(far.shape).masked_fill(far, num_points)
        first = rows.topk(min(num, num_points), dim=1, largest=False, sorted=True).values
        if num > num_points:
            first = torch.cat([first, first[:, :1].expand(-1, num - num_points)], dim=1)
        nearest = first[:, :1].masked_fill(first[:, :1] == num_points, 0)
        found.append(torch.where(first == num_points, nearest, first))
    return torch.stack(found)


def group(features: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Features (B, N, C) at rows (B, M, K): (B, M, K, C), with gradients."""
    clouds = torch.arange(len(features), device=features.device)[:, None, None]
    return features[clouds, rows]


def three_nearest(points: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For each point the three nearest of ``known``, the nearest first, of several the first.

    Args:
        points: (B, N, 3).
        known: (B, M, 3), M >= 1. Where there are fewer than three the nearest fills in.

    Returns:
        Squared distances (B, N, 3), and (B, N, 3) int64 rows of ``known``.
    """
    squares, rows = [], []
    for some, others in zip(points, known, strict=True):
        # stable: topk promises no order among equals
        ordered = _squares(some, others).sort(dim=1, stable=True)
        columns = [
            min(column, len(others) - 1) if column < len(others) else 0 for column in range(3)
        ]
        squares.append(ordered.values[:, columns])
        rows.append(ordered.indices[:, columns])
    return torch.stack(squares), torch.stack(rows)


def interpolate(features: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted sums (B, N, C) of features (B, M, C) at rows (B, N, K), with gradients."""
    return (group(features, rows) * weights[..., None]).sum(dim=2)


def _squares(points: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """(N, M) squared distances, summed in the order of the axes."""
    x, y, z = ((points[:, None, axis] - others[None, :, axis]).square() for axis in range(3))
    return (x + y) + z


def _farthest_in_torch(points: torch.Tensor, offsets: tuple[int, ...], num: int) -> torch.Tensor:
    """All clouds at once, a step a sample: what a GPU does, and a CPU without the kernel."""
    starts = torch.tensor(offsets[:-1], device=points.device)
    sizes = torch.tensor(offsets[1:], device=points.device) - starts
    numbers = torch.arange(int(sizes.max()), device=points.device)
    there = numbers < sizes[:, None]
    padded = points[torch.where(there, starts[:, None] + numbers, starts[:, None])]
    axes = padded.unbind(dim=-1)
    nearest = torch.full_like(axes[0], torch.inf).masked_fill(~there, -1.0)
    clouds = torch.arange(len(starts), device=points.device)
    row = torch.zeros_like(starts)
    chosen = []
    for _ in range(min(num, int(sizes.max()))):
        chosen.append(row)
        x, y, z = ((axis - axis[clouds, row, None]).square() for axis in axes)
        nearest = torch.minimum(nearest, (x + y) + z)
        nearest[clouds, row] = -1.0
        row = nearest.argmax(dim=1)
    places = torch.arange(num, device=points.device) % sizes[:, None]
    return starts[:, None] + torch.stack(chosen, dim=1).gather(1, places)


@lru_cache(maxsize=1)
def _kernel() -> ctypes._NamedFuncPointer | None:
    """The compiled sampling, or None where it is not there or switched off."""
    library = load_kernels()
    if library is None or not hasattr(library, "pointcontrast_farthest_points"):
        return None
    kernel = library.pointcontrast_farthest_points
    kernel.restype = ctypes.c_int64
    kernel.argtypes = [
        np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS"),
        ctypes.c_int64,
        ctypes.c_int64,
        np.ctypeslib.ndpointer(np.int64, flags="C_CONTIGUOUS"),
    ]
    return kernel
