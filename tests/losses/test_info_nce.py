from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from pointcontrast.errors import InputError
from pointcontrast.losses import PointInfoNCE
from pointcontrast.losses.info_nce import LEARNT_TEMPERATURE_RANGE, info_nce, sample_positives
from pointcontrast.losses.sampling import scene_of_rows
from tests.oracles import losses as oracle
from tests.oracles.losses import random_batch, unit_rows


def features(seed: int, num_rows: int = 23, num_channels: int = 6) -> tuple[torch.Tensor, ...]:
    rng = np.random.default_rng(seed)
    return unit_rows(rng, num_rows, num_channels), unit_rows(rng, num_rows, num_channels)


@pytest.mark.parametrize("temperature", [0.01, 0.07, 0.4, 3.0])
@pytest.mark.parametrize("num_rows", [1, 2, 23])
def test_equals_the_loops(temperature: float, num_rows: int) -> None:
    queries, keys = features(0, num_rows)
    expected = oracle.point_info_nce(queries, keys, temperature)
    assert info_nce(queries, keys, temperature).loss.item() == pytest.approx(expected)
    both = (expected + oracle.point_info_nce(keys, queries, temperature)) / 2
    symmetric = info_nce(queries, keys, temperature, symmetric=True)
    assert symmetric.loss.item() == pytest.approx(both)


def test_equals_the_loops_with_negatives_of_the_same_scene_in_any_order() -> None:
    queries, keys = features(1)
    scenes = torch.tensor(np.random.default_rng(1).integers(0, 4, len(queries)))
    expected = oracle.point_info_nce(queries, keys, 0.4, scenes.tolist())
    assert info_nce(queries, keys, 0.4, scenes=scenes).loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("same_scene", [False, True])
def test_module_equals_the_loops_on_the_matches_it_samples(same_scene: bool) -> None:
    batch = random_batch(2)
    positives = sample_positives(batch.correspondences, 40, torch.Generator().manual_seed(9))
    assert len(positives) == 40
    scenes = scene_of_rows(positives[:, 0], batch.offsets0).tolist() if same_scene else None
    expected = oracle.point_info_nce(
        batch.features0[positives[:, 0]], batch.features1[positives[:, 1]], 0.2, scenes
    )
    loss = PointInfoNCE(num_positives=40, temperature=0.2, same_scene_negatives=same_scene)
    output = loss(
        batch.features0,
        batch.features1,
        batch.correspondences,
        torch.Generator().manual_seed(9),
        offsets0=batch.offsets0,
        offsets1=batch.offsets1,
    )
    assert output.loss.item() == pytest.approx(expected)
    assert output.terms["num_positives"] == 40


def dense(queries: torch.Tensor, keys: torch.Tensor, temperature: torch.Tensor) -> torch.Tensor:
    logits = queries @ keys.T / temperature
    return torch.nn.functional.cross_entropy(logits, torch.arange(len(queries)))


@pytest.mark.parametrize("chunk_size", [1, 7, 22, 23, 1000])
@pytest.mark.parametrize("symmetric", [False, True])
def test_loss_and_gradients_equal_the_dense_ones_for_any_chunk(chunk_size, symmetric) -> None:
    inputs = [*features(3), torch.tensor(0.3, dtype=torch.float64)]
    for tensor in inputs:
        tensor.requires_grad_()
    queries, keys, temperature = inputs
    expected = dense(queries, keys, temperature)
    if symmetric:
        expected = (expected + dense(keys, queries, temperature)) / 2
    loss = info_nce(queries, keys, temperature, symmetric=symmetric, chunk_size=chunk_size).loss
    torch.testing.assert_close(loss, expected)
    actual_gradients = torch.autograd.grad(3 * loss, inputs)
    for actual, wanted in zip(
        actual_gradients, torch.autograd.grad(3 * expected, inputs), strict=True
    ):
        torch.testing.assert_close(actual, wanted)


