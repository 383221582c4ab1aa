"""Products of bfloat16 summed in float32, under autocast, against sums in float64 and float32.

If the processor does not have such instructions, they are emulated with the same results.
"""

from __future__ import annotations

import ctypes
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from pointcontrast.backbones import Res16UNet
from pointcontrast.compiled.library import BFLOAT16_SWITCH
from pointcontrast.errors import InputError
from pointcontrast.sparse import (
    BatchNorm,
    compiled_convolution,
    convolution,
    kernel_library,
    native,
)
from pointcontrast.sparse.convolution import entries_by_tap, sparse_convolution
from pointcontrast.sparse.kernel_map import KernelMap
from tests.oracles.engines import random_coordinates, random_features

SHAPES = ((1, 1), (3, 32), (5, 7), (32, 17), (13, 100), (64, 33), (1, 40))
LAYERS = {"3x3x3": (3, 1), "2x2x2, strided": (2, 2), "1x1x1, strided": (1, 2)}


@pytest.fixture(autouse=True)
def emulated(monkeypatch: pytest.MonkeyPatch, library: ctypes.CDLL) -> None:
    """Emulate the products if the processor does not have them."""
    monkeypatch.setenv(BFLOAT16_SWITCH, "emulate")


def autocast() -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16)


def full_precision() -> torch.autocast:
    return torch.autocast("cpu", enabled=False)


def map_of(num: int, kernel_size: int, stride: int) -> KernelMap:
    coordinates = random_coordinates(num, extent=max(2, round(num ** (1 / 3))))
    x = native.sparse_tensor(coordinates, torch.zeros(len(coordinates), 1))
    layer = native.Convolution(1, 1, kernel_size=kernel_size, stride=stride)
    return layer.kernel_map(x)[0]


