from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pointcontrast.errors import InputError
from pointcontrast.losses import HardestContrastive
from pointcontrast.losses import hardest as module
from pointcontrast.losses.hardest import _contains, contrast_with_pools, hardest_negatives
from tests.oracles import losses as oracle
from tests.oracles.losses import Batch, random_batch


def sampled(seed: int, num_positives: int = 25, num_pool: int = 30, **kwargs):
    """A batch with chosen positives and pools, as the arguments of the function and the oracle."""
    batch = random_batch(seed, **kwargs)
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(len(batch.correspondences))[:num_positives]
    pools = [
        torch.tensor(rng.permutation(len(features))[:num_pool])
        for features in (batch.features0, batch.features1)
    ]
    positives = batch.correspondences[torch.tensor(pairs)]
    return batch, (batch.features0, batch.features1, batch.correspondences, positives, *pools)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("same_scene", [False, True])
@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"positive_margin": 0.9, "negative_margin": 0.7, "negative_weight": 0.3},
    ],
)
def test_equals_the_loops(seed: int, same_scene: bool, numbers: dict[str, float]) -> None:
    batch, arguments = sampled(seed, match_probability=0.3)
    offsets = (batch.offsets0, batch.offsets1) if same_scene else None
    expected = oracle.hardest_contrastive(*arguments, **numbers, scene_offsets=offsets)
    assert 0 < expected["dropped"] < 1
    output = contrast_with_pools(*arguments, **numbers, scene_offsets=offsets, chunk_size=7)
    assert output.loss.item() == pytest.approx(expected["loss"])
    for name in ("positive", "negative", "dropped"):
        assert output.terms[name].item() == pytest.approx(expected[name]), name


@pytest.mark.parametrize("same_scene", [False, True])
def test_module_equals_the_loops_on_what_it_samples(same_scene: bool, monkeypatch) -> None:
    batch = random_batch(5, match_probability=0.4)
    seen: list[tuple[torch.Tensor, ...]] = []
    monkeypatch.setattr(
        module,
        "contrast_with_pools",
        lambda *arguments, **options: (
            seen.append(arguments) or contrast_with_pools(*arguments, **options)
        ),
    )
    output = call(
        HardestContrastive(
            num_positives_per_pair=9,
            num_negatives_per_pair=6,
            negative_weight=2.0,
            same_scene_negatives=same_scene,
        ),
        batch,
    )
    (arguments,) = seen
    positives, pool0, pool1 = arguments[3:]
    assert len(positives) == len(positives.unique(dim=0)) == 9 * 3
    for pool, offsets in ((pool0, batch.offsets0), (pool1, batch.offsets1)):
        assert len(pool) == len(pool.unique()) == 6 * 3
        if same_scene:
            per_scene = torch.bucketize(pool, torch.tensor(offsets[1:]), right=True).bincount()
            assert per_scene.tolist() == [6, 6, 6]
    scene_offsets = (batch.offsets0, batch.offsets1) if same_scene else None
    expected = oracle.hardest_contrastive(
        *arguments, negative_weight=2.0, scene_offsets=scene_offsets
    )
    assert output.loss.item() == pytest.approx(expected["loss"])


def call(loss: HardestContrastive, batch: Batch, seed: int = 0):
    return loss(
        batch.features0,
        batch.features1,
        batch.correspondences,
        torch.Generator().manual_seed(seed),
        offsets0=batch.offsets0,
        offsets1=batch.offsets1,
    )


def dense(features0, features1, correspondences, positives, pool0, pool1) -> torch.Tensor:
    """The whole distance matrices, and the gradient that goes through their minima."""
    rows0, rows1 = positives.unbind(1)
    table = torch.zeros(len(features0), len(features1), dtype=torch.bool)
    table[correspondences[:, 0], correspondences[:, 1]] = True

    def distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return ((a[:, None] - b[None]).pow(2).sum(2) + 1e-7).sqrt()

    least1, index1 = distances(features0[rows0], features1[pool1]).min(1)
    least0, index0 = distances(features1[rows1], features0[pool0]).min(1)
    least1 = least1[~table[rows0, pool1[index1]]]
    least0 = least0[~table[pool0[index0], rows1]]
    positive = ((features0[rows0] - features1[rows1]).pow(2).sum(1) - 0.1).relu().mean()
    return (
        positive + ((1.4 - least1).relu() ** 2).mean() / 2 + ((1.4 - least0).relu() ** 2).mean() / 2
    )


@pytest.mark.parametrize("chunk_size", [1, 10, 1000])
def test_loss_and_gradients_equal_those_through_the_full_minimum(chunk_size: int) -> None:
    _, (features0, features1, *rest) = sampled(6, match_probability=0.3)
    inputs = [features0.requires_grad_(), features1.requires_grad_()]
    expected = dense(features0, features1, *rest)
    actual = contrast_with_pools(features0, features1, *rest, chunk_size=chunk_size).loss
    torch.testing.assert_close(actual, expected)
    for got, wanted in zip(
        torch.autograd.grad(actual, inputs), torch.autograd.grad(expected, inputs), strict=True
    ):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("chunk_size", [2, 100])
