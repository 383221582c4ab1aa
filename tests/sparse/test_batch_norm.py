"""The native engine's batch norm, fused with what follows and precedes it, against torch's."""

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
    """Ours and torch's in float64, with the same weights and statistics."""
    ours = native.BatchNorm(channels)
    ours.bn.momentum = momentum
    values = normal(4, channels, dtype, seed=9)
    with torch.no_grad():
        for index, value in enumerate((ours.bn.weight, ours.bn.bias, ours.bn.running_mean)):
            assert value is not None
            value.copy_(values[index])
        assert ours.bn.running_var is not None
        ours.bn.running_var.copy_(values[3].square() + 0.1)
    ours = ours.to(dtype)
    theirs = nn.BatchNorm1d(channels, momentum=momentum).double()
    theirs.load_state_dict(ours.bn.state_dict())
    return ours, theirs


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
    ours, theirs = norms(channels, dtype)
    x = normal(num, channels, dtype).mul(3).add(1).requires_grad_()
    shortcut = normal(num, channels, dtype, seed=1).requires_grad_()
    grad = normal(num, channels, dtype, seed=2)
    base = tensor(x)
    y = ours(base, base.replace(shortcut) if with_shortcut else None, rectify=rectify).features
    y.backward(grad)

    x64, shortcut64 = (t.detach().double().requires_grad_() for t in (x, shortcut))
    expected = theirs(x64) + (shortcut64 if with_shortcut else 0)
    # Which side of zero a number of the size of a rounding falls on is ours to say.
    passed = y.detach() > 0 if rectify else torch.ones_like(y, dtype=torch.bool)
    expected.backward(grad.double() * passed)
    with torch.no_grad():
        assert_near(y, expected.clamp_min(0) if rectify else expected)
    assert x64.grad is not None
    assert_near(x.grad, x64.grad, scale=10 if num > 2 else 1000)
    assert theirs.weight.grad is not None
    assert theirs.bias.grad is not None
    assert_near(ours.bn.weight.grad, theirs.weight.grad, scale=num**0.5)
    assert_near(ours.bn.bias.grad, theirs.bias.grad, scale=num**0.5)
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
    """Few digits are lost beyond those that the input itself lacks."""
    ours, theirs = norms(17, dtype)
    x = (normal(1000, 17, torch.float64) * deviation + mean).to(dtype).requires_grad_()
    grad = normal(1000, 17, dtype, seed=2)
    y = ours(tensor(x)).features
    y.backward(grad)
    x64 = x.detach().double().requires_grad_()
    expected = theirs(x64)
    expected.backward(grad.double())
    spacing = abs(mean) / deviation * torch.finfo(dtype).eps  # of the input, in deviations
    scale = 1 + 8 * spacing / TOLERANCE[dtype]
    assert_near(y, expected.detach(), scale)
    assert x64.grad is not None
    assert_near(x.grad, x64.grad, scale * 10 / deviation)
    assert ours.bn.running_var is not None
    scale = 1 + (16 * spacing) ** 2 / TOLERANCE[dtype]
    assert_near(ours.bn.running_var, theirs.running_var, scale)  # pyright: ignore


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0, None])
def test_running_statistics(arithmetic: str, momentum: float | None, dtype: torch.dtype) -> None:
    """Also the plain average over all batches, which ``momentum=None`` asks for."""
    ours, theirs = norms(5, dtype, momentum=momentum)
    for step in range(4):
        x = normal(50 + 300 * step, 5, dtype, seed=step) * (step + 1)
        ours(tensor(x))
        theirs(x.double())
    for name, expected in theirs.state_dict().items():
        found = ours.bn.state_dict()[name]
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
    ours, theirs = norms(7, torch.float64)
    ours.eval()
    theirs.eval()
    x = normal(50, 7, torch.float64).requires_grad_()
    convolution = native.Convolution(7, 7, kernel_size=3, bias=True).double()
    base = tensor(x)
    y = ours.after(convolution, base, base, rectify=rectify).features
    expected = theirs(convolution(base).features) + x
    expected = torch.relu(expected) if rectify else expected
    grad = normal(50, 7, torch.float64, seed=2)
    ours_to = (x, ours.bn.weight, ours.bn.bias, convolution.kernel, convolution.bias)
    theirs_to = (x, theirs.weight, theirs.bias, convolution.kernel, convolution.bias)
    found = torch.autograd.grad(y, ours_to, grad)
    wanted = torch.autograd.grad(expected, theirs_to, grad)  # pyright: ignore
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    assert ours.bn.num_batches_tracked == 0


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
    """A convolution and its norm in evaluation, in one pass and one after the other."""
    kind, options = FOLDED[case]
    convolution = getattr(native, kind)(*channels, **options).to(dtype)
    ours, theirs = norms(channels[1], dtype)
    ours.eval()
    theirs.eval()
    x = tensor(normal(len(COORDINATES), 1, dtype))
    if kind == "ConvolutionTranspose":
        x = native.SumPooling(kernel_size=2, stride=2)(x)
    x = x.replace(normal(len(x.features), channels[0], dtype))
    with torch.no_grad():
        y = convolution(x)
        expected = theirs(y.features.double())
        shortcut = (
            y.replace(normal(len(expected), channels[1], dtype, seed=3)) if with_shortcut else None
        )
        if shortcut is not None:
            expected += shortcut.features
        found = ours.after(convolution, x, shortcut, rectify=rectify)
        assert_near(found.features, expected.clamp_min(0) if rectify else expected, scale=4)
        assert found.stride == y.stride
        assert torch.equal(found.coordinates, y.coordinates)
        separate = ours(y, shortcut, rectify=rectify)
        assert_near(separate.features, expected.clamp_min(0) if rectify else expected, scale=4)