def operands(
    kernel_map: KernelMap, depth: int, channels: int, draw: Callable[..., torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features and kernel with gradients, and the gradient of the result."""
    features = draw(kernel_map.inputs.num_rows, depth).requires_grad_()
    kernel = draw(len(kernel_map.tap_starts) - 1, depth, channels).requires_grad_()
    return features, kernel, draw(kernel_map.outputs.num_rows, channels)


def normals(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator)


def integers(*shape: int) -> torch.Tensor:
    """Integers so small that bfloat16 represents them and float32 all their sums."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randint(-9, 10, shape, generator=generator).float()


def run(
    features: torch.Tensor, kernel: torch.Tensor, grad: torch.Tensor, kernel_map: KernelMap
) -> list[torch.Tensor]:
    """Result and gradients of features and kernel under autocast."""
    with autocast():
        result = sparse_convolution(features, kernel, kernel_map)
    return [result.detach(), *torch.autograd.grad(result, (features, kernel), grad)]


def in_double(
    features: torch.Tensor,
    kernel: torch.Tensor,
    grad: torch.Tensor,
    kernel_map: KernelMap,
    convert: Callable[[torch.Tensor], torch.Tensor] = lambda x: x.bfloat16().double(),
) -> list[torch.Tensor]:
    """Expected result of :func:`run`: rounded operands, and sums in float64."""
    features, kernel, grad = (convert(x.detach()) for x in (features, kernel, grad))
    result = grad.new_zeros(grad.shape)
    grad_features, grad_kernel = torch.zeros_like(features), torch.zeros_like(kernel)
    for tap, (reads, writes) in enumerate(entries_by_tap(kernel_map)):
        for r, w in zip(reads.tolist(), writes.tolist(), strict=True):
            result[w] += features[r] @ kernel[tap]
            grad_features[r] += kernel[tap] @ grad[w]
            grad_kernel[tap] += torch.outer(features[r], grad[w])
    return [result, grad_features, grad_kernel]


def relative(actual: torch.Tensor, expected: torch.Tensor) -> float:
    actual, expected = actual.detach().double(), expected.detach().double()
    return float((actual - expected).norm() / expected.norm())


# --- the sums --------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_integers_are_exact(layer: tuple[int, int], compiled: str) -> None:
    """Without rounding the result is exact, for odd sizes too."""
    for num, shape in itertools.product((1, 2, 60), SHAPES):
        kernel_map = map_of(num, *layer)
        given = operands(kernel_map, *shape, integers)
        expected = in_double(*given, kernel_map)
        for actual, value in zip(run(*given, kernel_map), expected, strict=True):
            assert actual.dtype == torch.float32
            assert torch.equal(actual, value.float()), (num, shape)


def test_sums_have_the_digits_of_float32(compiled: str) -> None:
    """The error is that of float32 sums of rounded operands: about 2^-24 per term, not 2^-8."""
    kernel_map = map_of(300, 3, 1)
    for shape in SHAPES:
        given = operands(kernel_map, *shape, normals)
        sizes = in_double(*given, kernel_map, lambda x: x.bfloat16().double().abs())
        most = max(shape) * 27 + kernel_map.outputs.num_rows
        expected = in_double(*given, kernel_map)
        for actual, value, size in zip(run(*given, kernel_map), expected, sizes, strict=True):
            assert ((actual - value).abs() <= 2**-24 * 4 * math.sqrt(most) * size).all(), shape


def test_transposed_convolution_and_epilogue(compiled: str) -> None:
    """Layers as networks use them, and the fused pass of evaluation."""
    coordinates = random_coordinates(80)
    torch.manual_seed(0)
    down = native.Convolution(5, 9, kernel_size=2, stride=2, bias=True)
    up = native.ConvolutionTranspose(9, 7, kernel_size=2, stride=2, bias=True)
    norm = native.BatchNorm(7)
    norm.bn.running_mean, norm.bn.running_var = torch.randn(7), torch.rand(7) + 0.5
    shortcut = torch.randn(len(coordinates), 7)
    norm.eval()
    x = native.sparse_tensor(coordinates, random_features(len(coordinates), 5).float())
    with autocast():
        two_passes = norm(up(down(x)), x.replace(shortcut), rectify=True).features
        with torch.no_grad():
            one_pass = norm.after(up, down(x), x.replace(shortcut), rectify=True).features
    assert two_passes.dtype == one_pass.dtype == torch.float32
    torch.testing.assert_close(one_pass, two_passes.detach())
    full = norm(up(down(x)), x.replace(shortcut), rectify=True).features
    assert 2**-14 < relative(one_pass, full) < 2**-7


def test_no_voxels(compiled: str) -> None:
    x = native.sparse_tensor(torch.zeros(0, 4, dtype=torch.int32), torch.zeros(0, 3))
    layer = native.Convolution(3, 5, kernel_size=3)
    with autocast():
        y = layer(x).features
    y.sum().backward()
    assert y.shape == (0, 5)
    assert layer.kernel.grad is not None
    assert not layer.kernel.grad.any()


def test_weights_are_rounded_as_torch_does(compiled: str) -> None:
    """To nearest, ties to even, overflow to infinity; NaN and zeros stay."""
    tiny, largest = 2.0**-126, torch.finfo(torch.float32).max
    special = [0.0, -0.0, 1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, tiny, largest, -largest]
    special += [math.inf, -math.inf, math.nan, torch.finfo(torch.bfloat16).max]
    weights = torch.cat([torch.tensor(special), normals(500)])
    above = torch.nextafter(weights, torch.tensor(math.inf))
    below = torch.nextafter(weights, torch.tensor(-math.inf))
    weights = torch.cat([weights, above, below])
    weights = weights[(weights.abs() >= tiny) | (weights == 0) | weights.isnan()]
    x = native.sparse_tensor(torch.zeros(1, 4, dtype=torch.int32), torch.ones(1, 1))
    kernel_map, _ = native.Convolution(1, 1, kernel_size=1, stride=2).kernel_map(x)
    for transposed in (False, True):
        actual = compiled_convolution.convolve(
            compiled_convolution.rounded(x.features),
            weights.reshape(1, -1, 1) if transposed else weights.reshape(1, 1, -1),
            convolution._map_entries(convolution._flattened(kernel_map)),
            transposed=transposed,
        )[0]
        torch.testing.assert_close(
            actual, weights.bfloat16().float(), rtol=0, atol=0, equal_nan=True
        )


@pytest.mark.parametrize("shape", [(33, 70), (96, 96)], ids=str)
def test_any_number_of_threads_gives_the_same_bits(
    shape: tuple[int, int], compiled: str, set_threads: Callable[[int], None]
) -> None:
    kernel_map = map_of(1500, 3, 1)
    given = operands(kernel_map, *shape, normals)
    results = []
    for threads in (1, 2, 3):
        set_threads(threads)
        results.append(run(*given, kernel_map))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("depth", [7, 64])
def test_error_against_float32(depth: int) -> None:
    """Norm of the error over that of the result: 0.0023, as expected for two rounded operands.

    The relative error of a rounded number is up to 2^-8, 0.0017 in the root mean square. Signs are
    random, so the error of a sum of products is the square root of 2 of that, for any number.
    """
    kernel_map = map_of(600, 3, 1)
    features, kernel, grad = operands(kernel_map, depth, 32, normals)
    rounded = run(features, kernel, grad, kernel_map)
    result = sparse_convolution(features, kernel, kernel_map)
    full = [result, *torch.autograd.grad(result, (features, kernel), grad)]
    for actual, expected in zip(rounded, full, strict=True):
        assert relative(actual, expected) == pytest.approx(0.0023, abs=0.0003)


# --- as operators of torch -------------------------------------------------------------------


def test_operators_keep_the_rules_of_torch() -> None:
    kernel_map = map_of(20, 3, 1)
    features, kernel, grad = operands(kernel_map, 3, 4, normals)
    flat_map = convolution._flattened(kernel_map)
    torch.library.opcheck(convolution._convolve_bfloat16, (features, kernel, flat_map))
    rounded = compiled_convolution.rounded(features.detach())
    for wanted in ((True, True), (True, False), (False, True)):
        arguments = (grad, rounded, kernel.detach(), flat_map, *wanted)
        torch.library.opcheck(convolution._gradient_bfloat16, arguments)


def test_only_wanted_gradients_are_made() -> None:
    kernel_map = map_of(20, 3, 1)
    features, kernel, grad = operands(kernel_map, 3, 4, normals)
    _, *both = run(features, kernel, grad, kernel_map)
    for number, name in enumerate(("features", "kernel")):
        given: dict[str, Any] = {"features": features.detach(), "kernel": kernel.detach()}
        given[name].requires_grad_()
        with autocast():
            result = sparse_convolution(kernel_map=kernel_map, **given)
        result.backward(grad)
        assert torch.equal(given[name].grad, both[number])
        given[name].requires_grad_(False)


def test_backward_keeps_the_rounded_features() -> None:
    """Half the memory of float32, and no other reference to the features remains."""
    kernel_map = map_of(20, 3, 1)
    features, kernel, _ = operands(kernel_map, 6, 4, normals)
    kept: list[torch.Tensor] = []
    hooks = torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x)
    with hooks, autocast():
        sparse_convolution(features, kernel, kernel_map)
    rows = len(features)
    assert [x.dtype for x in kept if x.shape == (rows, 6)] == [torch.bfloat16]


# --- when ------------------------------------------------------------------------------------


def differs_under(context: Any) -> bool:
    kernel_map = map_of(20, 3, 1)
    features, kernel, _ = operands(kernel_map, 6, 4, normals)
    with context:
        inside = sparse_convolution(features, kernel, kernel_map)
    assert inside.dtype == torch.float32
    return not torch.equal(inside, sparse_convolution(features, kernel, kernel_map))


def test_autocast_to_bfloat16_alone_asks_for_it() -> None:
    assert differs_under(autocast())
    assert not differs_under(torch.autocast("cpu", dtype=torch.bfloat16, enabled=False))
    assert not differs_under(torch.autocast("cpu", dtype=torch.float16))


def test_double_precision_stays() -> None:
    kernel_map = map_of(20, 3, 1)
    features, kernel, _ = operands(kernel_map, 6, 4, lambda *shape: normals(*shape).double())
    expected = sparse_convolution(features, kernel, kernel_map)
    with autocast():
        assert torch.equal(sparse_convolution(features, kernel, kernel_map), expected)


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch, compiled: str) -> None:
    assert kernel_library.bfloat16_runs()
    monkeypatch.setenv(BFLOAT16_SWITCH, "0")
    assert not kernel_library.bfloat16_runs()
    assert not differs_under(autocast())
    for unset in (lambda: monkeypatch.setenv(BFLOAT16_SWITCH, ""), monkeypatch.undo):
        unset()
        assert kernel_library.bfloat16_runs() == (compiled == "avx512_bf16")
    monkeypatch.setenv(BFLOAT16_SWITCH, "1")
    with pytest.raises(InputError, match=f"{BFLOAT16_SWITCH} is '1'; use emulate or 0, or"):
        kernel_library.bfloat16_runs()


