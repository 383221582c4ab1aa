"""NaN and infinity appear in exactly the outputs that read them, on every implementation."""

from __future__ import annotations

import pytest
import torch

from pointcontrast.sparse import native
from pointcontrast.sparse.convolution import entries_by_tap
from tests.oracles.engines import random_coordinates, random_features

NAN, INF = float("nan"), float("inf")
COORDINATES = random_coordinates(400, extent=5)
ROW, CHANNEL, TAP, OUT = 77, 2, 5, 9
DTYPES = [torch.float32, torch.float64]
CHANNELS = [(5, 16), (17, 19), (3, 33)]


def positive(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    """Positive numbers, so that infinities never cancel."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.rand(*shape, generator=generator, dtype=torch.float64).add(0.1).to(dtype)


def convolution(
    channels: tuple[int, int], dtype: torch.dtype, kind: type[native.Convolution], **options
) -> native.Convolution:
    layer = kind(*channels, **options).to(dtype)
    layer.kernel = torch.nn.Parameter(positive(*layer.kernel.shape, dtype=dtype))
    return layer


def norm(channels: int, dtype: torch.dtype) -> native.BatchNorm:
    layer = native.BatchNorm(channels).to(dtype)
    assert layer.bn.running_mean is not None
    layer.bn.running_mean.copy_(positive(channels, dtype=dtype))
    return layer


def same_kind(found: torch.Tensor, where: torch.Tensor, value: float) -> bool:
    """Check that ``found`` is ``value`` exactly at ``where``, and finite elsewhere."""
    is_value = found.isnan() if value != value else found == value
    return torch.equal(is_value, where.expand_as(found)) and bool(found[~is_value].isfinite().all())


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("stride", [1, 2, -2])
def test_in_a_feature(
    arithmetic: str, stride: int, channels: tuple[int, int], dtype: torch.dtype, value: float
) -> None:
    """Features: the rows that read it. Kernel gradient: its taps and channel."""
    kind = native.Convolution if stride > 0 else native.ConvolutionTranspose
    options = {"kernel_size": 3, "stride": abs(stride)}
    layer = convolution(channels, dtype, kind, **options)
    x = native.sparse_tensor(COORDINATES, torch.zeros(len(COORDINATES), 1))
    if stride < 0:
        x = native.SumPooling(kernel_size=2, stride=2)(x)
    features = positive(len(x.features), channels[0], dtype=dtype)
    features[ROW, CHANNEL] = value
    x = x.replace(features)
    kernel_map, _ = layer.kernel_map(x)
    taps = list(entries_by_tap(kernel_map))
    readers = torch.zeros(kernel_map.outputs.num_rows, 1, dtype=torch.bool)
    for reads, writes in taps:
        readers[writes[reads == ROW].long()] = True
    assert 0 < readers.sum() < len(readers) / 2
    y = layer(x).features
    assert same_kind(y.detach(), readers, value)
    y.backward(positive(*y.shape, dtype=dtype))
    expected = torch.zeros(len(taps), channels[0], 1, dtype=torch.bool)
    expected[[bool((reads == ROW).any()) for reads, _ in taps], CHANNEL] = True
    assert layer.kernel.grad is not None
    assert same_kind(layer.kernel.grad, expected, value)


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_in_a_weight(
    arithmetic: str, channels: tuple[int, int], dtype: torch.dtype, value: float
) -> None:
    """Kernel: one column of the rows that its tap writes, also in the gradient of the features."""
    layer = convolution(channels, dtype, native.Convolution, kernel_size=3)
    with torch.no_grad():
        layer.kernel[TAP, CHANNEL, OUT] = value
    features = positive(len(COORDINATES), channels[0], dtype=dtype).requires_grad_()
    x = native.sparse_tensor(COORDINATES, features)
    reads, writes = list(entries_by_tap(layer.kernel_map(x)[0]))[TAP]
    assert 0 < len(reads) < len(COORDINATES)
    written = torch.zeros(len(COORDINATES), channels[1], dtype=torch.bool)
    written[writes.long(), OUT] = True
    y = layer(x).features
    assert same_kind(y.detach(), written, value)
    y.backward(positive(*y.shape, dtype=dtype))
    read = torch.zeros(len(COORDINATES), channels[0], dtype=torch.bool)
    read[reads.long(), CHANNEL] = True
    assert features.grad is not None
    assert same_kind(features.grad, read, value)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [3, 16, 19])
def test_evaluated_batch_norm(
    arithmetic: str, channels: int, dtype: torch.dtype, value: float
) -> None:
    """A single element; the rectifier turns -inf into 0 and keeps NaN."""
    layer = norm(channels, dtype).eval()
    features = positive(len(COORDINATES), channels, dtype=dtype)
    features[ROW, CHANNEL] = value
    other = features.clone()
    other[ROW + 1, CHANNEL] = value
    x = native.sparse_tensor(COORDINATES, features)
    where = torch.zeros_like(features, dtype=torch.bool)
    where[ROW, CHANNEL] = True
    with torch.no_grad():
        assert same_kind(layer(x).features, where, value)
        rectified = layer(x, rectify=True).features
        with_shortcut = layer(x, x.replace(other)).features
    if value == -INF:
        assert rectified.isfinite().all()
        assert rectified[ROW, CHANNEL] == 0
    else:
        assert same_kind(rectified, where, value)
    where[ROW + 1, CHANNEL] = True
    assert same_kind(with_shortcut, where, value)


@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [NAN, INF])
def test_training_batch_norm(
    arithmetic: str, value: float, dtype: torch.dtype, rectify: bool
) -> None:
    """The whole channel is affected; all others are unchanged, also in the backward pass."""
    layer = norm(19, dtype)
    features = positive(len(COORDINATES), 19, dtype=dtype)
    plain = native.sparse_tensor(COORDINATES, features.clone())
    expected = layer(plain, rectify=rectify).features.detach()
    features[ROW, 17] = value
    features.requires_grad_()
    y = layer(native.sparse_tensor(COORDINATES, features), rectify=rectify).features
    others = torch.arange(19) != 17
    assert y[ROW, 17].isnan()
    assert not y[:, 17].isfinite().any()
    assert torch.equal(y[:, others], expected[:, others])
    y.backward(positive(*y.shape, dtype=dtype))
    assert features.grad is not None
    assert features.grad[ROW, 17].isnan()
    assert features.grad[:, others].isfinite().all()
    assert layer.bn.running_mean is not None
    assert layer.bn.running_mean.isfinite().tolist() == others.tolist()


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("channels", [(5, 16), (3, 19)])
def test_folded(arithmetic: str, channels: tuple[int, int], rectify: bool, value: float) -> None:
    """Convolution, batch norm and rectifier in one pass agree with one after the other."""
    layer = convolution(channels, torch.float32, native.Convolution, kernel_size=3, bias=True)
    last = norm(channels[1], torch.float32).eval()
    features = random_features(len(COORDINATES), channels[0]).float()
    features[ROW, CHANNEL] = value
    x = native.sparse_tensor(COORDINATES, features)
    shortcut = random_features(len(COORDINATES), channels[1]).float()
    shortcut[ROW + 3, 1] = NAN
    with torch.no_grad():
        y = layer(x)
        found = last.after(layer, x, y.replace(shortcut), rectify=rectify).features
        expected = last.bn(y.features) + shortcut
        expected = torch.relu(expected) if rectify else expected
    assert expected.isnan().any()
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-5, atol=1e-4)
