"""Operations on point sets for VoteNet, on any device, without a CUDA build.

Sampling, grouping and interpolation of PointNet++ (facebookresearch/votenet ``pointnet2/_ext_src``,
which needs a CUDA compiler), written in PyTorch. On the CPU, searches use compiled kernels if they
were built (:mod:`downstream.heads.point_set_kernels`). Squared distances are
``(dx*dx + dy*dy) + dz*dz`` in float32, every operation rounded, and ties go to the lowest row, so
that all forms, devices and numbers of threads find the same rows.
"""

from __future__ import annotations

import ctypes
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F

from downstream.heads import point_set_kernels

MAX_PAIRS = 1 << 24
"""Distances in memory at once without kernels: 64 MB of float32, a few times that in total."""


def farthest_points(points: torch.Tensor, offsets: tuple[int, ...], num: int) -> torch.Tensor:
    """Farthest-point sampling of each cloud.

    The first chosen point is the first of the cloud. Each next one is the point whose nearest
    chosen point is farthest; ties go to the lowest row. No row is chosen twice while others are
    left; a cloud with fewer than ``num`` points repeats its rows in the order chosen. Deviation
    from the CUDA kernel: that kernel chooses a point again if all others coincide with chosen
    ones, and ignores points within 3 cm of the origin.

    Args:
        points: (N, 3) metres, B clouds one after another; converted to float32.
        offsets: B+1 row offsets: cloud b has rows ``offsets[b]:offsets[b + 1]``.
        num: Number of points S >= 1 per cloud.

    Returns:
        (B, S) int64 rows of ``points``.

    Raises:
        ValueError: a cloud without points, or a point that is not finite.
    """
    points = points.detach().float()
    sizes = [stop - start for start, stop in pairwise(offsets)]
    for cloud, size in enumerate(sizes):
        if size < 1:
            raise ValueError(f"cloud {cloud} of {len(sizes)} has no point to sample")
    library = _kernels(points)
    if library is None:
        _require_finite(bool(torch.isfinite(points).all()))
        return _farthest_in_torch(points, offsets, num)
    array = points.contiguous().numpy()
    _require_finite(bool(np.isfinite(array).all()))
    return torch.from_numpy(point_set_kernels.farthest_points(library, array, offsets, num))


def ball_query(
    points: torch.Tensor, centers: torch.Tensor, radius: float, num: int
) -> torch.Tensor:
    """Find points closer than ``radius`` to each centre.

    These are the first ``num`` in the order of rows. If there are fewer, the first fills the rest,
    as in the CUDA kernel (``ball_query_gpu.cu``); if there is none, row 0 does. A centre that is
    one of the points always finds that point.

    Args:
        points: (B, N, 3), N >= 1. NaN is near nothing.
        centers: (B, M, 3) of the same dtype.
        radius: Radius in the unit of the points, exclusive. Squared in the dtype of the points,
            as in the CUDA kernel.
        num: Number of points K >= 1 per centre.

    Returns:
        (B, M, K) int64 rows 0..N-1.
    """
    points, centers = points.detach(), centers.detach()
    limit = float(torch.tensor(radius, dtype=points.dtype).square())
    library = _kernels(points, centers)
    if library is None:
        return _ball_query_in_torch(points, centers, limit, num)
    arrays = points.contiguous().numpy(), centers.contiguous().numpy()
    return torch.from_numpy(point_set_kernels.ball_query(library, *arrays, limit, num))


