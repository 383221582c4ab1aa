from __future__ import annotations

import pytest
import torch
from scipy.stats import chisquare

from pointcontrast.losses.info_nce import sample_positives
from pointcontrast.losses.sampling import choose_matches, choose_rows, scene_of_rows

CPU = torch.device("cpu")


def rows_with_matches(num_queries: int, num_matches: int) -> torch.Tensor:
    """Query q has the matches 0..num_matches-1, so that a match names its own place."""
    queries = torch.arange(num_queries).repeat_interleave(num_matches)
    return torch.stack([queries, torch.arange(num_matches).repeat(num_queries)], 1)


@pytest.mark.parametrize("num_matches", [2, 3, 7, 20])
def test_each_match_of_a_query_is_as_likely(num_matches: int) -> None:
    correspondences = rows_with_matches(20_000, num_matches)
    chosen = choose_matches(correspondences, torch.Generator().manual_seed(num_matches))
    counts = torch.bincount(chosen[:, 1], minlength=num_matches).numpy()
    assert len(counts) == num_matches
    assert chisquare(counts).pvalue > 1e-3


def test_matches_of_neighbouring_queries_are_chosen_independently() -> None:
    chosen = choose_matches(rows_with_matches(40_000, 3), torch.Generator().manual_seed(0))[:, 1]
    joint = torch.bincount(3 * chosen[0::2] + chosen[1::2], minlength=9).numpy()
    assert chisquare(joint).pvalue > 1e-3


def test_chosen_matches_are_correspondences_and_each_query_stands_once() -> None:
    correspondences = torch.tensor([[2, 9], [2, 4], [2, 9], [5, 0], [7, 4], [7, 1]])
    pairs = {tuple(pair) for pair in correspondences.tolist()}
    seen = set()
    for seed in range(30):
        chosen = choose_matches(correspondences, torch.Generator().manual_seed(seed))
        assert chosen[:, 0].tolist() == [2, 5, 7]
        seen |= {tuple(pair) for pair in chosen.tolist()}
    assert seen == pairs


def test_the_largest_draw_stays_within_the_matches_of_its_query(monkeypatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda size, **_: torch.ones(size))
    chosen = choose_matches(rows_with_matches(10, 3), torch.Generator())
    assert chosen.tolist() == [[query, 2] for query in range(10)]


def test_chosen_rows_are_distinct_rising_and_uniform() -> None:
    generator = torch.Generator().manual_seed(3)
    counts = torch.zeros(12)
    for _ in range(3000):
        rows = choose_rows(12, 5, generator, CPU)
        assert len(rows) == 5
        assert (rows[1:] > rows[:-1]).all()
        counts[rows] += 1
    assert chisquare(counts.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("num_chosen", [4, 5, 100])
def test_all_rows_are_taken_when_there_are_not_more(num_chosen: int) -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert choose_rows(4, num_chosen, generator, CPU).tolist() == [0, 1, 2, 3]
    assert torch.equal(generator.get_state(), before)


def test_sampled_positives_are_limited_unique_and_reproducible() -> None:
    correspondences = rows_with_matches(50, 4)
    first = sample_positives(correspondences, 20, torch.Generator().manual_seed(1))
    again = sample_positives(correspondences, 20, torch.Generator().manual_seed(1))
    other = sample_positives(correspondences, 20, torch.Generator().manual_seed(2))
    assert first.shape == (20, 2)
    assert len(first[:, 0].unique()) == 20
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(sample_positives(correspondences, 99, torch.Generator())) == 50


def test_scene_of_rows_skips_a_scene_without_rows() -> None:
    rows = torch.tensor([0, 2, 3, 3, 6, 1])
    assert scene_of_rows(rows, (0, 3, 3, 7)).tolist() == [0, 0, 2, 2, 2, 0]
