"""Gradcheck in float64 of every layer on both engines; repeated runs; mixed precision."""

from __future__ import annotations

import pytest
import torch

from pointcontrast.sparse import (
    BatchNorm,
    GlobalAveragePooling,
    GlobalMaxPooling,
    GlobalSumPooling,
    ReLU,
    concatenate,
    normalize,
)
from tests.oracles.engines import ENGINES, engine_or_skip, random_coordinates, random_features

COORDINATES = random_coordinates(14, extent=2)
COORDINATES_4D = random_coordinates(14, 4, extent=2)


class Applied(torch.nn.Module):
    """``run(module, x)`` as a module, so that its parameters can be inputs of gradcheck."""

    def __init__(self, module: torch.nn.Module, run) -> None:
        super().__init__()
        self.module = module.double()
        self.run = run

    def forward(self, x):
        y = self.run(self.module, x)
        return y if isinstance(y, torch.Tensor) else y.features


def check(
    engine,
    module: torch.nn.Module,
    run=lambda module, x: module(x),
    coordinates: torch.Tensor = COORDINATES,
    channels: int = 2,
) -> None:
    """Gradcheck in the features and the parameters, by projection on random directions."""
    applied = Applied(module, run)
    names = [name for name, _ in applied.named_parameters()]

    def function(features: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        x = engine.sparse_tensor(coordinates, features)
        values = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(applied, values, (x,))

    features = random_features(len(coordinates), channels).requires_grad_()
    parameters = [p.detach().clone().requires_grad_() for p in applied.parameters()]
    assert torch.autograd.gradcheck(function, (features, *parameters), fast_mode=True)


CONVOLUTIONS = {
    "plain": {"kernel_size": 3},
    "1x1": {"kernel_size": 1, "bias": True},
    "strided": {"kernel_size": 2, "stride": 2},
    "odd strided": {"kernel_size": 3, "stride": 2, "dilation": 2, "bias": True},
    "of volume 1, strided": {"kernel_size": 1, "stride": 2},
    "mixed": {"kernel_size": (3, 1, 2), "stride": (1, 1, 2)},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("options", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolution(options: dict, engine: str) -> None:
    layers = engine_or_skip(engine)
    check(layers, layers.Convolution(2, 3, **options))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kernel_size", [2, 3])
def test_transposed_convolution(kernel_size: int, engine: str) -> None:
    layers = engine_or_skip(engine)
    check(
        layers,
        torch.nn.Sequential(
            layers.Convolution(2, 2, kernel_size=2, stride=2),
            layers.ConvolutionTranspose(2, 3, kernel_size=kernel_size, stride=2, bias=True),
        ),
    )


@pytest.mark.parametrize("region", ["hypercube", "hybrid"])
def test_native_convolution_4d(region: str) -> None:
    layers = engine_or_skip("native")
    convolution = layers.Convolution(1, 2, kernel_size=3, dimension=4, region=region)
    check(layers, convolution, coordinates=COORDINATES_4D, channels=1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["SumPooling", "AveragePooling", "MaxPooling"])
@pytest.mark.parametrize(("kernel_size", "stride"), [(2, 2), (3, 1), (3, 2), (3, 3)])
def test_pooling(kernel_size: int, stride: int, kind: str, engine: str) -> None:
    layers = engine_or_skip(engine)
    check(layers, getattr(layers, kind)(kernel_size=kernel_size, stride=stride))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "module", [ReLU(), BatchNorm(2), GlobalSumPooling(), GlobalAveragePooling(), GlobalMaxPooling()]
)
def test_pointwise(module: torch.nn.Module, engine: str) -> None:
    check(engine_or_skip(engine), module)


@pytest.mark.parametrize("engine", ENGINES)
def test_joining(engine: str) -> None:
    layers = engine_or_skip(engine)
    check(
        layers,
        layers.Convolution(2, 2, kernel_size=3),
        lambda module, x: normalize(concatenate(module(x) + x, x)),
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_frozen_parts_need_no_gradient(engine: str) -> None:
    """With frozen weights, as in linear probing, or with inputs without gradients."""
    layers = engine_or_skip(engine)
    convolution = layers.Convolution(2, 3, kernel_size=3).double()
    features = random_features(len(COORDINATES), 2)
    convolution(layers.sparse_tensor(COORDINATES, features)).features.sum().backward()
    assert features.grad is None
    only_weights = convolution.kernel.grad.clone()
    convolution.requires_grad_(False)
    features.requires_grad_()
    convolution(layers.sparse_tensor(COORDINATES, features)).features.sum().backward()
    assert features.grad is not None
    assert torch.equal(convolution.kernel.grad, only_weights)  # the second pass added nothing


def test_two_native_runs_agree_bit_for_bit() -> None:
    layers = engine_or_skip("native")
    coordinates = random_coordinates(3000, extent=10)
    features = random_features(len(coordinates), 8).float()
    results = []
    for _ in range(2):
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            layers.Convolution(8, 8, kernel_size=3),
            BatchNorm(8),
            layers.Convolution(8, 8, kernel_size=2, stride=2),
            layers.MaxPooling(kernel_size=3),
            layers.AveragePooling(kernel_size=3),
            layers.ConvolutionTranspose(8, 8, kernel_size=2, stride=2),
        )
        inputs = features.clone().requires_grad_()
        y = net(layers.sparse_tensor(coordinates, inputs)).features
        y.square().sum().backward()
        gradients = [p.grad for p in net.parameters()]
        results.append([y.detach(), inputs.grad, *gradients])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_autocast(engine: str) -> None:
    """Under mixed precision 1x1 layers run in bfloat16 and others in float32, and all train."""
    layers = engine_or_skip(engine)
    net = torch.nn.Sequential(
        layers.Convolution(2, 4, kernel_size=3),
        layers.Convolution(4, 4, kernel_size=1),
        BatchNorm(4),
        layers.Convolution(4, 4, kernel_size=2, stride=2),
        layers.ConvolutionTranspose(4, 3, kernel_size=2, stride=2, bias=True),
    )
    features = random_features(len(COORDINATES), 2).float()
    expected = net(layers.sparse_tensor(COORDINATES, features)).features
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = net(layers.sparse_tensor(COORDINATES, features)).features
        y.square().sum().backward()
    torch.testing.assert_close(y.float(), expected, rtol=0.05, atol=0.05)
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.dtype == torch.float32
        assert parameter.grad.isfinite().all(), name
