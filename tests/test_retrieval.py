from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pointcontrast import retrieval
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.data.pair_dataset import PairDataset
from pointcontrast.data.pair_readers import StoredPairs
from pointcontrast.errors import InputError
from pointcontrast.retrieval import (
    candidates_note,
    collapse_problem,
    effective_rank,
    inlier_distance_at,
    mean_scores,
    score_pair,
)
from tests.oracles import retrieval as oracle


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scene(num_rows: int = 300) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    points = torch.rand(num_rows, 3, generator=generator()) * 10
    features = torch.randn(num_rows, 8, generator=generator(1))
    matches = torch.arange(num_rows).repeat(2, 1).t().contiguous()
    return features, points, matches


def test_equal_features_find_their_matches() -> None:
    features, points, matches = scene()
    scores = score_pair(features, features * 3, points, points, matches, generator())
    assert scores.top1_accuracy == 1
    assert scores.inlier_ratio == 1
    assert scores.matched == 1
    assert scores.positive_similarity == pytest.approx(1)
    assert abs(scores.negative_similarity) < 0.1


def test_random_features_find_nothing() -> None:
    features, points, matches = scene(3000)
    other = torch.randn(3000, 8, generator=generator(5))
    scores = score_pair(features, other, points, points, matches, generator())
    assert scores.top1_accuracy < 0.02
    assert scores.matched == 0
    assert abs(scores.positive_similarity) < 0.1


def test_top1_equals_a_loop_over_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    features0, features1 = torch.randn(80, 6), torch.randn(90, 6)
    correspondences = torch.unique(torch.randint(0, 80, (200, 2)), dim=0)
    features1[correspondences[:, 1]] += 0.8 * features0[correspondences[:, 0]]
    drawn: dict[str, torch.Tensor] = {}

    def spy(name: str):
        original = getattr(retrieval, name)

        def call(*arguments):
            drawn[name] = original(*arguments)
            return drawn[name]

        monkeypatch.setattr(retrieval, name, call)

    spy("_draw_queries")
    spy("_draw_candidates")
    points = torch.zeros(90, 3)
    scores = score_pair(
        features0, features1, points, points, correspondences, generator(), num_candidates=60
    )
    rows, matches = drawn["_draw_queries"]
    candidates = drawn["_draw_candidates"]
    assert len(set(rows.tolist())) == len(rows) == 30
    assert len(set(candidates.tolist())) == len(candidates) == 60
    assert set(matches.tolist()) <= set(candidates.tolist())
    expected = oracle.top1_accuracy(
        features0,
        features1,
        correspondences,
        list(zip(rows.tolist(), matches.tolist(), strict=True)),
        candidates.tolist(),
    )
    assert scores.top1_accuracy == pytest.approx(expected)
    assert 0 < expected < 1


def test_further_true_matches_do_not_count_as_wrong() -> None:
    # Both rows of view1 match the query and have its feature: either way the answer is right.
    features0 = torch.tensor([[1.0, 0.0]])
    features1 = torch.tensor([[0.9, 0.1], [1.0, 0.0], [0.0, 1.0]])
    correspondences = torch.tensor([[0, 0], [0, 1]])
    points = torch.zeros(3, 3)
    for seed in range(8):
        scores = score_pair(
            features0, features1, points[:1], points, correspondences, generator(seed)
        )
        assert scores.top1_accuracy == 1


def test_inliers_are_near_in_the_world() -> None:
    features, points, matches = scene()
    shifted = points + torch.tensor([0.2, 0.0, 0.0])
    near = score_pair(
        features, features, points, shifted, matches, generator(), inlier_distance=0.3
    )
    far = score_pair(features, features, points, shifted, matches, generator(), inlier_distance=0.1)
    assert (near.inlier_ratio, far.inlier_ratio) == (1, 0)
    assert (near.matched, far.matched) == (1, 0)


