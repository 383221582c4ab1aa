"""Whole networks on both engines: the same weights, features and gradients."""

from __future__ import annotations

import pytest
import torch

from pointcontrast.backbones import Res16UNet
from tests.oracles.engines import (
    cotangent,
    engine_or_skip,
    in_order,
    kitchen_coordinates,
    random_coordinates,
    random_features,
)

NETWORKS = {
    "14A": {"variant": "14A", "width": 0.25},
    "34C": {"variant": "34C", "width": 0.125, "normalize_output": True},
    "50": {"variant": "50", "width": 0.125},
    "wide stem": {"variant": "18B", "width": 0.125, "stem_kernel_size": 5},
    "4D": {"variant": "14A", "width": 0.125, "dimension": 4},
}


def places(name: str) -> torch.Tensor:
    if NETWORKS[name].get("dimension") == 4:
        return random_coordinates(300, 4, extent=12)
    return random_coordinates(300, extent=24)


def build(engine: str, name: str) -> Res16UNet:
    engine_or_skip(engine)
    torch.manual_seed(7)
    return Res16UNet(3, 5, engine=engine, **NETWORKS[name])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_seed_gives_the_same_network(name: str) -> None:
    native, minkowski = (build(e, name).state_dict() for e in ("native", "minkowski"))
    assert list(native) == list(minkowski)
    for key, value in native.items():
        assert torch.equal(value, minkowski[key]), key


def trained(engine: str, name: str, coordinates: torch.Tensor):
    """Features, input gradient, all weight gradients, and the batch norms' statistics."""
    net = build(engine, name).double()
    features = random_features(len(coordinates), 3).requires_grad_()
    y = net.encode(coordinates, features)
    (y * cotangent(coordinates, 5)).sum().backward()
    gradients = {n: p.grad for n, p in net.named_parameters()}
    return y, features.grad, gradients, dict(net.named_buffers())


def assert_engines_agree(name: str, coordinates: torch.Tensor) -> None:
    results = [trained(engine, name, coordinates) for engine in ("native", "minkowski")]
    torch.testing.assert_close(*results, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", NETWORKS)
def test_random_places(name: str) -> None:
    assert_engines_agree(name, places(name))


@pytest.mark.parametrize("name", ["14A", "50"])
def test_real_places(name: str) -> None:
    assert_engines_agree(name, kitchen_coordinates(0.08))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("source", ["native", "minkowski"])
def test_weights_move_to_the_other_engine(source: str, name: str) -> None:
    """After a training step, with the statistics of batch norm, in single precision."""
    coordinates = places(name)
    features = random_features(len(coordinates), 3).float()
    teacher = build(source, name)
    optimizer = torch.optim.SGD(teacher.parameters(), lr=0.01)
    teacher.encode(coordinates, features).square().mean().backward()
    optimizer.step()
    torch.manual_seed(8)  # another start
    target = "minkowski" if source == "native" else "native"
    pupil = Res16UNet(**teacher.arguments, engine=target)  # pyright: ignore[reportArgumentType]
    pupil.load_state_dict(teacher.state_dict(), strict=True)
    teacher.eval()
    pupil.eval()
    torch.testing.assert_close(
        pupil.encode(coordinates, features),
        teacher.encode(coordinates, features),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_levels_agree_place_by_place(name: str) -> None:
    coordinates = places(name)
    features = random_features(len(coordinates), 3)
    levels = []
    for engine in ("native", "minkowski"):
        net = build(engine, name).double().eval()
        found = net.forward_levels(net.engine.sparse_tensor(coordinates, features))
        levels.append(
            [(level.stride, *in_order(level.coordinates, level.features)) for level in found]
        )
    torch.testing.assert_close(*levels, rtol=1e-9, atol=1e-9)
