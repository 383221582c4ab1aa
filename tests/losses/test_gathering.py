"""Losses and backbones in real processes: the gradient is that of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pointcontrast.backbones import Res16UNet
from pointcontrast.losses import HardestContrastive, PointInfoNCE
from pointcontrast.losses.gathering import rows_of_other_ranks
from pointcontrast.runs.passes import encode_in_passes
from pointcontrast.types import ViewBatch
from tests.helpers.gloo import in_ranks
from tests.oracles.engines import ENGINES, engine_or_skip
from tests.oracles.losses import Batch, random_batch

SIZES = [((30, 20), (28, 24)), ((25,), (22,)), ((), ()), ((12, 9, 14), (10, 16, 11))]
"""Rows of each pair's two views, on each of four ranks; the third has no pair."""
ALL = {  # all rows take part: one process would draw another sample than four
    "infonce": lambda **k: PointInfoNCE(num_positives=10**6, temperature=0.1, **k),
    "symmetric": lambda **k: PointInfoNCE(num_positives=10**6, symmetric=True, **k),
    "learnt": lambda **k: PointInfoNCE(num_positives=10**6, learn_temperature=True, **k),
    "hardest": lambda **k: HardestContrastive(
        num_positives_per_pair=10**6, num_negatives_per_pair=10**6, positive_margin=0.5, **k
    ),
}


def one_match_a_row(batch: Batch) -> torch.Tensor:
    """So that no choice among a row's matches depends on the generator."""
    rows = batch.correspondences[:, 0]
    first = torch.ones_like(rows, dtype=torch.bool)
    first[1:] = rows[1:] != rows[:-1]
    return batch.correspondences[first]