def test_folding_is_one_pass_unless_somebody_listens(
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


def test_frozen_from_inside(arithmetic: str) -> None:
    """``bn.eval()`` on every nn.BatchNorm1d is how statistics are frozen in finetuning."""
    ours, theirs = norms(5, torch.float32)
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.eval()
    x = normal(50, 5, torch.float32)
    y = ours(tensor(x)).features
    assert ours.bn.num_batches_tracked == 0
    assert_near(y.detach(), theirs.eval()(x.double()).detach())


def test_hooks_on_the_module_inside_fire(arithmetic: str) -> None:
    """Tools that watch activations register on every nn.BatchNorm1d."""
    ours, _ = norms(5, torch.float32)
    calls = []
    ours.bn.register_forward_hook(lambda *_: calls.append(1))
    x = tensor(normal(50, 5, torch.float32))
    ours(x)
    assert len(calls) == 1
    with torch.no_grad():
        ours.eval().after(native.Convolution(5, 5, kernel_size=3), x)
    assert len(calls) == 2


def test_autocast_shortcut_of_lower_precision(arithmetic: str) -> None:
    """A 1x1 layer on the shortcut gives bfloat16 under autocast; it is added by its value."""
    layer, theirs = norms(8, torch.float32)
    x, shortcut = normal(300, 8, torch.float32), normal(300, 8, torch.float32, seed=1).bfloat16()
    base = tensor(x)
    expected = (theirs(x.double()) + shortcut.double()).detach()
    found = layer(base, base.replace(shortcut)).features
    torch.testing.assert_close(found.detach().double(), expected, rtol=0.02, atol=0.02)
    with torch.no_grad():
        layer.eval()
        theirs.eval()
        expected = theirs(x.double()) + shortcut
        found = layer(base, base.replace(shortcut)).features
        torch.testing.assert_close(found.double(), expected, rtol=0.02, atol=0.02)
        convolution = native.Convolution(8, 8, kernel_size=3)
        expected = theirs(convolution(base).features.double()) + shortcut
        found = layer.after(convolution, base, base.replace(shortcut)).features
        torch.testing.assert_close(found.double(), expected, rtol=0.02, atol=0.02)