@pytest.mark.parametrize("chunk_size", [3, 100])
@pytest.mark.parametrize("grouped", [False, True])
def test_gradcheck(chunk_size: int, grouped: bool) -> None:
    queries, keys = features(4, num_rows=8, num_channels=3)
    scenes = torch.tensor([0, 1, 0, 0, 1, 2, 1, 0]) if grouped else None
    log_inverse = torch.tensor(0.9, dtype=torch.float64)
    inputs = [tensor.requires_grad_() for tensor in (queries, keys, log_inverse)]

    def loss(q: torch.Tensor, k: torch.Tensor, log_inverse: torch.Tensor) -> torch.Tensor:
        temperature = (-log_inverse).exp()
        return info_nce(
            q, k, temperature, symmetric=True, scenes=scenes, chunk_size=chunk_size
        ).loss

    assert torch.autograd.gradcheck(loss, inputs)


def test_second_derivatives_are_refused_not_wrong() -> None:
    queries, keys = features(5)
    queries.requires_grad_()
    squared = info_nce(queries, keys).loss ** 2
    (gradient,) = torch.autograd.grad(squared, queries, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("num_rows", [1, 5, 64])
def test_equal_features_cost_the_logarithm_of_their_number(num_rows: int) -> None:
    same = torch.ones(num_rows, 4, dtype=torch.float64) / 2
    output = info_nce(same, same, 0.1, chunk_size=10)
    assert output.loss.item() == pytest.approx(math.log(num_rows))
    assert output.terms["positive_similarity"].item() == pytest.approx(1)


@pytest.mark.parametrize("temperature", [0.07, 0.4, 1.0])
def test_orthonormal_features_have_a_closed_form(temperature: float) -> None:
    num_rows = 12
    eye = torch.eye(num_rows, dtype=torch.float64)
    output = info_nce(eye, eye, temperature)
    expected = math.log1p((num_rows - 1) * math.exp(-1 / temperature))
    assert output.loss.item() == pytest.approx(expected, rel=1e-9)
    assert output.terms["accuracy"] == 1
    assert output.terms["temperature"].item() == pytest.approx(temperature)


def test_opposed_features_at_the_lowest_temperature_do_not_overflow() -> None:
    eye = torch.eye(4).requires_grad_()
    output = info_nce(eye, -eye.detach(), 0.01)
    assert output.loss.item() == pytest.approx(100 + math.log(3))
    (gradient,) = torch.autograd.grad(output.loss, eye)
    assert gradient.isfinite().all()
    assert output.terms["accuracy"] == 0


def test_symmetric_loss_does_not_ask_which_view_is_first() -> None:
    queries, keys = features(6)
    assert not torch.isclose(info_nce(queries, keys).loss, info_nce(keys, queries).loss, rtol=1e-4)
    torch.testing.assert_close(
        info_nce(queries, keys, symmetric=True).loss,
        info_nce(keys, queries, symmetric=True).loss,
    )


def test_row_order_does_not_matter() -> None:
    queries, keys = features(7)
    order = torch.randperm(len(queries), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        info_nce(queries[order], keys[order]).loss, info_nce(queries, keys).loss
    )


def test_accuracy_counts_the_queries_nearest_to_their_own_key() -> None:
    keys = torch.eye(4)
    queries = keys[[0, 1, 3, 2]]
    assert info_nce(queries, keys).terms["accuracy"] == 0.5


def one_batch(*, same_scene: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and gradient at view0 of a batch whose second scene has the single match (75, 80)."""
    batch = random_batch(8, sizes0=(70, 10), sizes1=(75, 10))
    in_first = batch.correspondences[batch.correspondences[:, 0] < 70]
    features0 = batch.features0.clone().requires_grad_()
    output = PointInfoNCE(same_scene_negatives=same_scene)(
        features0,
        batch.features1,
        torch.cat([in_first, torch.tensor([[75, 80]])]),
        torch.Generator().manual_seed(0),
        offsets0=batch.offsets0,
        offsets1=batch.offsets1,
    )
    output.loss.backward()
    assert features0.grad is not None
    return output.loss, features0.grad


def test_negatives_come_from_other_scenes_by_default() -> None:
    _, gradient = one_batch(same_scene=False)
    assert gradient[75].abs().sum() > 0


def test_negatives_come_from_the_same_scene_only_when_asked() -> None:
    _, gradient = one_batch(same_scene=True)
    assert gradient[:70].abs().sum() > 0
    assert gradient[75].abs().max() < 1e-15  # alone in its scene: nothing to tell it from


def test_same_scene_batch_is_the_weighted_mean_of_its_scenes() -> None:
    queries, keys = features(9)
    scenes = torch.tensor([0] * 8 + [1] * 15)
    whole = info_nce(queries, keys, scenes=scenes).loss
    parts = [8 * info_nce(queries[:8], keys[:8]).loss]
    parts.append(15 * info_nce(queries[8:], keys[8:]).loss)
    torch.testing.assert_close(whole, sum(parts) / 23)
    assert whole < info_nce(queries, keys).loss


def test_a_given_temperature_is_no_parameter() -> None:
    assert list(PointInfoNCE().state_dict()) == []


def test_a_learnt_temperature_starts_where_told_and_moves() -> None:
    loss = PointInfoNCE(temperature=0.4, learn_temperature=True)
    assert list(loss.state_dict()) == ["log_inverse_temperature"]
    batch = random_batch(10)
    optimizer = torch.optim.SGD(loss.parameters(), lr=1.0)
    temperatures, values = [], []
    for _ in range(10):
        output = loss(
            batch.features0,
            batch.features0,  # every voxel is its own match: the colder the better
            torch.arange(75).repeat(2, 1).T.contiguous(),
            torch.Generator().manual_seed(0),
        )
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        temperatures.append(output.terms["temperature"].item())
        values.append(output.loss.item())
    assert temperatures[0] == pytest.approx(0.4)
    assert temperatures == sorted(temperatures, reverse=True)
    assert temperatures[-1] < 0.2
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("overshoot", [-20.0, 20.0])
def test_a_learnt_temperature_returns_to_its_range_with_its_gradient_alive(overshoot) -> None:
    loss = PointInfoNCE(learn_temperature=True)
    assert loss.log_inverse_temperature is not None
    with torch.no_grad():
        loss.log_inverse_temperature.fill_(overshoot)
    low, high = LEARNT_TEMPERATURE_RANGE
    batch = random_batch(11)
    output = loss(batch.features0, batch.features1, batch.correspondences, torch.Generator())
    expected = high if overshoot < 0 else low
    assert output.terms["temperature"].item() == pytest.approx(expected)
    output.loss.backward()
    assert loss.log_inverse_temperature.grad is not None
    assert loss.log_inverse_temperature.grad.abs() > 1e-3


@pytest.mark.parametrize("temperature", [0.0, -0.4, math.nan, math.inf])
def test_impossible_temperatures_are_refused(temperature: float) -> None:
    with pytest.raises(InputError, match=f"temperature is {temperature}"):
        PointInfoNCE(temperature=temperature)
    with pytest.raises(InputError, match=f"temperature is {temperature}"):
        info_nce(*features(0), temperature)


def test_other_impossible_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="num_positives is 0"):
        PointInfoNCE(num_positives=0)
    with pytest.raises(InputError, match="chunk_size is -1"):
        PointInfoNCE(chunk_size=-1)
    with pytest.raises(InputError, match=r"temperature is 5\.0; to learn it"):
        PointInfoNCE(temperature=5.0, learn_temperature=True)
    queries, keys = features(0)
    with pytest.raises(ValueError, match=r"\(22, 6\) and \(23, 6\)"):
        info_nce(queries[1:], keys)
    with pytest.raises(ValueError, match=r"\(0, 6\)"):
        info_nce(queries[:0], keys[:0])


MEASURE_PEAK = """
import resource, sys, torch
from pointcontrast.losses.info_nce import info_nce
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = torch.nn.functional.normalize(torch.randn(2, int(sys.argv[1]), 32), dim=2).requires_grad_()
info_nce(rows[0], rows[1]).loss.backward()
assert rows.grad.isfinite().all()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(
    ("num_rows", "limit"),
    [
        (16_384, 0.3e9),  # one matrix of logits would take 1.1e9 bytes
        pytest.param(65_536, 2e9, marks=pytest.mark.slow),  # here 17e9
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux only")
def test_memory_grows_with_the_rows_not_with_their_square(num_rows: int, limit: float) -> None:
    command = [sys.executable, "-c", MEASURE_PEAK, str(num_rows)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(output) * 1024 < limit