def group(features: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Gather features (B, N, C) at rows (B, M, K): (B, M, K, C), differentiable.

    Gradients of a repeated row are added in a fixed order for any number of threads.
    """
    num_clouds, num_rows, num_channels = features.shape
    starts = torch.arange(num_clouds, device=rows.device) * num_rows
    # the backward pass of plain indexing adds in any order with several threads
    return F.embedding(rows + starts[:, None, None], features.reshape(-1, num_channels))


def three_nearest(points: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the three points of ``known`` nearest to each point, nearest first.

    Ties go to the lowest row.

    Args:
        points: (B, N, 3) finite.
        known: (B, M, 3) finite, of the same dtype, M >= 1. If there are fewer than three, the
            nearest is repeated.

    Returns:
        Squared distances (B, N, 3), without gradients, and (B, N, 3) int64 rows of ``known``.
    """
    points, known = points.detach(), known.detach()
    library = _kernels(points, known)
    if library is None:
        return _three_nearest_in_torch(points, known)
    arrays = points.contiguous().numpy(), known.contiguous().numpy()
    squares, rows = point_set_kernels.three_nearest(library, *arrays)
    return torch.from_numpy(squares), torch.from_numpy(rows)


def interpolate(features: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Compute weighted sums (B, N, C) of features (B, M, C) at rows (B, N, K); differentiable.

    The weights (B, N, K) of PointNet++ are ``1 / (distance + 1e-8)``, divided by their sum.
    """
    return (group(features, rows) * weights[..., None]).sum(dim=2)


def _require_finite(are_finite: bool) -> None:
    if not are_finite:
        raise ValueError("points to sample are NaN or infinite")


def _kernels(*tensors: torch.Tensor) -> ctypes.CDLL | None:
    """Compiled operations, if they were built and support these tensors."""
    if any(x.device.type != "cpu" or x.dtype != torch.float32 for x in tensors):
        return None
    return point_set_kernels.set_kernels()


def _squares(points: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Squared distances (B, N, M) of (B, N, 3) and (B, M, 3), summed in the order of the axes."""
    x, y, z = ((points[:, :, None, d] - others[:, None, :, d]).square_() for d in range(3))
    return x.add_(y).add_(z)


def _num_at_once(others: torch.Tensor) -> int:
    """Number of points per cloud whose distances to all ``others`` fit in memory at once."""
    return max(1, MAX_PAIRS // (others.shape[0] * others.shape[1]))


def _farthest_in_torch(points: torch.Tensor, offsets: tuple[int, ...], num: int) -> torch.Tensor:
    """Sample all clouds at once, one step per point: on GPUs, and on CPUs without the kernel."""
    largest = max(stop - start for start, stop in pairwise(offsets))
    bounds = torch.tensor(offsets, device=points.device)
    starts, sizes = bounds[:-1], bounds.diff()
    numbers = torch.arange(largest, device=points.device)
    there = numbers < sizes[:, None]
    # Padding repeats the first point in later rows, so that all others are chosen before it
    padded = points[torch.where(there, starts[:, None] + numbers, starts[:, None])]
    axes = [axis.contiguous() for axis in padded.unbind(dim=-1)]
    nearest = torch.full_like(axes[0], torch.inf)
    row = torch.zeros_like(starts)[:, None]
    chosen = []
    for _ in range(min(num, largest)):
        chosen.append(row)
        x, y, z = ((axis - axis.gather(1, row)).square_() for axis in axes)
        nearest = torch.minimum(nearest, x.add_(y).add_(z)).scatter_(1, row, -1.0)
        row = nearest.argmax(dim=1, keepdim=True)  # of equal values, argmax gives the first
    places = torch.arange(num, device=points.device) % sizes[:, None]
    return starts[:, None] + torch.cat(chosen, dim=1).gather(1, places)


def _ball_query_in_torch(
    points: torch.Tensor, centers: torch.Tensor, limit: float, num: int
) -> torch.Tensor:
    num_points = points.shape[1]
    numbers = torch.arange(num_points, device=points.device)
    found = []
    for some in centers.split(_num_at_once(points), dim=1):
        rows = torch.where(_squares(some, points) < limit, numbers, num_points)
        first = rows.topk(min(num, num_points), largest=False, sorted=True).values
        first = F.pad(first, (0, num - first.shape[2]), value=num_points)
        filler = first[..., :1].masked_fill(first[..., :1] == num_points, 0)
        found.append(torch.where(first == num_points, filler, first))
    return torch.cat(found, dim=1)


def _three_nearest_in_torch(
    points: torch.Tensor, known: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    columns = [column if column < known.shape[1] else 0 for column in range(3)]
    squares, rows = [], []
    for some in points.split(_num_at_once(known), dim=1):
        left = _squares(some, known)
        nearest, row_of = [], []
        for _ in range(min(3, known.shape[1])):
            row = left.argmin(dim=2, keepdim=True)  # topk promises no order among equals
            nearest.append(left.gather(2, row))
            row_of.append(row)
            left.scatter_(2, row, torch.inf)
        squares.append(torch.cat(nearest, dim=2)[..., columns])
        rows.append(torch.cat(row_of, dim=2)[..., columns])
    return torch.cat(squares, dim=1), torch.cat(rows, dim=1)
