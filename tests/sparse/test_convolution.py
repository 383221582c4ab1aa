"""Native convolutions against loops over dictionaries, and against torch's dense convolutions."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch

from pointcontrast.sparse import kernel_offsets, native
from tests.oracles import sparse_convolution as oracle
from tests.oracles.engines import (
    ENGINES,
    cotangent,
    engine_or_skip,
    random_coordinates,
    random_features,
)


class Case(NamedTuple):
    kernel_size: tuple[int, ...]
    factor: tuple[int, ...]
    dilation: tuple[int, ...]
    stride: tuple[int, ...]
    """Stride of the input, after a strided layer if it is not 1."""


def cube(kernel: int, factor: int = 1, dilation: int = 1, stride: int = 1) -> Case:
    return Case((kernel,) * 3, (factor,) * 3, (dilation,) * 3, (stride,) * 3)


CASES = [
    *(cube(kernel, factor) for kernel in (1, 2, 3, 5) for factor in (1, 2, 3)),
    *(cube(kernel, factor, dilation=2) for kernel in (2, 3, 5) for factor in (1, 2)),
    *(cube(kernel, factor, stride=2) for kernel in (2, 3) for factor in (1, 2, 3)),
    cube(3, 1, dilation=2, stride=3),
    Case((3, 1, 2), (2, 1, 3), (1, 1, 2), (1, 2, 1)),
    Case((3, 3, 3, 1), (1, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1)),
    Case((2, 2, 2, 1), (2, 2, 2, 1), (1, 1, 1, 1), (1, 1, 1, 1)),
    Case((3, 3, 3, 3), (1, 1, 1, 1), (1, 1, 1, 2), (2, 2, 2, 1)),
    Case((2, 3), (2, 1), (1, 1), (1, 1)),
]


def name(case: Case) -> str:
    return "-".join("".join(map(str, part)) for part in case)


def at_stride(engine, case: Case, channels: int, seed: int = 0, num: int = 60):
    """Tensor of random float64 features at the case's stride, and the coordinates of the input."""
    dimension = len(case.stride)
    coordinates = random_coordinates(num, dimension, seed=seed)
    x = engine.sparse_tensor(coordinates, random_features(len(coordinates), 1))
    if any(s != 1 for s in case.stride):
        x = engine.SumPooling(kernel_size=case.stride, stride=case.stride, dimension=dimension)(x)
    x = x.replace(random_features(len(x.features), channels, seed=seed))
    x.features.requires_grad_()
    return x, coordinates


def layer(kind, case: Case, channels: tuple[int, int], *, bias: bool = False, **options):
    made = kind(
        *channels,
        kernel_size=case.kernel_size,
        stride=case.factor,
        dilation=case.dilation,
        bias=bias,
        dimension=len(case.stride),
        **options,
    )
    return made.double()


def kernel_array(convolution):
    return convolution.kernel.detach().numpy().reshape(-1, *convolution.kernel.shape[-2:])


def assert_same(found: oracle.Sparse, expected: oracle.Sparse) -> None:
    assert found.keys() == expected.keys()
    for place, vector in expected.items():
        assert found[place] == pytest.approx(vector, rel=1e-10, abs=1e-12), place


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=name)
def test_convolution_is_the_loop(case: Case, engine: str) -> None:
    layers = engine_or_skip(engine)
    x, _ = at_stride(layers, case, channels=3)
    convolution = layer(layers.Convolution, case, (3, 5), bias=True)
    y = convolution(x)
    expected = oracle.convolve(
        oracle.as_dictionary(x.coordinates, x.features),
        kernel_array(convolution),
        oracle.cube_taps(case.kernel_size),
        stride=case.stride,
        factor=case.factor,
        dilation=case.dilation,
        bias=convolution.bias.detach().numpy()[0],
    )
    assert y.stride == tuple(s * f for s, f in zip(case.stride, case.factor, strict=True))
    assert y.coordinates.dtype == torch.int32
    assert_same(oracle.as_dictionary(y.coordinates, y.features), expected)