def test_gradcheck(chunk_size: int) -> None:
    _, (features0, features1, *rest) = sampled(
        7, num_positives=6, num_pool=5, sizes0=(6, 4), sizes1=(5, 6), num_channels=3
    )
    assert torch.autograd.gradcheck(
        lambda a, b: contrast_with_pools(a, b, *rest, chunk_size=chunk_size).loss,
        [features0.requires_grad_(), features1.requires_grad_()],
    )


def pair_with(positives: list[list[int]], extra_matches: list[list[int]] | None = None):
    """Two views of three orthogonal features each, with everything in the pools."""
    features = torch.eye(3, dtype=torch.float64)
    matches = torch.tensor(sorted(positives + (extra_matches or [])))
    pool = torch.arange(3)
    return features, features.clone(), matches, torch.tensor(positives), pool, pool


def test_orthonormal_features_have_a_closed_form() -> None:
    *arguments, pool0, pool1 = pair_with([[0, 0], [1, 1], [2, 2]])
    # each row's nearest is its own match: all hardest negatives are dropped, nothing is left
    output = contrast_with_pools(*arguments, pool0, pool1)
    assert output.loss == 0
    assert output.terms["dropped"] == 1
    # row 0 against the pool {1}: a negative at the distance sqrt(2), beyond 1.4
    far, near = torch.tensor([1]), torch.tensor([0])
    features0, features1, matches, positives, _, _ = pair_with([[0, 0]])
    arguments = (features0, features1, matches, positives)
    assert contrast_with_pools(*arguments, far, far).loss == 0
    output = contrast_with_pools(*arguments, far, far, negative_margin=2.0)
    assert output.loss.item() == pytest.approx((2 - math.sqrt(2)) ** 2)
    assert output.terms["accuracy"] == 1
    # one direction without a negative counts as 0, so the mean of the two is halved
    output = contrast_with_pools(*arguments, near, far, negative_margin=2.0)
    assert output.loss.item() == pytest.approx((2 - math.sqrt(2)) ** 2 / 2)
    assert output.terms["dropped"] == 0.5


def test_a_collapsed_network_pays_the_whole_negative_margin() -> None:
    same = torch.ones(6, 4) / 2
    matches = torch.tensor([[0, 0], [1, 1]])
    pool = torch.tensor([4, 5])
    output = contrast_with_pools(same, same, matches, matches, pool, pool)
    assert output.terms["positive"] == 0
    assert output.terms["negative"].item() == pytest.approx((1.4 - math.sqrt(1e-7)) ** 2)
    assert output.terms["accuracy"] == 0


def test_the_positive_margin_is_taken_off_the_squared_distance() -> None:
    features0 = torch.tensor([[1.0, 0.0]])
    features1 = torch.tensor([[math.cos(1.0), math.sin(1.0)]])
    match = torch.tensor([[0, 0]])
    pool = torch.tensor([0])
    output = contrast_with_pools(features0, features1, match, match, pool, pool)
    assert output.loss.item() == pytest.approx(2 - 2 * math.cos(1.0) - 0.1, rel=1e-5)


def test_a_hardest_negative_that_is_an_unsampled_match_is_dropped_not_replaced() -> None:
    arguments = pair_with([[0, 1]], extra_matches=[[0, 0]])
    # row 0 of view0 is nearest to row 0 of view1: a match, though not a sampled one. The second
    # hardest must not take its place; view1's row 1 keeps its negative, row 1 of view0.
    output = contrast_with_pools(*arguments)
    assert output.terms["dropped"] == 0.5
    assert output.terms["negative"].item() == pytest.approx((1.4 - math.sqrt(1e-7)) ** 2 / 2)


def test_each_pair_of_rows_is_told_from_every_other() -> None:
    everything = torch.cartesian_prod(torch.arange(7), torch.arange(4))
    for place, pair in enumerate(everything):
        found = _contains(pair[None], everything, num_rows1=4)
        assert found.nonzero().tolist() == [[place]]


@pytest.mark.parametrize("seed", range(5))
def test_no_match_is_ever_pushed_away(seed: int) -> None:
    _, (features0, features1, correspondences, _, pool0, pool1) = sampled(
        seed, match_probability=0.5
    )
    true_pairs = {tuple(pair) for pair in correspondences.tolist()}
    features0.requires_grad_()
    for positive in correspondences[::40]:
        i, j = positive.tolist()
        output = contrast_with_pools(
            features0,
            features1,
            correspondences,
            positive[None],
            pool0,
            pool1,
            positive_margin=100.0,
            negative_margin=100.0,
        )
        (gradient,) = torch.autograd.grad(output.loss, features0, allow_unused=True)
        moved = set(gradient.abs().sum(1).nonzero()[:, 0].tolist())
        nearest = hardest_negatives(features1, torch.tensor([j]), features0, pool0).item()
        pushed = moved - {i}
        if (nearest, j) in true_pairs:
            assert pushed == set()
        elif nearest != i:
            assert pushed == {nearest}


