"""Operations on sets of points: ours beside plain PyTorch and beside loops."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from downstream.heads.point_set_kernels import set_kernels, without_set_kernels
from downstream.heads.point_sets import ball_query, farthest_points, group
from pointcontrast.errors import InputError
from tools.speed.timing import Figures, interleaved, spread

NUM_CHANNELS = 3 + 256
"""Of what VoteNet groups: places and features."""
RADIUS, NUM_SAMPLES = 0.3, 16
"""Of its clusters; metres and votes."""
LOOP_POINTS, LOOP_SEEDS = 500, 64
"""What the loops are timed on: they take seconds a cloud of full size."""


@dataclass(frozen=True)
class Votes:
    """What clusters are made of: votes (1, S, 3) and their features (1, S, C)."""

    places: torch.Tensor
    features: torch.Tensor


def time_point_sets(
    voxels: Sequence[torch.Tensor], num_seeds: int, num_proposals: int, rounds: int
) -> Figures:
    """Measure seeds (sampling) and proposals (sampling, balls, grouping), forward passes only.

    Ours in turn with the same operations in plain PyTorch, and on small clouds with the loops of
    ``tests/oracles/point_sets.py``. Votes are the seeds moved at random by 0.2 m.

    Args:
        voxels: (M, 3) float32 metres of each cloud: the point kept for each voxel.
        num_seeds: of each cloud's voxels.
        num_proposals: of the seeds' votes.
        rounds: how often each cloud is measured.

    Returns:
        Times a cloud, ``<stage>_per_second`` (seeds or proposals), and ``<stage>_speedup``:
        medians and quartiles of the ratios of neighbouring runs.

    Raises:
        InputError: the compiled kernels are missing.
        RuntimeError: two forms differ in a row.
    """
    if set_kernels() is None:
        raise InputError("the compiled kernels are not there; `pip install -e .` builds them")
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
    """The clusters' members."""
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
    ours, theirs = interleaved(run, in_torch, count, rounds)
    return {
        f"{stage}_per_second": round(num / statistics.median(ours)),
        **_ratios(f"{stage}_speedup", ours, theirs),
        **spread(f"{stage}_ours", ours),
        **spread(f"{stage}_torch", theirs),
    }


def _beside_loops(clouds: list[torch.Tensor]) -> Figures:
    """All on a cloud of few points: sampling, then balls about what was chosen."""
    from tests.oracles import point_sets as loops  # on the path of tools/benchmark.py

    def ours(index: int) -> torch.Tensor:
        points = clouds[index]
        rows = _seeds(points, LOOP_SEEDS)
        return ball_query(points[None], points[rows], RADIUS, NUM_SAMPLES)[0]

    def theirs(index: int) -> torch.Tensor:
        points = clouds[index].numpy()
        rows = loops.farthest_points(points, (0, len(points)), LOOP_SEEDS)[0]
        return torch.tensor(loops.ball_query(points, points[rows], RADIUS, NUM_SAMPLES))

    for index in range(len(clouds)):
        _require_equal("loops", ours(index), theirs(index))
    times = interleaved(ours, theirs, len(clouds), rounds=2)
    return {
        **_ratios("small_speedup_over_loops", *times),
        **spread("small_ours", times[0]),
        **spread("small_loops", times[1]),
    }


def _require_equal(stage: str, ours: torch.Tensor, theirs: torch.Tensor) -> None:
    if not torch.equal(ours, theirs):
        raise RuntimeError(f"{stage}: the forms that are compared differ; nothing is measured")


def _ratios(name: str, ours: list[float], theirs: list[float]) -> Figures:
    low, middle, high = statistics.quantiles(
        (b / a for a, b in zip(ours, theirs, strict=True)), n=4
    )
    return {
        name: round(middle, 2),
        f"{name}_quartile_low": round(low, 2),
        f"{name}_quartile_high": round(high, 2),
    }
