"""The native engine's batch norm, fused with the layers around it, against torch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pointcontrast.sparse import compiled_normalization, native
from pointcontrast.sparse.native_tensor import NativeSparseTensor
from pointcontrast.sparse.normalization import normalize_batch
from tests.oracles.engines import random_coordinates, random_features

COORDINATES = random_coordinates(1200, extent=8)
DTYPES = [torch.float32, torch.float64]
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}


def normal(num: int, channels: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    return random_features(num, channels, seed=seed).to(dtype)


def tensor(features: torch.Tensor) -> NativeSparseTensor:
    return native.sparse_tensor(COORDINATES[: len(features)], features)


def norms(
    channels: int, dtype: torch.dtype, *, momentum: float | None = 0.3
) -> tuple[native.BatchNorm, nn.BatchNorm1d]:
    """The native layer, and torch's in float64 with the same weights and statistics."""
    fused = native.BatchNorm(channels)
    fused.bn.momentum = momentum
    values = normal(4, channels, dtype, seed=9)
    with torch.no_grad():
        for index, value in enumerate((fused.bn.weight, fused.bn.bias, fused.bn.running_mean)):
            assert value is not None
            value.copy_(values[index])
        assert fused.bn.running_var is not None
        fused.bn.running_var.copy_(values[3].square() + 0.1)
    fused = fused.to(dtype)
    reference = nn.BatchNorm1d(channels, momentum=momentum).double()
    reference.load_state_dict(fused.bn.state_dict())
    return fused, reference


def assert_near(found: torch.Tensor | None, expected: torch.Tensor, scale: float = 1) -> None:
    assert found is not None
    tolerance = TOLERANCE[found.dtype] * scale
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("with_shortcut", [False, True])
@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize(
    ("num", "channels"), [(2, 3), (255, 1), (256, 16), (257, 17), (1000, 7), (700, 40)]
)
def test_training(
    arithmetic: str, num: int, channels: int, rectify: bool, with_shortcut: bool, dtype: torch.dtype
) -> None:
    fused, reference = norms(channels, dtype)
    x = normal(num, channels, dtype).mul(3).add(1).requires_grad_()
    shortcut = normal(num, channels, dtype, seed=1).requires_grad_()
    grad = normal(num, channels, dtype, seed=2)
    base = tensor(x)
    y = fused(base, base.replace(shortcut) if with_shortcut else None, rectify=rectify).features
    y.backward(grad)

    x64, shortcut64 = (t.detach().double().requires_grad_() for t in (x, shortcut))
    expected = reference(x64) + (shortcut64 if with_shortcut else 0)
    # the sign of a number as small as the rounding error is arbitrary: take it from the result
    passed = y.detach() > 0 if rectify else torch.ones_like(y, dtype=torch.bool)
    expected.backward(grad.double() * passed)
    with torch.no_grad():
        assert_near(y, expected.clamp_min(0) if rectify else expected)
    assert x64.grad is not None
    assert_near(x.grad, x64.grad, scale=10 if num > 2 else 1000)
    assert reference.weight.grad is not None
    assert reference.bias.grad is not None
    assert_near(fused.bn.weight.grad, reference.weight.grad, scale=num**0.5)
    assert_near(fused.bn.bias.grad, reference.bias.grad, scale=num**0.5)
    if with_shortcut:
        assert shortcut64.grad is not None
        assert torch.equal(shortcut.grad, shortcut64.grad.to(dtype))  # pyright: ignore
    else:
        assert shortcut.grad is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("mean", "deviation"), [(1e4, 1.0), (-300.0, 1e-2), (0.0, 1e-4)])