def test_when_every_negative_is_a_match_the_term_is_zero_and_its_gradient_too() -> None:
    _, (features0, features1, _, _, pool0, pool1) = sampled(8)
    everything = torch.cartesian_prod(torch.arange(len(features0)), torch.arange(len(features1)))
    features0.requires_grad_()
    output = contrast_with_pools(
        features0, features1, everything, everything[::50], pool0, pool1, positive_margin=100.0
    )
    assert output.loss == 0
    assert output.terms["dropped"] == 1
    assert output.terms["accuracy"] == 0
    (gradient,) = torch.autograd.grad(output.loss, features0)
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_equal_features_have_a_finite_gradient() -> None:
    same = (torch.ones(6, 4) / 2).requires_grad_()
    matches, pool = torch.tensor([[0, 0]]), torch.tensor([4, 5])
    contrast_with_pools(same, same, matches, matches, pool, pool).loss.backward()
    assert same.grad is not None
    assert same.grad.isfinite().all()


def test_of_equally_near_rows_one_receives_the_gradient() -> None:
    features0 = torch.tensor([[1.0, 0.0]])
    features1 = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.6, 0.8]], requires_grad=True)
    match, pool0, pool1 = torch.tensor([[0, 0]]), torch.tensor([0]), torch.tensor([1, 2])
    contrast_with_pools(features0, features1, match, match, pool0, pool1).loss.backward()
    assert features1.grad is not None
    assert features1.grad[1:].abs().sum(1).count_nonzero() == 1


def test_hardest_negatives_are_found_across_scenes_by_default_and_within_when_asked() -> None:
    batch = random_batch(9)
    rows, pool = torch.arange(75), torch.arange(74)
    offsets0, offsets1 = torch.tensor(batch.offsets0), torch.tensor(batch.offsets1)
    scene0 = torch.bucketize(rows, offsets0[1:], right=True)
    anywhere = hardest_negatives(batch.features0, rows, batch.features1, pool)
    within = hardest_negatives(
        batch.features0, rows, batch.features1, pool, batch.offsets0, batch.offsets1
    )
    assert (torch.bucketize(anywhere, offsets1[1:], right=True) != scene0).any()
    assert torch.equal(torch.bucketize(within, offsets1[1:], right=True), scene0)


def test_a_scene_without_pool_rows_has_no_hardest_negative() -> None:
    batch = random_batch(10)
    rows, pool = torch.tensor([0, 40, 74]), torch.tensor([0, 1, 73])
    found = hardest_negatives(
        batch.features0, rows, batch.features1, pool, batch.offsets0, batch.offsets1
    )
    assert found[1] == -1
    assert found[0] in (0, 1)
    assert found[2] == 73


def test_row_order_does_not_matter() -> None:
    _, (features0, features1, correspondences, positives, pool0, pool1) = sampled(11)
    expected = contrast_with_pools(
        features0, features1, correspondences, positives, pool0, pool1
    ).loss
    actual = contrast_with_pools(
        features0, features1, correspondences.flip(0), positives.flip(0), pool0.flip(0), pool1
    ).loss
    torch.testing.assert_close(actual, expected)


def test_views_may_change_places() -> None:
    _, (features0, features1, correspondences, positives, pool0, pool1) = sampled(12)
    torch.testing.assert_close(
        contrast_with_pools(features0, features1, correspondences, positives, pool0, pool1).loss,
        contrast_with_pools(
            features1, features0, correspondences.flip(1), positives.flip(1), pool1, pool0
        ).loss,
    )


def test_without_offsets_the_batch_counts_as_one_pair() -> None:
    batch = random_batch(13, match_probability=0.5)
    loss = HardestContrastive(num_positives_per_pair=5, positive_margin=0.0, negative_weight=0.0)
    features0 = batch.features0.clone().requires_grad_()
    arguments = (features0, batch.features1, batch.correspondences)
    for offsets, most in (({}, 5), ({"offsets0": batch.offsets0, "offsets1": batch.offsets1}, 15)):
        output = loss(*arguments, torch.Generator().manual_seed(1), **offsets)
        (gradient,) = torch.autograd.grad(output.loss, features0)
        num_moved = gradient.abs().sum(1).count_nonzero()
        assert most * 0.6 < num_moved <= most


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_positives_per_pair", 0),
        ("num_negatives_per_pair", -2),
        ("chunk_size", 0),
        ("positive_margin", -0.1),
        ("negative_margin", math.nan),
        ("negative_weight", -1.0),
    ],
)
def test_impossible_arguments_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} is {value}"):
        HardestContrastive(**{name: value})
