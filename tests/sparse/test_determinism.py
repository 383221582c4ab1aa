"""The compiled kernels give the same bits for any number of threads, torch's or their own."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pointcontrast.backbones import Res16UNet
from pointcontrast.sparse import kernel_library, native
from pointcontrast.sparse.native_tensor import NativeSparseTensor
from tests.oracles.engines import random_coordinates, random_features

COORDINATES = random_coordinates(5000, extent=11)
THREADS = (1, 2, 3, 5)


@pytest.fixture
def lend_threads(library: ctypes.CDLL) -> Iterator[Callable[[bool], None]]:
    """Whether the kernels use torch's OpenMP threads, the default, or start their own."""
    try:
        borrowed = ctypes.CDLL(torch._C.__file__).GOMP_parallel
    except (OSError, AttributeError):
        pytest.skip("this torch does not lend its threads")
    address = ctypes.cast(borrowed, ctypes.c_void_p)
    yield lambda lent: library.pointcontrast_lend_threads(address if lent else None)
    library.pointcontrast_lend_threads(address)


def parameters(module: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module.to(dtype)


def passes(dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Results of all kernels: maps, features, gradients, statistics."""
    features = random_features(len(COORDINATES), 19).to(dtype).requires_grad_()
    layers = {
        "same": parameters(native.Convolution(19, 33, kernel_size=3), dtype),
        "norm": parameters(native.BatchNorm(33), dtype),
        "down": parameters(native.Convolution(33, 40, kernel_size=2, stride=2), dtype),
        "narrow": parameters(native.Convolution(40, 3, kernel_size=1, stride=2), dtype),
        "widen": parameters(native.ConvolutionTranspose(3, 130, kernel_size=3, stride=2), dtype),
        "up": parameters(native.ConvolutionTranspose(130, 19, kernel_size=2, stride=2), dtype),
        "last": parameters(native.BatchNorm(19), dtype),
    }
    first = x = native.sparse_tensor(COORDINATES, features)
    found: dict[str, torch.Tensor] = {}
    for name, layer in layers.items():
        x = layer(x, first, rectify=True) if name == "last" else layer(x)
        found[name] = x.features.detach()
        found |= {f"{name} {n}": buffer for n, buffer in layer.named_buffers()}
    x.features.backward(random_features(len(COORDINATES), 19, seed=1).to(dtype))
    assert features.grad is not None
    found["features"] = features.grad
    for name, layer in layers.items():
        found |= {f"{name} {n}": p.grad for n, p in layer.named_parameters()}  # pyright: ignore
    for key, kernel_map in x.manager._maps.items():
        for side in (kernel_map.inputs, kernel_map.outputs):
            found |= {f"{key} {len(found)}": t for t in (side.rows, side.order, side.cuts)}  # pyright: ignore
        found[f"{key} starts"] = kernel_map.tap_starts
    with torch.no_grad():
        layers["norm"].eval()
        found["folded"] = layers["norm"].after(layers["same"], first, rectify=True).features  # pyright: ignore
    return found


def assert_same_bits(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    different = [name for name, value in expected.items() if not torch.equal(found[name], value)]
    assert different == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_number_of_threads(
    compiled: str, dtype: torch.dtype, set_threads, lend_threads
) -> None:
    expected = passes(dtype)
    assert all(bool(value.isfinite().all()) for value in expected.values())
    for lent in (True, False):
        lend_threads(lent)
        for number in THREADS:
            set_threads(number)
            assert_same_bits(passes(dtype), expected)


def test_repeated_runs_and_callers_at_once(compiled: str) -> None:
    """Threads of Python call the kernels at the same time, as data loaders and servers do."""
    expected = passes(torch.float32)
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(lambda _: passes(torch.float32), range(6)):
            assert_same_bits(found, expected)


def step() -> dict[str, torch.Tensor]:
    """Features of a small network after one training step."""
    torch.manual_seed(0)
    net = Res16UNet(3, 5, "14A", width=0.125, engine="native")  # pyright: ignore
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
    coordinates = COORDINATES[:1500]
    features = random_features(len(coordinates), 3).float()
    y = net.encode(coordinates, features)
    y.backward(random_features(*y.shape, seed=1).float())
    optimizer.step()
    with torch.no_grad():
        after = net.eval().encode(coordinates, features)
    gradients = {f"{n} gradient": p.grad for n, p in net.named_parameters()}
    return {"before": y.detach(), "after": after, **net.state_dict(), **gradients}  # pyright: ignore


def test_training_step_repeats(compiled: str, set_threads, lend_threads) -> None:
    """For each number of threads, torch's or the kernels' own."""
    for number in (1, 3):
        set_threads(number)
        expected = step()
        assert all(bool(value.isfinite().all()) for value in expected.values())
        for lent in (True, False):
            lend_threads(lent)
            assert_same_bits(step(), expected)


def test_training_step_on_any_number_of_threads(compiled: str, set_threads) -> None:
    """Also 1x1 layers, with and without the compiled kernels."""
    expected = step()
    for number in THREADS[1:]:
        set_threads(number)
        assert_same_bits(step(), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_order_of_rows(compiled: str, dtype: torch.dtype) -> None:
    """Sums are in the order of space, for any order of the rows."""
    order = torch.randperm(len(COORDINATES), generator=torch.Generator().manual_seed(3))
    features = random_features(len(COORDINATES), 19).to(dtype)
    grad = random_features(len(COORDINATES), 33, seed=1).to(dtype)
    same = parameters(native.Convolution(19, 33, kernel_size=3), dtype)
    down = parameters(native.Convolution(19, 33, kernel_size=2, stride=2), dtype)
    up = parameters(native.ConvolutionTranspose(33, 33, kernel_size=2, stride=2), dtype)

    def run(rows: torch.Tensor) -> tuple[NativeSparseTensor, list[torch.Tensor]]:
        inputs = features[rows].requires_grad_()
        x = native.sparse_tensor(COORDINATES[rows], inputs)
        coarse = down(x)
        y = [same(x).features, up(coarse).features]
        in_same, in_up = (value.detach() for value in y)
        torch.autograd.backward(y, [grad[rows], grad[rows]])
        assert inputs.grad is not None
        kernel_gradients = [layer.kernel.grad.clone() for layer in (same, down, up)]
        for layer in (same, down, up):
            layer.zero_grad()
        by_row = [in_same, in_up, inputs.grad]
        return coarse, [*(value[rows.argsort()] for value in by_row), *kernel_gradients]

    plain, expected = run(torch.arange(len(features)))
    shuffled, found = run(order)
    assert torch.equal(shuffled.coordinates, plain.coordinates)
    assert torch.equal(shuffled.features, plain.features)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_child_after_threads_were_used(compiled: str, set_threads, lend_threads, in_child) -> None:
    """As a data loader's worker: the child does not have the parent's threads."""
    expected = passes(torch.float32)["last"]
    for lent in (True, False):
        lend_threads(lent)
        set_threads(2)
        assert torch.equal(passes(torch.float32)["last"], expected)
        assert (torch.ones(500, 500) @ torch.ones(500, 500))[0, 0] == 500
        outcome = in_child(lambda: torch.equal(passes(torch.float32)["last"], expected))
        assert outcome == ("result", True)
    assert kernel_library.instruction_set() == compiled