@pytest.mark.parametrize("region_case", [((3, 3, 3), 27), ((3, 3, 3, 3), 29)], ids=["3D", "4D"])
def test_hybrid_convolution_is_the_loop(region_case: tuple[tuple[int, ...], int]) -> None:
    size, volume = region_case
    ones = (1,) * len(size)
    case = Case(size, ones, ones, ones)
    x, _ = at_stride(native, case, channels=3)
    convolution = layer(native.Convolution, case, (3, 4), region="hybrid")
    assert convolution.kernel.shape == (volume, 3, 4)
    expected = oracle.convolve(
        oracle.as_dictionary(x.coordinates, x.features),
        kernel_array(convolution),
        [tuple(tap) for tap in kernel_offsets(size, "hybrid").tolist()],
        stride=ones,
        factor=ones,
        dilation=ones,
    )
    y = convolution(x)
    assert_same(oracle.as_dictionary(y.coordinates, y.features), expected)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", [c for c in CASES if max(c.factor) > 1], ids=name)
def test_transposed_convolution_is_the_loop(case: Case, engine: str) -> None:
    layers = engine_or_skip(engine)
    x, _ = at_stride(layers, case, channels=2)
    coarse = layer(layers.Convolution, case, (2, 3))(x)
    convolution = layer(layers.ConvolutionTranspose, case, (3, 5), bias=True)
    y = convolution(coarse)
    expected = oracle.convolve_transposed(
        oracle.as_dictionary(coarse.coordinates, coarse.features),
        [tuple(c) for c in x.coordinates.tolist()],
        kernel_array(convolution),
        oracle.cube_taps(case.kernel_size),
        stride=coarse.stride,
        factor=case.factor,
        dilation=case.dilation,
        bias=convolution.bias.detach().numpy()[0],
    )
    assert y.stride == case.stride
    assert torch.equal(y.coordinates, x.coordinates)  # the same rows, not only the same places
    assert_same(oracle.as_dictionary(y.coordinates, y.features), expected)


def gradients(output: torch.Tensor, weights: torch.Tensor, *inputs: torch.Tensor):
    return torch.autograd.grad((output * weights).sum(), inputs)


DENSE = [
    *(((kernel,) * 3, factor, 1) for kernel in (1, 2, 3, 5) for factor in (1, 2, 3)),
    *(((kernel,) * 3, factor, 2) for kernel in (2, 3) for factor in (1, 2)),
    ((3, 2, 5), 2, 1),
    ((3, 3, 3, 1), 1, 1),
    ((3, 3, 3, 3), 1, 1),
    ((3, 3, 3, 3), 1, 2),
    ((2, 2, 2, 1), 2, 1),
    ((3, 3, 3, 2), 2, 1),
]


@pytest.mark.parametrize(("kernel_size", "factor", "dilation"), DENSE)
def test_convolution_is_the_dense_one(
    kernel_size: tuple[int, ...], factor: int, dilation: int
) -> None:
    """Outputs, input gradients and weight gradients."""
    dimension = len(kernel_size)
    factors = (factor,) * 3 + (1,) * (dimension - 3)
    case = Case(kernel_size, factors, (dilation,) * dimension, (1,) * dimension)
    x, coordinates = at_stride(native, case, channels=3, num=150)
    convolution = layer(native.Convolution, case, (3, 2))
    y = convolution(x)

    step = torch.tensor(factors)
    lower = coordinates[:, 1:].amin(0).div(step, rounding_mode="floor") * step
    grid = oracle.dense_grid(coordinates, x.features, lower, coordinates[:, 1:].amax(0) - lower + 1)
    kernel = convolution.kernel.reshape(-1, 3, 2)
    dense = oracle.dense_convolution(grid, kernel, kernel_size, stride=factor, dilation=dilation)
    places = y.coordinates.clone()
    places[:, 1:] = (places[:, 1:] - lower) // step
    expected = oracle.from_dense(dense, places, torch.zeros(dimension, dtype=torch.long))

    torch.testing.assert_close(y.features, expected, rtol=1e-10, atol=1e-12)
    weights = cotangent(y.coordinates, 2)
    found = gradients(y.features, weights, x.features, convolution.kernel)
    wanted = gradients(expected, weights, x.features, convolution.kernel)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("factor", [2, 3])