def test_not_without_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_library, "load", lambda: None)
    assert not kernel_library.bfloat16_runs()


# --- whole networks --------------------------------------------------------------------------

COORDINATES = random_coordinates(1500, extent=12)
PLACES = COORDINATES[:, 1:].float()
TARGET = torch.sin(PLACES.sum(1, keepdim=True) * torch.linspace(0.1, 0.4, 8))


def network(variant: Any = "14A") -> Res16UNet:
    torch.manual_seed(0)
    return Res16UNet(3, 8, variant, width=0.25)


def encode(net: Res16UNet) -> torch.Tensor:
    return net.encode(COORDINATES, torch.sin(PLACES * 0.3))


def train(net: Res16UNet, steps: int, context: Any = full_precision) -> list[float]:
    """The loss before each step."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        with context():
            features = encode(net)
        loss = (features - TARGET).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("variant", ["14A", "50"])
def test_error_of_a_network(variant: str) -> None:
    """Norms of errors over norms of values, after ten steps of training: features ~0.01.

    Repeated batch norm makes it ~0.13 in the gradients, and 0.05 if only the input is rounded; the
    two gradients have the same direction (cosine 0.99). A network with initial weights is worse
    conditioned: 0.02 and 0.3 for 14A.
    """
    net = network(variant)
    train(net, 10)
    results = []
    for context in (full_precision, autocast):
        net.zero_grad()
        with context():
            features = encode(net)
        (features - TARGET).square().mean().backward()
        gradients = [p.grad.flatten() for p in net.parameters() if p.grad is not None]
        results.append((features.detach(), torch.cat(gradients)))
    (full, full_gradients), (rounded, gradients) = results
    assert 2**-10 < relative(rounded, full) < 0.03
    assert relative(gradients, full_gradients) < 0.3
    assert torch.cosine_similarity(gradients, full_gradients, dim=0) > 0.97


def test_training_under_autocast_follows_float32() -> None:
    full, rounded = (train(network(), 10, mode) for mode in (full_precision, autocast))
    assert full[-1] < 0.8 * full[0]
    assert rounded == pytest.approx(full, rel=0.02)


def test_evaluation_under_autocast() -> None:
    net = network()
    train(net, 3)
    net.eval()
    with torch.no_grad():
        full = encode(net)
        with autocast():
            rounded = encode(net)
    assert 2**-12 < relative(rounded, full) < 0.03


@pytest.mark.parametrize("training", [True, False])
def test_shortcut_in_half_precision(training: bool) -> None:
    """Under autocast a 1x1 layer returns a bfloat16 shortcut to a block with float32 features."""
    coordinates = random_coordinates(40)
    x = native.sparse_tensor(coordinates, random_features(len(coordinates), 4).float())
    norm: BatchNorm = native.BatchNorm(4)
    norm.train(training)
    convolve = native.Convolution(4, 4, kernel_size=3)
    half = random_features(len(coordinates), 4, seed=1).bfloat16().requires_grad_()
    same = half.detach().float().requires_grad_()
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients):
            actual = norm.after(convolve, x, x.replace(half), rectify=True).features
            expected = norm.after(convolve, x, x.replace(same), rectify=True).features
        assert torch.equal(actual, expected)
        if gradients:
            actual.sum().backward()
            expected.sum().backward()
    assert half.grad is not None
    assert same.grad is not None
    assert torch.equal(half.grad, same.grad.bfloat16())
