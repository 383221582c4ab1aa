from __future__ import annotations

import itertools

import pytest
import torch

from pointcontrast.schedules import StepwiseExponential, WarmupCosine


def rates(make, num_steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    used = []
    for _ in range(num_steps):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return used


def test_stepwise_exponential_is_the_authors_loop() -> None:
    # the released trainer: train an iteration, then step the schedule where the count of
    # iterations is 1 or a multiple of the interval
    rate, expected = 1.0, []
    for iteration in range(1, 1001):
        expected.append(rate)
        if iteration % 250 == 0 or iteration == 1:
            rate *= 0.99
    assert rates(StepwiseExponential, 1000) == pytest.approx(expected)


def test_stepwise_exponential_ends_where_the_released_schedule_does() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    factor = StepwiseExponential(optimizer).lr_lambdas[0](60_000)
    assert factor == pytest.approx(0.99**241)
    assert factor == pytest.approx(0.0887, abs=5e-5)


def test_warmup_cosine_rises_and_falls() -> None:
    used = rates(lambda o: WarmupCosine(o, num_steps=100, num_warmup_steps=10), 100)
    assert used[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert used[10] == pytest.approx(1)
    assert used[55] == pytest.approx(0.5)
    assert used[99] < 0.001
    assert all(a >= b for a, b in itertools.pairwise(used[9:]))


@pytest.mark.parametrize("warmup", [-1, 100])
def test_impossible_warmup_is_named(warmup: int) -> None:
    with pytest.raises(ValueError, match=str(warmup)):
        rates(lambda o: WarmupCosine(o, num_steps=100, num_warmup_steps=warmup), 1)
