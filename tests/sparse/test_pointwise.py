"""Layers with the same code on both engines: batch norm, ReLU, concatenation, global pooling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pointcontrast.sparse import (
    BatchNorm,
    GlobalAveragePooling,
    GlobalMaxPooling,
    GlobalSumPooling,
    ReLU,
    SparseTensor,
    concatenate,
    native,
    normalize,
)
from tests.oracles.engines import ENGINES, engine_or_skip, random_coordinates, random_features


@pytest.fixture(params=ENGINES)
def x(request: pytest.FixtureRequest):
    """Samples 0 and 2, none in between."""
    coordinates = random_coordinates(50)
    features = random_features(len(coordinates), 5).requires_grad_()
    return engine_or_skip(request.param).sparse_tensor(coordinates, features)


def test_tensors_keep_the_contract(x) -> None:
    assert isinstance(x, SparseTensor)
    assert x.stride == (1, 1, 1)
    assert x.coordinates.dtype == torch.int32
    assert torch.equal(x.coordinates, random_coordinates(50))


def test_relu(x) -> None:
    y = ReLU()(x)
    assert torch.equal(y.features, x.features.clamp_min(0))
    assert torch.equal(y.coordinates, x.coordinates)


def test_batch_norm_in_training_and_after(x) -> None:
    layer = BatchNorm(5, momentum=0.3).double()
    layer.bn.weight.data.uniform_(0.5, 2, generator=torch.Generator().manual_seed(0))
    rows = x.features.detach().numpy()
    weight = layer.bn.weight.detach().numpy()
    y = layer(x).features
    expected = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5) * weight
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-10)
    mean, variance = 0.3 * rows.mean(0), 0.7 + 0.3 * rows.var(0, ddof=1)
    np.testing.assert_allclose(layer.bn.running_mean.numpy(), mean, rtol=1e-10)
    np.testing.assert_allclose(layer.bn.running_var.numpy(), variance, rtol=1e-10)
    y = layer.eval()(x).features
    expected = (rows - mean) / np.sqrt(variance + 1e-5) * weight
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-10)
    assert list(layer.state_dict()) == [
        f"bn.{n}" for n in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    ]


@pytest.mark.parametrize("num_rows", [0, 1])
def test_batch_norm_does_not_learn_from_one_voxel(num_rows: int) -> None:
    layer = BatchNorm(2)
    coordinates = torch.zeros(num_rows, 4).int()
    x = native.sparse_tensor(coordinates, torch.ones(num_rows, 2))
    with pytest.raises(ValueError, match=rf"cannot train on {num_rows} voxels \(at stride"):
        layer(x)
    assert layer.bn.running_mean is not None
    assert layer.bn.running_mean.isfinite().all()
    assert layer.eval()(x).features.shape == (num_rows, 2)


def test_add_and_concatenate(x) -> None:
    other = x.replace(random_features(len(x.features), 5, seed=1))
    assert torch.equal((x + other).features, x.features + other.features)
    wide = x.replace(random_features(len(x.features), 2, seed=2))
    joined = concatenate(x, wide)
    assert torch.equal(joined.features[:, :5], x.features)
    assert torch.equal(joined.features[:, 5:], wide.features)
    assert torch.equal(joined.coordinates, x.coordinates)


def test_normalize(x) -> None:
    y = normalize(x).features
    norm = np.linalg.norm(x.features.detach().numpy(), axis=1, keepdims=True)
    np.testing.assert_allclose(y.detach().numpy(), x.features.detach().numpy() / norm, rtol=1e-12)


def test_normalize_keeps_zeros_and_scales_small_rows() -> None:
    """A row of zeros stays zero with a finite gradient; a tiny row gets unit length."""
    features = torch.tensor([[0.0, 0.0], [3e-18, 4e-18], [float("nan"), 1.0]], requires_grad=True)
    x = native.sparse_tensor(torch.tensor([[0, i, 0, 0] for i in range(3)]).int(), features)
    y = normalize(x).features
    assert y[0].tolist() == [0, 0]
    assert y[1].tolist() == pytest.approx([0.6, 0.8])
    assert y[2].isnan().all()
    y[0].sum().backward()
    assert features.grad is not None
    assert features.grad[0].abs().max() <= 1


GLOBAL = [
    (GlobalSumPooling, np.sum),
    (GlobalAveragePooling, np.mean),
    (GlobalMaxPooling, np.max),
]


@pytest.mark.parametrize(("kind", "reduce"), GLOBAL)
def test_global_pooling_by_sample(x, kind, reduce) -> None:
    y = kind()(x).detach().numpy()
    assert y.shape == (3, 5)
    assert not y[1].any()  # no row has batch index 1
    for sample in (0, 2):
        rows = x.features.detach().numpy()[x.coordinates[:, 0].numpy() == sample]
        np.testing.assert_allclose(y[sample], reduce(rows, axis=0), rtol=1e-12)


@pytest.mark.parametrize(("kind", "reduce"), GLOBAL)
def test_global_pooling_of_nothing(kind, reduce) -> None:
    x = native.sparse_tensor(torch.zeros(0, 4).int(), torch.zeros(0, 5))
    assert kind()(x).shape == (0, 5)


def test_only_the_same_coordinates_join(x) -> None:
    """Not with another stride, nor with another input of the same size."""
    layers = engine_or_skip("native" if isinstance(x, native.NativeSparseTensor) else "minkowski")
    other = layers.sparse_tensor(x.coordinates + 1, x.features.detach())
    coarse = layers.SumPooling(kernel_size=2, stride=2)(x)
    again = layers.SumPooling(kernel_size=2, stride=2)(x)
    assert coarse.shares_coordinates(again)
    assert torch.equal((coarse + again).features, 2 * coarse.features)
    for wrong in (other, coarse):
        assert not x.shares_coordinates(wrong)
        with pytest.raises(ValueError, match="same input at the same stride can be added"):
            x.__add__(wrong)
        with pytest.raises(ValueError, match="same input at the same stride can be concatenated"):
            concatenate(x, wrong)


def test_features_must_fit_the_coordinates(x) -> None:
    with pytest.raises(ValueError, match="2 rows of features do not fit"):
        x.replace(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="rows of features do not fit"):
        x.replace(torch.zeros(len(x.features) + 1, 5))
