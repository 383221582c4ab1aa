"""Checkpointed stages give the same bits with less memory, on both engines."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pointcontrast.backbones import Res16UNet
from tests.oracles.engines import ENGINES, engine_or_skip, random_coordinates, random_features

COORDINATES = random_coordinates(900, extent=16)


def network(engine: str, variant: str = "14A", **options: Any) -> Res16UNet:
    engine_or_skip(engine)
    torch.manual_seed(0)
    return Res16UNet(3, 5, variant, width=0.125, engine=engine, **options)  # pyright: ignore


def train(net: Res16UNet, steps: int = 2, dtype: Any = None) -> list[torch.Tensor]:
    """Outputs, gradients and state of some training steps, and of an evaluation after them."""
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
    found: list[torch.Tensor] = []
    for seed in range(steps):
        features = random_features(len(COORDINATES), 3, seed=seed).float().requires_grad_()
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
            y = net.encode(COORDINATES, features)
        y.backward(random_features(*y.shape, seed=seed + 10).to(y.dtype))
        optimizer.step()
        found += [y.detach(), features.grad]  # pyright: ignore
        found += [p.grad.clone() for p in net.parameters()]  # pyright: ignore
    found += [value.clone() for value in net.state_dict().values()]
    with torch.no_grad():
        found.append(net.eval().encode(COORDINATES, random_features(len(COORDINATES), 3).float()))
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("variant", ["14A", "50"])
def test_same_bits(variant: str, engine: str) -> None:
    """Also running statistics and batch counts: the recomputation does not change them."""
    plain = train(network(engine, variant))
    checkpointed = network(engine, variant, checkpoint_activations=True)
    found = train(checkpointed)
    assert all(bool(value.isfinite().all()) for value in plain)
    assert len(found) == len(plain)
    assert all(torch.equal(a, b) for a, b in zip(found, plain, strict=True))
    counts = {n: v for n, v in checkpointed.state_dict().items() if "num_batches" in n}
    assert {int(v) for v in counts.values()} == {2}


@pytest.mark.parametrize("engine", ENGINES)
def test_same_bits_under_autocast(engine: str) -> None:
    plain = train(network(engine), dtype=torch.bfloat16)
    found = train(network(engine, checkpoint_activations=True), dtype=torch.bfloat16)
    assert all(bool(value.isfinite().all()) for value in plain)
    assert all(torch.equal(a, b) for a, b in zip(found, plain, strict=True))


def test_switched_at_any_time() -> None:
    net = network("native")
    net.checkpoint_activations = True
    assert "checkpoint_activations" not in net.arguments
    expected = network("native")
    for one, other in zip(train(net, 1), train(expected, 1), strict=True):
        assert torch.equal(one, other)


def kept_bytes(net: Res16UNet) -> int:
    """Bytes that a forward pass keeps for the backward pass."""
    kept: dict[int, int] = {}
    alive: list[torch.Tensor] = []
    parameters = {p.untyped_storage().data_ptr() for p in net.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters and tensor.is_floating_point():
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)  # so that no address is reused
        return tensor

    features = random_features(len(COORDINATES), 3).float().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net.encode(COORDINATES, features)
    return sum(kept.values())


@pytest.mark.parametrize("variant", ["14A", "34C"])
def test_less_is_kept(variant: str) -> None:
    """Deeper stages save more; the layers between stages remain."""
    whole = kept_bytes(network("native", variant))
    less = kept_bytes(network("native", variant, checkpoint_activations=True))
    assert 0 < less < (0.75 if variant == "14A" else 0.5) * whole


def test_evaluation_and_no_grad_run_each_stage_once() -> None:
    calls: list[bool] = []
    net = network("native", checkpoint_activations=True)
    net.get_submodule("block1").register_forward_pre_hook(
        lambda *_: calls.append(torch.is_grad_enabled())
    )
    features = random_features(len(COORDINATES), 3).float()
    with torch.no_grad():
        net.encode(COORDINATES, features)
    assert calls == [False]
    y = net.encode(COORDINATES, features)
    assert calls == [False, True]
    y.sum().backward()
    assert calls == [False, True, True]


def test_buffers_stay_where_a_second_run_fails() -> None:
    """Statistics are restored also after an error within the backward pass."""
    net = network("native", checkpoint_activations=True)
    features = random_features(len(COORDINATES), 3).float()
    y = net.encode(COORDINATES, features)
    before = {name: value.clone() for name, value in net.named_buffers()}

    def fail(*_: Any) -> None:
        raise RuntimeError("out of memory")

    net.get_submodule("block8.0.conv2").register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        y.sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_network_under_torch_compile() -> None:
    """A whole network compiles, with the same output and gradients."""
    torch._dynamo.reset()
    results = []
    for wrap in (lambda net: net, lambda net: torch.compile(net, backend="aot_eager")):
        net = network("native")
        x = net.engine.sparse_tensor(COORDINATES, random_features(len(COORDINATES), 3).float())
        y = wrap(net)(x).features
        y.backward(random_features(*y.shape, seed=1).float())
        results.append([y.detach(), *(p.grad for p in net.parameters()), *net.buffers()])
    torch._dynamo.reset()
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