def test_mean_far_beyond_the_deviation(
    compiled: str, mean: float, deviation: float, dtype: torch.dtype
) -> None:
    """The error is close to that of the input's own precision."""
    fused, reference = norms(17, dtype)
    x = (normal(1000, 17, torch.float64) * deviation + mean).to(dtype).requires_grad_()
    grad = normal(1000, 17, dtype, seed=2)
    y = fused(tensor(x)).features
    y.backward(grad)
    x64 = x.detach().double().requires_grad_()
    expected = reference(x64)
    expected.backward(grad.double())
    spacing = abs(mean) / deviation * torch.finfo(dtype).eps  # spacing of the input, in deviations
    scale = 1 + 8 * spacing / TOLERANCE[dtype]
    assert_near(y, expected.detach(), scale)
    assert x64.grad is not None
    assert_near(x.grad, x64.grad, scale * 10 / deviation)
    assert fused.bn.running_var is not None
    scale = 1 + (16 * spacing) ** 2 / TOLERANCE[dtype]
    assert_near(fused.bn.running_var, reference.running_var, scale)  # pyright: ignore


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0, None])
def test_running_statistics(arithmetic: str, momentum: float | None, dtype: torch.dtype) -> None:
    """Also with ``momentum=None``, the average over all batches."""
    fused, reference = norms(5, dtype, momentum=momentum)
    for step in range(4):
        x = normal(50 + 300 * step, 5, dtype, seed=step) * (step + 1)
        fused(tensor(x))
        reference(x.double())
    for name, expected in reference.state_dict().items():
        found = fused.bn.state_dict()[name]
        if name == "num_batches_tracked":
            assert found == expected == 4
        else:
            assert_near(found, expected)


def test_gradcheck(compiled: str) -> None:
    for rectify in (False, True):
        inputs = [normal(9, 3, torch.float64), *normal(2, 3, torch.float64, seed=1)]
        inputs.append(normal(9, 3, torch.float64, seed=2))
        inputs = [value.clone().requires_grad_() for value in inputs]

        def result(*values: torch.Tensor, rectify: bool = rectify) -> torch.Tensor:
            return normalize_batch(*values, 1e-5, rectify)[0]  # pyright: ignore

        assert torch.autograd.gradcheck(result, inputs)
        without = lambda x, w, b, rectify=rectify: normalize_batch(x, w, b, None, 1e-5, rectify)[0]  # noqa: E731
        assert torch.autograd.gradcheck(without, inputs[:3])


@pytest.mark.parametrize("rectify", [False, True])
def test_gradient_in_evaluation(arithmetic: str, rectify: bool) -> None:
    """Finetuning with frozen statistics."""
    fused, reference = norms(7, torch.float64)
    fused.eval()
    reference.eval()
    x = normal(50, 7, torch.float64).requires_grad_()
    convolution = native.Convolution(7, 7, kernel_size=3, bias=True).double()
    base = tensor(x)
    y = fused.after(convolution, base, base, rectify=rectify).features
    expected = reference(convolution(base).features) + x
    expected = torch.relu(expected) if rectify else expected
    grad = normal(50, 7, torch.float64, seed=2)
    fused_inputs = (x, fused.bn.weight, fused.bn.bias, convolution.kernel, convolution.bias)
    reference_inputs = (x, reference.weight, reference.bias, convolution.kernel, convolution.bias)
    found = torch.autograd.grad(y, fused_inputs, grad)
    wanted = torch.autograd.grad(expected, reference_inputs, grad)  # pyright: ignore
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    assert fused.bn.num_batches_tracked == 0


