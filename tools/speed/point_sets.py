"""Operations on sets of points: ours, plain PyTorch, and loops."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from downstream.heads.point_set_kernels import set_kernels, without_set_kernels
from downstream.heads.point_sets import ball_query, farthest_points, group
from pointcontrast.errors import InputError
from tools.speed.timing import Figures, interleaved, ratios, spread

NUM_CHANNELS = 3 + 256
"""Channels that VoteNet groups: positions and features."""
RADIUS, NUM_SAMPLES = 0.3, 16
"""Radius in metres, and votes per cluster, of VoteNet's clusters."""
LOOP_POINTS, LOOP_SEEDS = 500, 64
"""Size of the clouds for the loops: on a full cloud they take seconds."""


@dataclass(frozen=True)
class Votes:
    """Votes (1, S, 3), which are grouped into clusters, and their features (1, S, C)."""

    places: torch.Tensor
    features: torch.Tensor


def time_point_sets(
    voxels: Sequence[torch.Tensor], num_seeds: int, num_proposals: int, rounds: int
) -> Figures:
    """Measure seeds (sampling) and proposals (sampling, balls, grouping), forward passes only.

    Ours in turn with the same operations in plain PyTorch, and on small clouds with the loops of
    ``tests/oracles/point_sets.py``. Votes are the seeds moved at random by 0.2 m.

    Args:
        voxels: (M, 3) float32 metres per cloud: the point kept for each voxel.
        num_seeds: Seeds per cloud, sampled from its voxels.
        num_proposals: Proposals per cloud, sampled from the seeds' votes.
        rounds: Measurements per cloud.

    Returns:
        Times per cloud, ``<stage>_per_second`` (seeds or proposals), and ``<stage>_speedup``:
        medians and quartiles of the ratios of neighbouring runs.

    Raises:
        InputError: The compiled kernels are missing.
        RuntimeError: Two implementations give different rows.
    """
    if set_kernels() is None:
        raise InputError("the compiled kernels are missing; `pip install -e .` builds them")
    votes: list[Votes] = []
    generator = torch.Generator().manual_seed(0)
    for points in voxels:
        rows = _seeds(points, num_seeds)[0]
        moves = 0.2 * torch.randn(num_seeds, 3, generator=generator)
        features = torch.randn(1, num_seeds, NUM_CHANNELS, generator=generator)
        votes.append(Votes((points[rows] + moves)[None], features))
    count = len(voxels)
    return {
        **_beside_torch("seeds", lambda i: _seeds(voxels[i], num_seeds), count, rounds, num_seeds),
        **_beside_torch(
            "proposals", lambda i: _proposals(votes[i], num_proposals), count, rounds, num_proposals
        ),
        **_beside_loops([points[:LOOP_POINTS] for points in voxels]),
    }


def _seeds(points: torch.Tensor, num: int) -> torch.Tensor:
    return farthest_points(points, (0, len(points)), num)


def _proposals(votes: Votes, num: int) -> torch.Tensor:
    """The features of each cluster's members."""
    chosen = farthest_points(votes.places[0], (0, votes.places.shape[1]), num)
    rows = ball_query(votes.places, votes.places[:, chosen[0]], RADIUS, NUM_SAMPLES)
    return group(votes.features, rows)


def _beside_torch(
    stage: str, run: Callable[[int], torch.Tensor], count: int, rounds: int, num: int
) -> Figures:
    def in_torch(index: int) -> torch.Tensor:
        with without_set_kernels():
            return run(index)

    for index in range(count):
        _require_equal(stage, run(index), in_torch(index))
    ours, torch_times = interleaved(run, in_torch, count, rounds)
    return {
        f"{stage}_per_second": round(num / statistics.median(ours)),
        **ratios(f"{stage}_speedup", torch_times, ours),
        **spread(f"{stage}_ours", ours),
        **spread(f"{stage}_torch", torch_times),
    }


def _beside_loops(clouds: list[torch.Tensor]) -> Figures:
    """Sampling, then balls around the sampled points, on clouds of few points."""
    from tests.oracles import point_sets as loops

    def ours(index: int) -> torch.Tensor:
        points = clouds[index]
        rows = _seeds(points, LOOP_SEEDS)
        return ball_query(points[None], points[rows], RADIUS, NUM_SAMPLES)[0]

    def in_loops(index: int) -> torch.Tensor:
        points = clouds[index].numpy()
        rows = loops.farthest_points(points, (0, len(points)), LOOP_SEEDS)[0]
        return torch.tensor(loops.ball_query(points, points[rows], RADIUS, NUM_SAMPLES))

    for index in range(len(clouds)):
        _require_equal("loops", ours(index), in_loops(index))
    our_times, loop_times = interleaved(ours, in_loops, len(clouds), rounds=2)
    return {
        **ratios("small_speedup_over_loops", loop_times, our_times),
        **spread("small_ours", our_times),
        **spread("small_loops", loop_times),
    }


def _require_equal(stage: str, ours: torch.Tensor, reference: torch.Tensor) -> None:
    if not torch.equal(ours, reference):
        raise RuntimeError(f"{stage}: the implementations differ; nothing is measured")
