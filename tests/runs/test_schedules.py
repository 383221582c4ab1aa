from __future__ import annotations

import itertools

import pytest

from pointcontrast.errors import InputError
from pointcontrast.runs.schedules import (
    PolynomialDecay,
    Schedule,
    StepwiseExponential,
    WarmupCosine,
)


def factors(schedule: Schedule, num_steps: int) -> list[float]:
    return [schedule.factor(step, num_steps) for step in range(num_steps)]


def test_stepwise_exponential_is_the_authors_loop() -> None:
    # the released trainer: train an iteration, then step the schedule where the count of
    # iterations is 1 or a multiple of the interval
    rate, expected = 1.0, []
    for iteration in range(1, 1001):
        expected.append(rate)
        if iteration % 250 == 0 or iteration == 1:
            rate *= 0.99
    assert factors(StepwiseExponential(), 1000) == pytest.approx(expected)


def test_stepwise_exponential_ends_at_the_released_factor() -> None:
    factor = StepwiseExponential().factor(60_000, 60_000)
    assert factor == pytest.approx(0.99**241)
    assert factor == pytest.approx(0.0887, abs=5e-5)


def test_warmup_cosine_rises_and_falls_to_the_runs_end() -> None:
    for num_steps in (100, 1000):
        used = factors(WarmupCosine(num_warmup_steps=10), num_steps)
        assert used[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
        assert used[10] == pytest.approx(1)
        assert used[(num_steps + 10) // 2] == pytest.approx(0.5)
        assert used[-1] < 0.001
        assert all(a >= b for a, b in itertools.pairwise(used[9:]))


def test_a_run_shorter_than_its_warmup_still_has_a_rate() -> None:
    assert all(0 < factor <= 1 for factor in factors(WarmupCosine(num_warmup_steps=10), 3))


def test_impossible_numbers_are_named() -> None:
    with pytest.raises(InputError, match="-1"):
        WarmupCosine(num_warmup_steps=-1)
    with pytest.raises(InputError, match="interval 1"):
        StepwiseExponential(interval=1)


def test_polynomial_decay_is_that_of_the_released_solver() -> None:
    schedule = PolynomialDecay(power=0.9)
    # lib/solvers.py PolyLR of 60,000 iterations
    for step in (0, 1, 30_000, 59_999):
        assert schedule.factor(step, 60_000) == pytest.approx((1 - step / 60_001) ** 0.9)
    assert schedule.factor(60_002, 60_000) == 0  # never a complex number
    with pytest.raises(InputError, match="power 0"):
        PolynomialDecay(power=0)