class Encoder(nn.Module):
    """A network and a loss as the LightningModule joins them: what DDP wraps."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.linear = nn.Linear(8, 6)
        self.loss = loss

    def forward(self, batch: Batch | None, matches: torch.Tensor) -> torch.Tensor:
        if batch is None:
            nothing = (self.linear.weight.sum() + self.linear.bias.sum()) * 0.0
            sides = [nothing.expand(0, 6)] * 2
        else:
            sides = [self.linear(f.float()) for f in (batch.features0, batch.features1)]
        features = [nn.functional.normalize(side, dim=1) for side in sides]
        offsets = (None, None) if batch is None else (batch.offsets0, batch.offsets1)
        output = self.loss(
            *features, matches, torch.Generator(), offsets0=offsets[0], offsets1=offsets[1]
        )
        self.terms = output.terms
        return output.loss


def part(rank: int) -> tuple[Batch | None, torch.Tensor]:
    sizes0, sizes1 = SIZES[rank]
    if not sizes0:
        return None, torch.zeros(0, 2, dtype=torch.int64)
    batch = random_batch(rank, sizes0, sizes1, match_probability=0.2)
    return batch, one_match_a_row(batch)


def joined(num_ranks: int) -> tuple[Batch, torch.Tensor]:
    parts = [found for found in map(part, range(num_ranks)) if found[0] is not None]
    starts0 = np.cumsum([0, *(len(b.features0) for b, _ in parts)])
    starts1 = np.cumsum([0, *(len(b.features1) for b, _ in parts)])
    matches = torch.cat(
        [m + torch.tensor([starts0[i], starts1[i]]) for i, (_, m) in enumerate(parts)]
    )
    sizes0 = [n for rank in range(num_ranks) for n in SIZES[rank][0]]
    sizes1 = [n for rank in range(num_ranks) for n in SIZES[rank][1]]
    batch = Batch(
        torch.cat([b.features0 for b, _ in parts]),
        torch.cat([b.features1 for b, _ in parts]),
        matches,
        (0, *np.cumsum(sizes0).tolist()),
        (0, *np.cumsum(sizes1).tolist()),
    )
    return batch, matches


def loss_and_gradients(model: nn.Module, encoder: Encoder, batch: Any, matches: Any) -> Any:
    loss = model(batch, matches)
    loss.backward()
    gradients = [p.grad.clone() for p in encoder.parameters()]  # pyright: ignore
    return loss.detach(), gradients, encoder.terms


def rank_steps(rank: int, gather: bool) -> Any:
    """What each loss comes to; in one group of processes, for those are slow to start."""
    found = {}
    for name in sorted(ALL):
        encoder = Encoder(ALL[name](gather_negatives=gather))
        wrapped = DistributedDataParallel(encoder)
        found[name] = loss_and_gradients(wrapped, encoder, *part(rank))
    return found


def test_gathered_negatives_give_the_gradient_of_the_joined_batch(tmp_path: Path) -> None:
    ranks = in_ranks(rank_steps, 4, tmp_path, True)
    for name in sorted(ALL):
        encoder = Encoder(ALL[name]())
        loss, gradients, terms = loss_and_gradients(encoder, encoder, *joined(4))
        for found_loss, found, found_terms in [rank[name] for rank in ranks]:
            torch.testing.assert_close(found_loss, loss, rtol=1e-5, atol=1e-6)
            for one, other in zip(found, gradients, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
                assert other.abs().max() > 1e-3
            for term, value in terms.items():
                torch.testing.assert_close(found_terms[term], value, rtol=1e-5, atol=1e-6)


def test_without_gathering_it_is_the_mean_of_the_parts(tmp_path: Path) -> None:
    ranks = in_ranks(rank_steps, 2, tmp_path, False)
    for name in sorted(ALL):
        parts = []
        for rank in range(2):
            encoder = Encoder(ALL[name]())
            parts.append(loss_and_gradients(encoder, encoder, *part(rank))[1])
        whole = Encoder(ALL[name]())
        gathered = loss_and_gradients(whole, whole, *joined(2))[1]
        for found in [rank[name][1] for rank in ranks]:
            for one, first, second in zip(found, *parts, strict=True):
                torch.testing.assert_close(one, (first + second) / 2, rtol=1e-5, atol=1e-6)
            gap = max(float((a - b).abs().max()) for a, b in zip(found, gathered, strict=True))
            assert gap > 1e-3, name


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_single_process_gathers_nothing(name: str) -> None:
    plain, gathering = Encoder(ALL[name]()), Encoder(ALL[name](gather_negatives=True))
    ours = loss_and_gradients(gathering, gathering, *part(3))
    theirs = loss_and_gradients(plain, plain, *part(3))
    assert torch.equal(ours[0], theirs[0])
    assert all(torch.equal(a, b) for a, b in zip(ours[1], theirs[1], strict=True))


def rank_rows(rank: int) -> Any:
    rows = (torch.arange(3.0 * rank).reshape(rank, 3) + 100 * rank).requires_grad_()
    others = rows_of_other_ranks(rows)
    (others * (rank + 1)).sum().backward()
    return others.detach(), rows.grad


def test_rows_of_other_ranks_and_their_gradient(tmp_path: Path) -> None:
    every = [torch.arange(3.0 * rank).reshape(rank, 3) + 100 * rank for rank in range(3)]
    for rank, (others, gradient) in enumerate(in_ranks(rank_rows, 3, tmp_path)):
        assert torch.equal(others, torch.cat([every[r] for r in range(3) if r != rank]))
        weights = sum(r + 1 for r in range(3) if r != rank)
        assert torch.equal(gradient, torch.full((rank, 3), float(weights)))


def views(num_pairs: int, seed: int) -> ViewBatch:
    """Small clouds; each has other voxels."""
    rng = np.random.default_rng(seed)
    clouds = [
        np.unique(rng.integers(0, 36, (150, 3)), axis=0).astype(np.int32) for _ in range(num_pairs)
    ]
    offsets = (0, *np.cumsum([len(c) for c in clouds]).tolist())
    coordinates = np.concatenate([np.insert(c, 0, i, axis=1) for i, c in enumerate(clouds)])
    return ViewBatch(
        torch.from_numpy(coordinates),
        torch.from_numpy(rng.normal(size=(offsets[-1], 3)).astype(np.float32)),
        torch.zeros(offsets[-1], 3),
        offsets,
    )


def some_pairs(view: ViewBatch, first: int, last: int) -> ViewBatch:
    rows = slice(view.offsets[first], view.offsets[last])
    return ViewBatch(
        view.coordinates[rows] - torch.tensor([first, 0, 0, 0], dtype=torch.int32),
        view.features[rows],
        view.points[rows],
        tuple(n - view.offsets[first] for n in view.offsets[first : last + 1]),
    )


def plain_passes(net: Res16UNet, view: ViewBatch, size: int) -> torch.Tensor:
    num = len(view.offsets) - 1
    parts = [some_pairs(view, i, min(i + size, num)) for i in range(0, num, size)]
    return torch.cat([net.encode(p.coordinates, p.features) for p in parts])


def network(engine: str, *, frozen: bool = False) -> Res16UNet:
    torch.manual_seed(0)
    net = Res16UNet(3, 8, "14A", width=0.125, engine=engine, normalize_output=True)  # pyright: ignore
    if frozen:  # statistics of some data, so that the features are no constant
        some = views(4, 50)
        net.encode(some.coordinates, some.features)
        net.eval()
    return net


def contrast(loss: nn.Module, features: list[torch.Tensor], sides: list[ViewBatch]) -> torch.Tensor:
    matches = []
    for (start0, end0), (start1, end1) in zip(
        *(list(zip(s.offsets, s.offsets[1:], strict=False)) for s in sides), strict=True
    ):
        n = min(end0 - start0, end1 - start1, 40)
        matches.append(torch.stack([torch.arange(n) + start0, torch.arange(n) + start1], 1))
    return loss(
        *features, torch.cat(matches), torch.Generator().manual_seed(0),
        offsets0=sides[0].offsets, offsets1=sides[1].offsets,
    ).loss  # fmt: skip


def gradients_of(net: Res16UNet, encode: Any, loss: nn.Module, sides: list[ViewBatch]) -> Any:
    net.zero_grad()
    value = contrast(loss, [encode(net, side) for side in sides], sides)
    value.backward()
    return value.detach(), [p.grad.clone() for p in net.parameters()]  # pyright: ignore


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["infonce", "hardest"])
def test_cached_passes_give_the_gradient_of_the_large_batch(engine: str, name: str) -> None:
    """With batch norm's statistics frozen; 5 pairs in passes of 2, the last of 1."""
    engine_or_skip(engine)
    net, sides, loss = network(engine, frozen=True), [views(5, 1), views(5, 2)], ALL[name]()
    whole = gradients_of(net, lambda n, v: n.encode(v.coordinates, v.features), loss, sides)
    cached = gradients_of(net, lambda n, v: encode_in_passes(n, v, 2), loss, sides)
    torch.testing.assert_close(cached[0], whole[0], rtol=1e-5, atol=1e-6)
    for one, other in zip(cached[1], whole[1], strict=True):
        assert other.abs().max() > 0
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("checkpointed", [False, True])
def test_cached_passes_train_batch_norm_as_passes_do(engine: str, checkpointed: bool) -> None:
    """Also running statistics, which the second run must not move; and on top of checkpointing."""
    engine_or_skip(engine)
    plain, cached = network(engine), network(engine)
    cached.checkpoint_activations = checkpointed
    sides, loss = [views(5, 3), views(5, 4)], ALL["infonce"]()
    expected = gradients_of(plain, lambda n, v: plain_passes(n, v, 2), loss, sides)
    found = gradients_of(cached, lambda n, v: encode_in_passes(n, v, 2), loss, sides)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-6, atol=1e-7)
    for one, other in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    for (name, one), other in zip(cached.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7, msg=name)
        if "num_batches" in name:
            assert int(one) == 6