def test_transposed_convolution_is_the_dense_one(kernel: int, factor: int) -> None:
    case = cube(kernel, factor)
    x, coordinates = at_stride(native, case, channels=1, num=150)
    coarse = layer(native.Convolution, case, (1, 1))(x)
    coarse = coarse.replace(random_features(len(coarse.features), 3).requires_grad_())
    convolution = layer(native.ConvolutionTranspose, case, (3, 2))
    y = convolution(coarse)

    places = coarse.coordinates.clone()
    places[:, 1:] = places[:, 1:] // factor  # exact: multiples
    lower = places[:, 1:].amin(0).long() - 1  # room for taps that reach below
    size = places[:, 1:].amax(0) - lower + 2
    grid = oracle.dense_grid(places, coarse.features, lower, size)
    dense = oracle.dense_convolution_transposed(
        grid, convolution.kernel, case.kernel_size, stride=factor
    )
    expected = oracle.from_dense(dense, coordinates, lower * factor)

    torch.testing.assert_close(y.features, expected, rtol=1e-10, atol=1e-12)
    weights = cotangent(coordinates, 2)
    found = gradients(y.features, weights, coarse.features, convolution.kernel)
    wanted = gradients(expected, weights, coarse.features, convolution.kernel)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_single_voxel(engine: str) -> None:
    layers = engine_or_skip(engine)
    x = layers.sparse_tensor(torch.tensor([[3, -7, 0, 5]]).int(), torch.ones(1, 3))
    same = layers.Convolution(3, 2, kernel_size=3)
    assert torch.equal(same(x).features, x.features @ same.kernel[13])
    down = layers.Convolution(3, 2, kernel_size=2, stride=2)
    y = down(x)
    assert y.coordinates.tolist() == [[3, -8, 0, 4]]
    assert torch.equal(y.features, x.features @ down.kernel[1 + 4])  # odd in x and z
    up = layers.ConvolutionTranspose(2, 1, kernel_size=2, stride=2)(y)
    assert up.coordinates.tolist() == [[3, -7, 0, 5]]


