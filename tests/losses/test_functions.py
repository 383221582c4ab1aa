"""The losses as functions for a loop of one's own: no module, no generator, rows of any length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from pointcontrast.errors import InputError
from pointcontrast.losses import (
    HardestContrastive,
    LossOutput,
    PointInfoNCE,
    hardest_contrastive,
    point_info_nce,
)
from tests.oracles.losses import random_batch

Loss = Callable[..., LossOutput]
FUNCTIONS: list[Loss] = [point_info_nce, hardest_contrastive]
MODULES: list[type[nn.Module]] = [PointInfoNCE, HardestContrastive]
FEW: list[dict[str, Any]] = [
    {"num_positives": 20, "temperature": 0.2, "symmetric": True},
    {"num_positives_per_pair": 4, "num_negatives_per_pair": 5, "negative_weight": 0.5},
]
both = pytest.mark.parametrize("loss", FUNCTIONS)


def tensors(seed: int = 3, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    batch = random_batch(seed, dtype=dtype)
    return batch.features0, batch.features1, batch.correspondences


@pytest.mark.parametrize(
    ("function", "module", "numbers"), [*zip(FUNCTIONS, MODULES, FEW, strict=True)]
)
@pytest.mark.parametrize("same_scene", [False, True])
def test_a_module_is_its_function_with_the_numbers_held(
    function: Loss, module: type[nn.Module], numbers: dict[str, Any], same_scene: bool
) -> None:
    batch = random_batch(3)
    offsets = {"offsets0": batch.offsets0, "offsets1": batch.offsets1}
    arguments = (batch.features0, batch.features1, batch.correspondences)
    numbers = numbers | {"same_scene_negatives": same_scene}
    held = module(**numbers)(*arguments, torch.Generator().manual_seed(1), **offsets)
    plain = function(*arguments, torch.Generator().manual_seed(1), **numbers, **offsets)
    assert torch.equal(held.loss, plain.loss)
    assert held.terms.keys() == plain.terms.keys()


@pytest.mark.parametrize(("loss", "numbers"), [*zip(FUNCTIONS, FEW, strict=True)])
def test_without_a_generator_the_global_one_draws(loss: Loss, numbers: dict[str, Any]) -> None:
    torch.manual_seed(5)
    first, second = (loss(*tensors(), **numbers).loss for _ in range(2))
    torch.manual_seed(5)
    assert torch.equal(loss(*tensors(), **numbers).loss, first)
    assert not torch.equal(first, second)
    given = loss(*tensors(), torch.Generator().manual_seed(5), **numbers).loss
    torch.testing.assert_close(given, first)


@both
def test_rows_of_any_length_are_normalised_where_asked(loss: Loss) -> None:
    features0, features1, matches = tensors()
    expected = loss(features0, features1, matches, torch.Generator().manual_seed(1))
    lengths = torch.linspace(0.1, 30, len(features0), dtype=torch.float64)[:, None]
    scaled = (features0 * lengths).requires_grad_()
    output = loss(scaled, features1 * 7, matches, torch.Generator().manual_seed(1), normalize=True)
    torch.testing.assert_close(output.loss, expected.loss)
    output.loss.backward()
    assert scaled.grad is not None
    along = (scaled.grad * scaled.detach()).sum(1)  # the sphere has no gradient along the row
    torch.testing.assert_close(along, torch.zeros_like(along), atol=1e-12, rtol=0)


@both
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("length", [0.5, 1.01, 40.0])
def test_rows_of_another_length_are_refused(loss: Loss, side: int, length: float) -> None:
    views = list(tensors(dtype=torch.float32))
    views[side][views[2][0, side]] *= length  # one row that takes part
    low, high = min(length, 1.0), max(length, 1.0)
    with pytest.raises(InputError, match=rf"length {low:.4g} to {high:.4g}.*normalize=True"):
        loss(*views)


@both
def test_what_rounding_leaves_of_unit_length_is_taken(loss: Loss) -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        features0, features1, matches = tensors()
        assert loss(features0.to(dtype), features1.to(dtype), matches).loss.isfinite()
    features0, features1, matches = tensors()
    features0[matches[0, 0]] = 0  # a network's normalisation leaves a row of zeros as it is
    assert loss(features0, features1, matches).loss.isfinite()


@both
def test_nan_is_left_to_the_guard_of_a_run(loss: Loss) -> None:
    features0, features1, matches = tensors()
    features0[matches[0, 0]] = torch.nan
    assert not loss(features0, features1, matches).loss.isfinite()


@both
def test_numbers_are_checked_without_a_module_too(loss: Loss) -> None:
    with pytest.raises(InputError, match="chunk_size is 0"):
        loss(*tensors(), chunk_size=0)
    with pytest.raises(InputError, match="exclude each other"):
        loss(*tensors(), gather_negatives=True, same_scene_negatives=True)
    with pytest.raises(ValueError, match="needs offsets0"):
        loss(*tensors(), same_scene_negatives=True)
    with pytest.raises(ValueError, match="correspondences are empty"):
        loss(*tensors()[:2], torch.zeros(0, 2, dtype=torch.int64))