FOLDED = {
    "plain": ("Convolution", {"kernel_size": 3}),
    "bias": ("Convolution", {"kernel_size": 3, "bias": True}),
    "strided": ("Convolution", {"kernel_size": 2, "stride": 2, "bias": True}),
    "linear": ("Convolution", {"kernel_size": 1, "bias": True}),
    "transposed": ("ConvolutionTranspose", {"kernel_size": 2, "stride": 2, "bias": True}),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("with_shortcut", [False, True])
@pytest.mark.parametrize("channels", [(3, 16), (16, 19), (7, 70)])
@pytest.mark.parametrize("case", FOLDED)
def test_folding(
    arithmetic: str,
    case: str,
    channels: tuple[int, int],
    with_shortcut: bool,
    rectify: bool,
    dtype: torch.dtype,
) -> None:
    """A convolution and its norm in evaluation, fused and one after the other."""
    kind, options = FOLDED[case]
    convolution = getattr(native, kind)(*channels, **options).to(dtype)
    fused, reference = norms(channels[1], dtype)
    fused.eval()
    reference.eval()
    x = tensor(normal(len(COORDINATES), 1, dtype))
    if kind == "ConvolutionTranspose":
        x = native.SumPooling(kernel_size=2, stride=2)(x)
    x = x.replace(normal(len(x.features), channels[0], dtype))
    with torch.no_grad():
        y = convolution(x)
        expected = reference(y.features.double())
        shortcut = (
            y.replace(normal(len(expected), channels[1], dtype, seed=3)) if with_shortcut else None
        )
        if shortcut is not None:
            expected += shortcut.features
        found = fused.after(convolution, x, shortcut, rectify=rectify)
        assert_near(found.features, expected.clamp_min(0) if rectify else expected, scale=4)
        assert found.stride == y.stride
        assert torch.equal(found.coordinates, y.coordinates)
        separate = fused(y, shortcut, rectify=rectify)
        assert_near(separate.features, expected.clamp_min(0) if rectify else expected, scale=4)


def test_folding_is_one_pass_unless_there_is_a_hook(
    library, monkeypatch: pytest.MonkeyPatch
) -> None:
    convolution = native.Convolution(3, 5, kernel_size=3)
    layer = norms(5, torch.float32)[0].eval()
    x = tensor(normal(50, 3, torch.float32))
    calls: list[str] = []
    monkeypatch.setattr(
        compiled_normalization,
        "normalize",
        lambda *a, f=compiled_normalization.normalize: calls.append("second") or f(*a),
    )
    with torch.no_grad():
        expected = layer.after(convolution, x).features
        assert calls == []
        for module in (convolution, layer):
            for register in (module.register_forward_hook, module.register_forward_pre_hook):
                handle = register(lambda *_: calls.append("hook"))
                found = layer.after(convolution, x).features
                assert calls == (["hook", "second"] if module is convolution
                                 or register == module.register_forward_pre_hook
                                 else ["second", "hook"])  # fmt: skip
                torch.testing.assert_close(found, expected)
                handle.remove()
                calls.clear()
        layer.after(convolution, x)
        assert calls == []


def test_frozen_by_the_inner_module(arithmetic: str) -> None:
    """``bn.eval()`` on every nn.BatchNorm1d is how statistics are frozen in finetuning."""
    fused, reference = norms(5, torch.float32)
    for module in fused.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.eval()
    x = normal(50, 5, torch.float32)
    y = fused(tensor(x)).features
    assert fused.bn.num_batches_tracked == 0
    assert_near(y.detach(), reference.eval()(x.double()).detach())


def test_hooks_on_the_module_inside_fire(arithmetic: str) -> None:
    """Tools that watch activations register on every nn.BatchNorm1d."""
    fused, _ = norms(5, torch.float32)
    calls = []
    fused.bn.register_forward_hook(lambda *_: calls.append(1))
    x = tensor(normal(50, 5, torch.float32))
    fused(x)
    assert len(calls) == 1
    with torch.no_grad():
        fused.eval().after(native.Convolution(5, 5, kernel_size=3), x)
    assert len(calls) == 2


def test_autocast_shortcut_of_lower_precision(arithmetic: str) -> None:
    """Under autocast the 1x1 layer of a shortcut returns bfloat16, which is added."""
    layer, reference = norms(8, torch.float32)
    x, shortcut = normal(300, 8, torch.float32), normal(300, 8, torch.float32, seed=1).bfloat16()
    base = tensor(x)
    expected = (reference(x.double()) + shortcut.double()).detach()
    found = layer(base, base.replace(shortcut)).features
    torch.testing.assert_close(found.detach().double(), expected, rtol=0.02, atol=0.02)
    with torch.no_grad():
        layer.eval()
        reference.eval()
        expected = reference(x.double()) + shortcut
        found = layer(base, base.replace(shortcut)).features
        torch.testing.assert_close(found.double(), expected, rtol=0.02, atol=0.02)
        convolution = native.Convolution(8, 8, kernel_size=3)
        expected = reference(convolution(base).features.double()) + shortcut
        found = layer.after(convolution, base, base.replace(shortcut)).features
        torch.testing.assert_close(found.double(), expected, rtol=0.02, atol=0.02)
