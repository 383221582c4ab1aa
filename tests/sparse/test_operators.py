"""The registered operators under torch's machinery: autograd, torch.func, torch.compile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch.library import opcheck

from pointcontrast.sparse import convolution, native, normalization
from pointcontrast.sparse.kernel_map import KernelMap
from pointcontrast.sparse.native_tensor import NativeSparseTensor
from tests.oracles.engines import random_coordinates, random_features

COORDINATES = random_coordinates(40, extent=2)
CHECKS = ("test_schema", "test_autograd_registration", "test_faketensor")


@pytest.fixture(params=["same", "strided", "transposed"])
def kernel_map(request: pytest.FixtureRequest, arithmetic: str) -> KernelMap:
    manager = native.sparse_tensor(COORDINATES, torch.zeros(len(COORDINATES), 1)).manager
    factor = (1, 1, 1) if request.param == "same" else (2, 2, 2)
    found = manager.kernel_map((1, 1, 1), factor, (2, 3, 1), (1, 1, 1), "hypercube")
    return found.transposed() if request.param == "transposed" else found


def operands(
    kernel_map: KernelMap, channels: tuple[int, int] = (2, 3), dtype: torch.dtype = torch.float64
) -> tuple[torch.Tensor, torch.Tensor]:
    taps = len(kernel_map.tap_starts) - 1
    features = random_features(kernel_map.inputs.num_rows, channels[0])
    kernel = random_features(taps * channels[0], channels[1], seed=1)
    kernel = kernel.reshape(taps, *channels)
    return tuple(t.to(dtype).requires_grad_() for t in (features, kernel))  # pyright: ignore


def test_gradients(kernel_map: KernelMap) -> None:
    """First and second derivatives, by finite differences."""

    def run(features: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        return convolution.sparse_convolution(features, kernel, kernel_map)

    inputs = operands(kernel_map)
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


@pytest.mark.parametrize("transposed", [False, True])
def test_gradients_of_the_gradient_operator(kernel_map: KernelMap, transposed: bool) -> None:
    """The kernel's gradient, and the convolution with transposed matrices."""
    flat_map = convolution._flattened(kernel_map)
    features, kernel = operands(kernel_map)
    if transposed:
        kernel = kernel.detach().transpose(1, 2).contiguous().requires_grad_()
        run = lambda x, w: convolution._convolve(x, w, flat_map, True)  # noqa: E731
        assert torch.autograd.gradcheck(run, (features, kernel))
        return
    grad = random_features(kernel_map.outputs.num_rows, 3, seed=2).requires_grad_()
    run = lambda x, g: convolution._kernel_gradient(x, g, flat_map)  # noqa: E731
    assert torch.autograd.gradcheck(run, (features, grad))
    assert torch.autograd.gradgradcheck(run, (features, grad), fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_registration_of_the_convolution(kernel_map: KernelMap, dtype: torch.dtype) -> None:
    """No argument is written to or aliased, and the fake result has the shape of the real one."""
    features, kernel = operands(kernel_map, dtype=dtype)
    flat_map = convolution._flattened(kernel_map)
    grad = torch.ones(kernel_map.outputs.num_rows, 3, dtype=dtype, requires_grad=True)
    transposed = kernel.detach().transpose(1, 2).requires_grad_()
    for arguments in (
        (features, kernel, flat_map, False),
        (features, transposed, flat_map, True),
    ):
        opcheck(convolution._convolve, arguments, test_utils=CHECKS)
    opcheck(convolution._kernel_gradient, (features, grad, flat_map), test_utils=CHECKS)


@pytest.mark.parametrize("rectify", [False, True])
def test_registration_of_the_batch_norm(library, rectify: bool) -> None:
    x, shortcut, grad = (random_features(300, 5, seed=s).float() for s in range(3))
    weight, bias = random_features(2, 5, seed=3).float()
    tensors = [t.clone().requires_grad_() for t in (x, weight, bias, shortcut)]
    for added in (tensors[3], None):
        arguments = (*tensors[:3], added, 1e-5, rectify)
        opcheck(normalization._normalize_batch, arguments, test_utils=CHECKS)
    out, mean, variance = normalization._normalize_batch(x, weight, bias, shortcut, 1e-5, rectify)
    for with_shortcut in (False, True):
        arguments = (grad, x, out if rectify else None, mean, variance.rsqrt(), weight)
        checks = ("test_schema", "test_faketensor")  # it has no gradient of its own
        opcheck(normalization._gradient, (*arguments, with_shortcut), test_utils=checks)


def test_batch_norm_has_no_second_derivative(library) -> None:
    x = random_features(30, 5).requires_grad_()
    weight, bias = torch.ones(2, 5, dtype=torch.float64)
    y, _, _ = normalization.normalize_batch(x, weight, bias, None, 1e-5, True)
    (grad,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no autograd formula was registered"):
        grad.sum().backward()


def test_func_grad_says_that_it_cannot(kernel_map: KernelMap) -> None:
    features, kernel = (t.detach() for t in operands(kernel_map))
    run = lambda x: convolution.sparse_convolution(x, kernel, kernel_map).sum()  # noqa: E731
    with pytest.raises(RuntimeError, match="functorch transforms"):
        torch.func.grad(run)(features)


def test_func_vmap_says_that_it_cannot(kernel_map: KernelMap) -> None:
    features, kernel = (t.detach() for t in operands(kernel_map))
    run = lambda x: convolution.sparse_convolution(x, kernel, kernel_map)  # noqa: E731
    with pytest.raises(
        RuntimeError, match="Batching rule not implemented for pointcontrast::convolve"
    ):
        torch.func.vmap(run)(torch.stack([features, 2 * features]))


def test_inference_mode_and_frozen_inputs(kernel_map: KernelMap) -> None:
    features, kernel = operands(kernel_map)
    expected = convolution.sparse_convolution(features, kernel, kernel_map).detach()
    with torch.inference_mode():
        found = convolution.sparse_convolution(features, kernel, kernel_map)
        assert torch.equal(found, expected)
    grad = torch.ones_like(expected)
    alone = []
    for inputs in ((features, kernel.detach()), (features.detach(), kernel)):
        y = convolution.sparse_convolution(*inputs, kernel_map)
        alone += torch.autograd.grad(y, [t for t in inputs if t.requires_grad], grad)
    y = convolution.sparse_convolution(features, kernel, kernel_map)
    both = torch.autograd.grad(y, (features, kernel), grad)
    assert all(torch.equal(a, b) for a, b in zip(alone, both, strict=True))


@pytest.mark.parametrize("layout", ["transposed", "strided", "expanded", "offset"])
def test_memory_in_any_order(kernel_map: KernelMap, layout: str) -> None:
    """Operands and incoming gradients that are views."""
    features, kernel = (t.detach() for t in operands(kernel_map))
    grad = random_features(kernel_map.outputs.num_rows, 3, seed=2)
    arranged = {
        "transposed": lambda t: t.transpose(0, -1).contiguous().transpose(0, -1),
        "strided": lambda t: t.repeat_interleave(2, dim=-1)[..., ::2],
        "expanded": lambda t: t[:1].expand_as(t),
        "offset": lambda t: torch.cat([t[:1], t])[1:],
    }[layout]
    views = [arranged(t) for t in (features, kernel, grad)]
    assert layout == "offset" or not any(t.is_contiguous() for t in views if len(t) > 1)
    plain = [t.contiguous().clone() for t in views]
    results = []
    for x, w, g in (views, plain):
        x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
        y = convolution.sparse_convolution(x, w, kernel_map)
        results.append([y.detach(), *torch.autograd.grad(y, (x, w), g)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


class Stack(torch.nn.Module):
    """Convolution, norm, rectifier and a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.first = native.Convolution(3, 5, kernel_size=3)
        self.norm = native.BatchNorm(5)
        self.second = native.Convolution(5, 5, kernel_size=3, bias=True)
        self.last = native.BatchNorm(5)

    def forward(self, x: NativeSparseTensor) -> torch.Tensor:
        y = self.norm.after(self.first, x, rectify=True)
        return self.last.after(self.second, y, y, rectify=True).features


@pytest.fixture
def dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("training", [True, False])
def test_compile(library, training: bool, dynamo: None) -> None:
    """The same result and gradients, also on other coordinates than those of compilation."""
    torch.manual_seed(0)
    net = Stack().train(training)
    compiled = torch.compile(net, backend="aot_eager")
    for num in (40, 25):
        results = []
        for run in (net, compiled):
            state = {name: value.clone() for name, value in net.state_dict().items()}
            net.zero_grad()
            features = random_features(num, 3).float()[: len(COORDINATES[:num])].requires_grad_()
            x = native.sparse_tensor(COORDINATES[:num], features)
            with torch.set_grad_enabled(training):
                y = run(x)
            if training:
                y.square().sum().backward()
            grads = [p.grad for p in (features, *net.parameters()) if p.grad is not None]
            results.append([y.detach(), *(g.clone() for g in grads), *net.buffers()])
            results[-1] = [t.clone() for t in results[-1]]
            net.load_state_dict(state)
        assert len(results[0]) == len(results[1]) == (1 + 8 + 6 if training else 1 + 6)
        for expected, found in zip(*results, strict=True):
            torch.testing.assert_close(found, expected)