def test_cached_passes_run_again_under_the_same_autocast() -> None:
    """The same loss to the bit; gradients are rounded, and summed in another order."""
    sides, loss = [views(3, 5), views(3, 6)], ALL["infonce"]()
    results: list[list[torch.Tensor]] = []
    states: list[bool] = []
    for encode in (plain_passes, encode_in_passes):
        net = network("native")
        states.clear()
        net.register_forward_pre_hook(lambda *_: states.append(torch.is_autocast_enabled("cpu")))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = contrast(loss, [encode(net, side, 2) for side in sides], sides)
        value.backward()
        results.append([value.detach(), *(p.grad for p in net.parameters())])  # pyright: ignore
    assert states == [True] * 8
    assert torch.equal(results[0][0], results[1][0])
    for one, other in zip(*results, strict=True):
        assert float((one - other).norm() / other.norm()) < 0.05


class Contrast(nn.Module):
    """A backbone and a loss under DDP, with and without the cache."""

    def __init__(self, name: str, engine: str, cached: bool) -> None:
        super().__init__()
        self.net, self.cached = network(engine), cached
        self.loss = ALL[name](gather_negatives=True)

    def forward(self, sides: list[ViewBatch]) -> torch.Tensor:
        encode = encode_in_passes if self.cached else plain_passes
        return contrast(self.loss, [encode(self.net, side, 2) for side in sides], sides)


NUM_PAIRS = (4, 2)


def rank_contrast(rank: int, engine: str) -> Any:
    results = {}
    for name in ("infonce", "hardest"):
        for cached in (False, True):
            module = Contrast(name, engine, cached)
            sides = [views(NUM_PAIRS[rank], 10 + rank), views(NUM_PAIRS[rank], 20 + rank)]
            wrapped = DistributedDataParallel(module)  # alive until the backward pass is over
            loss = wrapped(sides)
            loss.backward()
            results[name, cached] = loss.detach(), [p.grad for p in module.net.parameters()]
    return results


@pytest.mark.parametrize("engine", ENGINES)
def test_networks_under_ddp_equal_one_process_that_encodes_the_parts(
    engine: str, tmp_path: Path
) -> None:
    """Batch norm sees the same passes; the loss sees the joined features."""
    engine_or_skip(engine)
    parts = [[views(n, s + rank) for rank, n in enumerate(NUM_PAIRS)] for s in (10, 20)]
    sides = []
    for first, second in parts:
        shifted = second.coordinates + torch.tensor([NUM_PAIRS[0], 0, 0, 0], dtype=torch.int32)
        sides.append(
            ViewBatch(
                torch.cat([first.coordinates, shifted]),
                torch.cat([first.features, second.features]),
                torch.cat([first.points, second.points]),
                (*first.offsets, *(n + first.offsets[-1] for n in second.offsets[1:])),
            )
        )
    ranks = in_ranks(rank_contrast, 2, tmp_path, engine)
    for name, cached in ranks[0]:
        net = network(engine)
        loss, gradients = gradients_of(net, lambda n, v: plain_passes(n, v, 2), ALL[name](), sides)
        for found_loss, found in [rank[name, cached] for rank in ranks]:
            torch.testing.assert_close(found_loss, loss, rtol=1e-5, atol=1e-6)
            for one, other in zip(found, gradients, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