def test_empty_tensor() -> None:
    """The native engine takes a tensor without rows through every kind of layer."""
    x = native.sparse_tensor(torch.zeros(0, 4, dtype=torch.int32), torch.zeros(0, 3))
    down = native.Convolution(3, 4, kernel_size=2, stride=2, bias=True)
    up = native.ConvolutionTranspose(4, 5, kernel_size=2, stride=2)
    y = up(native.Convolution(4, 4, kernel_size=3)(down(x)))
    assert y.features.shape == (0, 5)
    assert y.coordinates.shape == (0, 4)
    y.features.sum().backward()
    assert down.kernel.grad is not None
    assert not down.kernel.grad.any()
    for pooling in (native.SumPooling, native.AveragePooling, native.MaxPooling):
        assert pooling(kernel_size=3, stride=2)(x).features.shape == (0, 3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("channels", [(1, 1), (1, 7), (13, 3), (33, 17)])
def test_channel_counts(channels: tuple[int, int], engine: str) -> None:
    layers = engine_or_skip(engine)
    case = cube(3)
    x, _ = at_stride(layers, case, channels=channels[0])
    convolution = layer(layers.Convolution, case, channels)
    y = convolution(x)
    expected = oracle.convolve(
        oracle.as_dictionary(x.coordinates, x.features),
        kernel_array(convolution),
        oracle.cube_taps(case.kernel_size),
        stride=case.stride,
        factor=case.factor,
        dilation=case.dilation,
    )
    assert_same(oracle.as_dictionary(y.coordinates, y.features), expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_samples_do_not_see_each_other(engine: str) -> None:
    """Also with samples at the same places, and a batch index without rows."""
    layers = engine_or_skip(engine)
    place = random_coordinates(40, samples=(0,), extent=3)
    features = random_features(2 * len(place), 2)
    other = place.clone()
    other[:, 0] = 5
    convolution = layers.Convolution(2, 3, kernel_size=5).double()
    together = convolution(layers.sparse_tensor(torch.cat([place, other]), features)).features
    first = convolution(layers.sparse_tensor(place, features[: len(place)])).features
    second = convolution(layers.sparse_tensor(place, features[len(place) :])).features
    torch.testing.assert_close(together, torch.cat([first, second]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_far_from_the_origin(engine: str) -> None:
    """A shift by a multiple of the stride changes nothing, up to the largest coordinate allowed."""
    layers = engine_or_skip(engine)
    coordinates = random_coordinates(40)
    features = random_features(len(coordinates), 2)
    far = layers.LARGEST_COORDINATE - 64
    down = layers.Convolution(2, 3, kernel_size=3, stride=2).double()
    expected = down(layers.sparse_tensor(coordinates, features))
    shift = torch.tensor([0, -far, far, 2**20]).int()
    found = down(layers.sparse_tensor(coordinates + shift, features))
    expected_rows = oracle.as_dictionary(expected.coordinates + shift, expected.features)
    assert_same(oracle.as_dictionary(found.coordinates, found.features), expected_rows)


@pytest.mark.parametrize("engine", ENGINES)
def test_order_of_rows_does_not_matter(engine: str) -> None:
    layers = engine_or_skip(engine)
    coordinates = random_coordinates(80)
    features = random_features(len(coordinates), 3)
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(1))
    net = torch.nn.Sequential(
        layers.Convolution(3, 4, kernel_size=3),
        layers.Convolution(4, 4, kernel_size=2, stride=2),
        layers.Convolution(4, 4, kernel_size=3, dilation=2),
        layers.ConvolutionTranspose(4, 5, kernel_size=2, stride=2),
    ).double()
    plain = net(layers.sparse_tensor(coordinates, features))
    shuffled = net(layers.sparse_tensor(coordinates[order], features[order]))
    assert torch.equal(plain.coordinates, coordinates)
    assert torch.equal(shuffled.coordinates, coordinates[order])
    torch.testing.assert_close(shuffled.features, plain.features[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_nan_spreads_where_the_kernel_reaches(engine: str) -> None:
    layers = engine_or_skip(engine)
    coordinates = torch.tensor([[0, x, 0, 0] for x in (0, 1, 2, 9)]).int()
    features = torch.ones(4, 2)
    features[0, 1] = float("nan")
    y = layers.Convolution(2, 3, kernel_size=3)(layers.sparse_tensor(coordinates, features))
    assert y.features.isnan().all(1).tolist() == [True, True, False, False]
    assert y.features[2:].isfinite().all()


@pytest.mark.parametrize("engine", ENGINES)
def test_inputs_are_left_as_they_were(engine: str) -> None:
    """No layer writes to its input, not even MinkowskiEngine's in-place addition of the bias."""
    layers = engine_or_skip(engine)
    coordinates = random_coordinates(50)
    features = random_features(len(coordinates), 3).float()
    kept_coordinates, kept_features = coordinates.clone(), features.clone()
    x = layers.sparse_tensor(coordinates, features)
    for kernel, stride in ((1, 1), (3, 1), (2, 2)):
        layers.Convolution(3, 3, kernel_size=kernel, stride=stride, bias=True)(x)
    for pooling in (layers.SumPooling, layers.AveragePooling, layers.MaxPooling):
        pooling(kernel_size=2, stride=2)(x)
    x.__add__(x)
    assert torch.equal(coordinates, kept_coordinates)
    assert torch.equal(features, kept_features)
    assert torch.equal(x.features, kept_features)


@pytest.mark.parametrize("engine", ENGINES)
def test_caller_may_write_to_the_coordinates_afterwards(engine: str) -> None:
    layers = engine_or_skip(engine)
    coordinates = random_coordinates(50)
    features = random_features(len(coordinates), 3)
    convolution = layers.Convolution(3, 2, kernel_size=3).double()
    expected = convolution(layers.sparse_tensor(coordinates, features)).features
    x = layers.sparse_tensor(coordinates, features)
    coordinates[:, 1:] = 0
    assert torch.equal(convolution(x).features, expected)
