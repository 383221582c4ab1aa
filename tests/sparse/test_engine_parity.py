"""Both engines agree in outputs, input gradients, weight gradients and initial weights."""

from __future__ import annotations

import pickle

import pytest
import torch

from tests.oracles.engines import (
    cotangent,
    engine_or_skip,
    in_order,
    kitchen_coordinates,
    random_coordinates,
    random_features,
)

LAYERS: dict[str, tuple[str, dict]] = {
    **{
        f"convolution {kernel} stride {stride}": (
            "Convolution",
            {"kernel_size": kernel, "stride": stride, "bias": kernel == 1},
        )
        for kernel in (1, 2, 3, 5)
        for stride in (1, 2, 3)
    },
    "convolution dilated": ("Convolution", {"kernel_size": 3, "dilation": 2}),
    "convolution mixed": ("Convolution", {"kernel_size": (3, 3, 1), "stride": (2, 2, 1)}),
    **{
        f"{kind} {kernel} stride {stride}": (kind, {"kernel_size": kernel, "stride": stride})
        for kind in ("SumPooling", "AveragePooling", "MaxPooling")
        for kernel, stride in ((2, 2), (3, 1), (3, 2), (3, 3))
    },
}


def build(engine, kind: str, options: dict, dimension: int = 3) -> torch.nn.Module:
    torch.manual_seed(0)
    channels = (3, 4) if kind.startswith("Convolution") else ()
    return getattr(engine, kind)(*channels, dimension=dimension, **options)


def run(engine, layer, coordinates: torch.Tensor):
    """Output rows in order, input gradient, parameter gradients."""
    features = random_features(len(coordinates), 3).requires_grad_()
    layer = layer.double()
    y = layer(engine.sparse_tensor(coordinates, features))
    (y.features * cotangent(y.coordinates, y.features.shape[1])).sum().backward()
    return in_order(y.coordinates, y.features), features.grad, [p.grad for p in layer.parameters()]


def assert_engines_agree(kind: str, options: dict, coordinates: torch.Tensor) -> None:
    dimension = coordinates.shape[1] - 1
    results = []
    for name in ("native", "minkowski"):
        engine = engine_or_skip(name)
        results.append(run(engine, build(engine, kind, options, dimension), coordinates))
    # products are summed in another order
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", LAYERS)
def test_random_places(name: str) -> None:
    assert_engines_agree(*LAYERS[name], random_coordinates(200))


@pytest.mark.parametrize("name", LAYERS)
def test_real_places(name: str) -> None:
    assert_engines_agree(*LAYERS[name], kitchen_coordinates(0.3))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Convolution", {"kernel_size": 3}),
        ("Convolution", {"kernel_size": (3, 3, 3, 1), "dilation": 2}),
        ("Convolution", {"kernel_size": (2, 2, 2, 1), "stride": (2, 2, 2, 1)}),
        ("MaxPooling", {"kernel_size": (2, 2, 2, 1), "stride": (2, 2, 2, 1)}),
        ("AveragePooling", {"kernel_size": 3}),
    ],
)
def test_four_dimensions(kind: str, options: dict) -> None:
    assert_engines_agree(kind, options, random_coordinates(300, 4, extent=3))


@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("places", ["random", "real"])
def test_down_and_up(places: str, stride: int, kernel_size: int) -> None:
    coordinates = random_coordinates(200) if places == "random" else kitchen_coordinates(0.3)
    results = []
    for name in ("native", "minkowski"):
        engine = engine_or_skip(name)
        torch.manual_seed(0)
        layers = torch.nn.Sequential(
            engine.Convolution(3, 5, kernel_size=2, stride=2),
            engine.Convolution(5, 5, kernel_size=kernel_size, stride=stride),
            engine.ConvolutionTranspose(5, 4, kernel_size=kernel_size, stride=stride, bias=True),
            engine.ConvolutionTranspose(4, 2, kernel_size=2, stride=2),
        )
        results.append(run(engine, layers, coordinates))
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 1},
        {"kernel_size": 1, "stride": 2},
        {"kernel_size": 2, "stride": 2},
        {"kernel_size": (3, 3, 1)},
    ],
)
def test_the_same_seed_gives_the_same_weights(options: dict, transposed: bool) -> None:
    """Also the names, shapes and number of random draws; values within the initialization bound."""
    kind = "ConvolutionTranspose" if transposed else "Convolution"
    states, after = [], []
    for name in ("native", "minkowski"):
        layer = build(engine_or_skip(name), kind, {**options, "bias": True})
        states.append(layer.state_dict())
        after.append(torch.rand(1))
    native, minkowski = states
    assert list(native) == ["kernel", "bias"] == list(minkowski)
    assert all(torch.equal(native[key], minkowski[key]) for key in native)
    assert after[0] == after[1]
    volume = native["kernel"].numel() // 12
    linear = volume == 1 and "stride" not in options
    assert native["kernel"].shape == ((3, 4) if linear else (volume, 3, 4))
    bound = ((4 if transposed else 3) * volume) ** -0.5
    assert 0.8 * bound < native["kernel"].abs().max() <= bound
    assert native["bias"].abs().max() <= bound


def test_rows_keep_their_place_where_minkowski_reorders_them() -> None:
    """MinkowskiEngine may reorder rows on a GPU: the wrapper gets rows reordered by hand."""
    minkowski = engine_or_skip("minkowski")
    coordinates = random_coordinates(100)
    features = random_features(len(coordinates), 3)
    order = torch.randperm(len(coordinates), generator=torch.Generator().manual_seed(0))
    inner = minkowski.ME.SparseTensor(features[order], coordinates=coordinates[order])
    reordered = minkowski.MinkowskiSparseTensor(
        inner, inner.coordinate_map_key, order, torch.argsort(order)
    )
    plain = minkowski.sparse_tensor(coordinates, features)
    assert torch.equal(reordered.coordinates, coordinates)
    assert torch.equal(reordered.features, features)

    down = minkowski.Convolution(3, 4, kernel_size=2, stride=2).double()
    wide = minkowski.Convolution(3, 4, kernel_size=3).double()
    up = minkowski.ConvolutionTranspose(4, 4, kernel_size=2, stride=2).double()
    extra = random_features(len(coordinates), 4, seed=1)
    ys = []
    for x in (plain, reordered):
        same = wide(x)
        ys.append(up(down(x)) + same.replace(same.features.relu() + extra))
    assert torch.equal(ys[1].coordinates, coordinates)
    torch.testing.assert_close(ys[0].features, ys[1].features, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        in_order(down(plain).coordinates, down(plain).features),
        in_order(down(reordered).coordinates, down(reordered).features),
    )


@pytest.mark.parametrize("name", ["native", "minkowski"])
def test_layers_can_be_copied(name: str) -> None:
    """MinkowskiEngine has settings that torch does not copy."""
    engine = engine_or_skip(name)
    x = engine.sparse_tensor(
        random_coordinates(50), random_features(50, 3)[: len(random_coordinates(50))]
    )
    for kind, options in LAYERS.values():
        layer = build(engine, kind, options).double()
        copied = pickle.loads(pickle.dumps(layer))
        assert torch.equal(copied(x).features, layer(x).features)
        assert repr(copied) == repr(layer)