@pytest.mark.parametrize("voxel_size", [0.05, 0.1, 0.3])
def test_perfect_features_score_one_at_any_voxel(prepared: Path, voxel_size: float) -> None:
    """A view and itself, voxelised twice under other rotations; features name places."""
    listed = StoredPairs().list_pairs(prepared, ("ones",))[::20]
    same = [replace(pair, view1=pair.view0) for pair in listed]
    dataset = PairDataset(prepared, same, NetworkInput(voxel_size=voxel_size))
    waves = torch.randn(3, 128, generator=generator()) * 3
    ratios, at_ten_centimetres = [], []
    for sample in dataset:  # pyright: ignore
        points = [torch.from_numpy(view.points) for view in (sample.view0, sample.view1)]
        features = [torch.cat([(p @ waves).cos(), (p @ waves).sin()], 1) for p in points]
        arguments = (*features, *points, torch.from_numpy(sample.correspondences))
        distance = inlier_distance_at(voxel_size)
        scores = score_pair(*arguments, generator(), inlier_distance=distance)
        ratios.append(scores.inlier_ratio)
        scores = score_pair(*arguments, generator(), inlier_distance=0.1)
        at_ten_centimetres.append(scores.inlier_ratio)
    assert np.mean(ratios) > 0.97
    if voxel_size == 0.3:
        assert np.mean(at_ten_centimetres) < 0.7


def test_the_inlier_distance_is_the_literatures_at_its_voxels() -> None:
    assert [inlier_distance_at(size) for size in (0.025, 0.05, 0.1, 0.3)] == [0.1, 0.1, 0.2, 0.6]


@pytest.mark.parametrize("num_candidates", [1, 0, -3])
def test_too_few_candidates_are_refused_and_two_are_enough(num_candidates: int) -> None:
    features, points, matches = scene()
    arguments = (features, features, points, points, matches)
    with pytest.raises(InputError, match=f"num_candidates is {num_candidates}; give at least 2"):
        score_pair(*arguments, generator(), num_candidates=num_candidates)
    assert score_pair(*arguments, generator(), num_candidates=2).top1_accuracy == 1


def test_mean_over_pairs_turns_matched_into_a_recall() -> None:
    features, points, matches = scene()
    other = torch.randn(300, 8, generator=generator(5))
    good = score_pair(features, features, points, points, matches, generator())
    bad = score_pair(features, other, points, points, matches, generator(), inlier_distance=1e-3)
    means = mean_scores([good, bad, good, good])
    assert means["feature_match_recall"] == 0.75
    assert means["top1_accuracy"] == pytest.approx((3 + bad.top1_accuracy) / 4)
    assert means["num_candidates"] == good.num_candidates == 300  # all rows of the view


def test_so_few_candidates_are_noted() -> None:
    features, points, matches = scene()
    scores = score_pair(features, features, points, points, matches, generator(), num_candidates=7)
    assert scores.num_candidates == 7
    assert "among 7 candidates" in (candidates_note(mean_scores([scores])) or "")
    assert candidates_note({"num_candidates": 1000}) is None
    assert candidates_note({}) is None  # of a run before candidates were counted


def test_effective_rank_closed_forms() -> None:
    assert effective_rank(torch.ones(10, 4)) == 1
    line = torch.outer(torch.linspace(-1, 1, 50), torch.tensor([1.0, 2.0, 3.0]))
    assert effective_rank(line) == pytest.approx(1, abs=1e-6)
    cross = torch.cat([torch.eye(5), -torch.eye(5)])
    assert effective_rank(cross) == pytest.approx(5)
    # two directions with variances 3 : 1
    two = torch.tensor([[3**0.5, 0.0], [-(3**0.5), 0.0], [0.0, 1.0], [0.0, -1.0]])
    share = torch.tensor([0.75, 0.25])
    assert effective_rank(two) == pytest.approx((-share * share.log()).sum().exp().item())


def test_collapse_is_named() -> None:
    assert collapse_problem(12.0, 32, 0.3) is None
    assert "1.50 of 32" in str(collapse_problem(1.5, 32, 0.3))
    assert "0.995" in str(collapse_problem(12.0, 32, 0.995))
