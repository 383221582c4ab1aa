"""Pooling on both engines against loops over dictionaries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.oracles import sparse_convolution as oracle
from tests.oracles.engines import (
    ENGINES,
    cotangent,
    engine_or_skip,
    random_coordinates,
    random_features,
)

KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "SumPooling": lambda found: found.sum(0),
    "AveragePooling": lambda found: found.mean(0),
    "MaxPooling": lambda found: found.max(0),
}
# kernel size, factor, dilation, stride of the input
CASES = [
    ((2, 2, 2), (2, 2, 2), (1, 1, 1), (1, 1, 1)),
    ((3, 3, 3), (3, 3, 3), (1, 1, 1), (1, 1, 1)),  # cell by cell, not centred
    ((3, 2, 1), (3, 2, 1), (1, 1, 1), (1, 1, 1)),
    ((3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
    ((3, 3, 3), (2, 2, 2), (1, 1, 1), (1, 1, 1)),
    ((3, 3, 3), (2, 2, 2), (2, 2, 2), (1, 1, 1)),
    ((5, 5, 5), (1, 1, 1), (1, 2, 1), (2, 2, 2)),
    ((2, 2, 2), (2, 2, 2), (1, 1, 1), (2, 2, 2)),
    ((1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
    ((1, 1, 1), (4, 4, 4), (1, 1, 1), (1, 1, 1)),  # most outputs have no inputs
    ((2, 2, 2, 1), (2, 2, 2, 1), (1, 1, 1, 1), (1, 1, 1, 1)),
    ((3, 3, 3, 3), (1, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1)),
]


def make(engine, kind: str, case):
    kernel_size, factor, dilation, stride = case
    dimension = len(kernel_size)
    coordinates = random_coordinates(80, dimension, extent=5)
    x = engine.sparse_tensor(coordinates, random_features(len(coordinates), 1))
    if any(s != 1 for s in stride):
        x = engine.SumPooling(kernel_size=stride, stride=stride, dimension=dimension)(x)
    x = x.replace(random_features(len(x.features), 3).requires_grad_())
    pooling = getattr(engine, kind)(
        kernel_size=kernel_size, stride=factor, dilation=dilation, dimension=dimension
    )
    return x, pooling


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_pooling_is_the_loop(case, kind: str, engine: str) -> None:
    kernel_size, factor, dilation, stride = case
    x, pooling = make(engine_or_skip(engine), kind, case)
    y = pooling(x)
    expected = oracle.pool(
        oracle.as_dictionary(x.coordinates, x.features),
        KINDS[kind],
        kernel_size=kernel_size,
        stride=stride,
        factor=factor,
        dilation=dilation,
    )
    found = oracle.as_dictionary(y.coordinates, y.features)
    assert y.stride == tuple(s * f for s, f in zip(stride, factor, strict=True))
    assert found.keys() == expected.keys()
    for place, vector in expected.items():
        assert found[place] == pytest.approx(vector, rel=1e-12), place


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_the_loop(case, kind: str, engine: str) -> None:
    """By the definition, since central differences would be too slow."""
    kernel_size, factor, dilation, stride = case
    x, pooling = make(engine_or_skip(engine), kind, case)
    y = pooling(x)
    weights = cotangent(y.coordinates, 3)
    (found,) = torch.autograd.grad((y.features * weights).sum(), x.features)

    taps = oracle.cube_taps(kernel_size, centred=kernel_size != factor)
    inputs = oracle.as_dictionary(x.coordinates, x.features)
    expected = {place: np.zeros(3) for place in inputs}
    for place, weight in oracle.as_dictionary(y.coordinates, weights).items():
        sources = [oracle.neighbour(place, tap, dilation, stride) for tap in taps]
        sources = [source for source in sources if source in inputs]
        values = np.array([inputs[source] for source in sources])
        for source in sources:
            share = {
                "SumPooling": np.ones(3),
                "AveragePooling": np.full(3, 1 / len(sources)),
                "MaxPooling": (inputs[source] == values.max(0)).astype(float),
            }[kind]
            expected[source] += share * weight
    wanted = np.array([expected[tuple(place)] for place in x.coordinates.tolist()])
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_largest_inputs_share_the_gradient(engine: str) -> None:
    """After a ReLU, where many inputs are 0, both engines agree."""
    layers = engine_or_skip(engine)
    coordinates = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 1, 1]]).int()
    features = torch.tensor([[0.0], [2.0], [2.0], [1.0]], requires_grad=True)
    layers.MaxPooling(kernel_size=2, stride=2)(
        layers.sparse_tensor(coordinates, features)
    ).features.sum().backward()
    assert features.grad is not None
    assert features.grad.flatten().tolist() == [0, 0.5, 0.5, 0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_nan_and_infinity_come_through(kind: str, engine: str) -> None:
    layers = engine_or_skip(engine)
    coordinates = torch.tensor([[0, x, 0, 0] for x in (0, 1, 2, 3, 4)]).int()
    features = torch.tensor([[float("nan")], [1.0], [1.0], [1.0], [-float("inf")]])
    features.requires_grad_()
    x = layers.sparse_tensor(coordinates, features)
    y = getattr(layers, kind)(kernel_size=2, stride=2)(x)
    values = dict(zip(y.coordinates[:, 1].tolist(), y.features[:, 0].tolist(), strict=True))
    assert np.isnan(values[0])
    assert values[2] == (2 if kind == "SumPooling" else 1)
    assert values[4] == -float("inf")
    y.features.sum().backward()  # MinkowskiEngine's own layer would write out of bounds


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_dilation_without_meaning_is_refused(kind: str, engine: str) -> None:
    with pytest.raises(ValueError, match=r"dilation .* has no meaning"):
        getattr(engine_or_skip(engine), kind)(kernel_size=2, stride=2, dilation=2)
