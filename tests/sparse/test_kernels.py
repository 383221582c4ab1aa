"""Convolutions on every instruction set and on torch against slow loops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointcontrast.errors import InputError
from pointcontrast.sparse import kernel_library, kernel_offsets, native
from pointcontrast.sparse.kernel_region import KernelRegion
from tests.oracles import sparse_convolution as oracle
from tests.oracles.engines import random_coordinates, random_features

# the fixture that selects the implementation is the same for every example
EACH_PATH = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Case(NamedTuple):
    kernel_size: tuple[int, ...]
    factor: tuple[int, ...]
    dilation: tuple[int, ...]
    stride: tuple[int, ...]
    region: KernelRegion
    channels: tuple[int, int]
    num: int
    samples: tuple[int, ...]
    dtype: torch.dtype
    seed: int


CHANNELS = st.one_of(
    st.sampled_from([17, 33, 3, 16, 32, 8, 1]), st.integers(1, 40), st.integers(64, 100)
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    dimension = draw(st.sampled_from([3, 2, 4, 1]))

    def each(values: Sequence[int]) -> tuple[int, ...]:
        return draw(st.tuples(*[st.sampled_from(values)] * dimension))

    kernel_size = each([3, 5, 2, 1] if dimension < 3 else [3, 2, 1])
    can_be_hybrid = all(size % 2 for size in kernel_size)
    few = math.prod(kernel_size) > 27
    return Case(
        kernel_size,
        draw(st.just((1,) * dimension) | st.just(kernel_size)) if draw(st.booleans())
        else each([1, 2, 3]),
        each([1, 1, 2, 3]),
        each([1, 2]) if draw(st.booleans()) else (1,) * dimension,
        draw(st.sampled_from(["hypercube", "hybrid"])) if can_be_hybrid else "hypercube",
        (draw(CHANNELS), draw(CHANNELS)),
        draw(st.sampled_from(([] if few else [400, 700]) + [200, 129, 128, 127, 5, 2, 1, 0])),
        draw(st.sampled_from([(0,), (0, 2), (0, 1, 2, 7)])),
        draw(st.sampled_from([torch.float32, torch.float64])),
        draw(st.integers(0, 10**6)),
    )  # fmt: skip


def sparse_tensor(case: Case) -> native.NativeSparseTensor:
    """Coordinates at the case's stride, about half of the places, rows in random order."""
    dimension = len(case.stride)
    extent = math.ceil((2 * case.num) ** (1 / dimension) / 2) + 1
    coordinates = random_coordinates(
        case.num, dimension, extent=extent, samples=case.samples, seed=case.seed
    )
    x = native.sparse_tensor(coordinates, torch.zeros(len(coordinates), 1))
    if max(case.stride) > 1:
        x = native.SumPooling(kernel_size=case.stride, stride=case.stride, dimension=dimension)(x)
    return x


def layer(kind: type[native.Convolution], case: Case) -> native.Convolution:
    made = kind(
        *case.channels,
        kernel_size=case.kernel_size,
        stride=case.factor,
        dilation=case.dilation,
        dimension=len(case.stride),
        region=case.region,
    )
    kernel = random_features(made.kernel.numel(), 1, seed=case.seed + 1).reshape(made.kernel.shape)
    made.kernel = torch.nn.Parameter(kernel.to(case.dtype))
    return made


def taps_of(case: Case) -> list[oracle.Place]:
    if case.region == "hypercube":
        return oracle.cube_taps(case.kernel_size)
    return [tuple(tap) for tap in kernel_offsets(case.kernel_size, "hybrid").tolist()]


def slow_kernel_gradient(
    fine: oracle.Sparse, coarse: oracle.Sparse, case: Case, shape: tuple[int, int]
) -> np.ndarray:
    """Sums (taps, *shape) of the outer products at both ends of each tap's offset."""
    result = []
    for tap in taps_of(case):
        total = np.zeros(shape)
        pairs = [
            (fine[end], vector)
            for place, vector in coarse.items()
            if (end := oracle.neighbour(place, tap, case.dilation, case.stride)) in fine
        ]
        if pairs:
            total += np.stack([a for a, _ in pairs]).T @ np.stack([b for _, b in pairs])
        result.append(total)
    return np.stack(result)


def assert_near(found: torch.Tensor, expected: np.ndarray, num_terms: int) -> None:
    """Normal numbers: a few rounding errors per term; a missing term would be of order 1."""
    assert tuple(found.shape) == expected.shape
    tolerance = 4 * torch.finfo(found.dtype).eps * (num_terms + 4)
    assert np.abs(found.detach().double().numpy() - expected).max(initial=0) <= tolerance


def rows(sparse: oracle.Sparse, coordinates: torch.Tensor, channels: int) -> np.ndarray:
    places = [tuple(c) for c in coordinates.tolist()]
    assert set(places) == sparse.keys()
    return np.array([sparse[place] for place in places]).reshape(-1, channels)


def check(kind: type[native.Convolution], case: Case) -> None:
    """Result and both gradients of a convolution or a transposed one, on the finer grid."""
    fine = sparse_tensor(case)
    convolution = layer(kind, case)
    transposed = kind is native.ConvolutionTranspose
    size = {"stride": case.factor, "kernel_size": 1, "dimension": len(case.stride)}
    coarse = native.SumPooling(**size)(fine)
    source, target = (coarse, fine) if transposed else (fine, coarse)

    features = random_features(len(source.features), case.channels[0], seed=case.seed)
    features = features.to(case.dtype).requires_grad_()
    y = convolution(source.replace(features))
    assert y.stride == target.stride
    assert y.features.dtype == case.dtype
    assert torch.equal(y.coordinates, target.coordinates)
    grad = random_features(len(y.features), case.channels[1], seed=case.seed + 2).to(case.dtype)
    y.features.backward(grad)

    kernel = convolution.kernel.detach().double().numpy().reshape(-1, *case.channels)
    turned = kernel.transpose(0, 2, 1)
    x_rows = oracle.as_dictionary(source.coordinates, features)
    grad_rows = oracle.as_dictionary(target.coordinates, grad)
    steps: dict[str, Any] = {"factor": case.factor, "dilation": case.dilation}
    fine_places = [tuple(c) for c in fine.coordinates.tolist()]
    taps = taps_of(case)

    def down(x: oracle.Sparse, matrices: np.ndarray) -> oracle.Sparse:
        return oracle.convolve(x, matrices, taps, stride=case.stride, **steps)

    def up(x: oracle.Sparse, matrices: np.ndarray) -> oracle.Sparse:
        return oracle.convolve_transposed(
            x, fine_places, matrices, taps, stride=coarse.stride, **steps
        )

    there, back = (up, down) if transposed else (down, up)
    out = rows(there(x_rows, kernel), target.coordinates, case.channels[1])
    assert_near(y.features, out, len(taps) * case.channels[0])
    grad_in = rows(back(grad_rows, turned), source.coordinates, case.channels[0])
    assert features.grad is not None
    assert_near(features.grad, grad_in, len(taps) * case.channels[1])
    if transposed:
        shape = (case.channels[1], case.channels[0])
        grad_kernel = slow_kernel_gradient(grad_rows, x_rows, case, shape).transpose(0, 2, 1)
    else:
        grad_kernel = slow_kernel_gradient(x_rows, grad_rows, case, case.channels)
    assert convolution.kernel.grad is not None
    assert_near(convolution.kernel.grad.reshape(grad_kernel.shape), grad_kernel, len(fine.features))


@settings(EACH_PATH, max_examples=60)
@given(case=cases())
def test_convolution(arithmetic: str, case: Case) -> None:
    check(native.Convolution, case)


@settings(EACH_PATH, max_examples=40)
@given(case=cases())
def test_transposed_convolution(arithmetic: str, case: Case) -> None:
    check(native.ConvolutionTranspose, case)


CUBE = Case(
    (3, 3, 3), (1,) * 3, (1,) * 3, (1,) * 3, "hypercube", (3, 5), 700, (0,), torch.float32, 0
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "channels", [(3, 16), (16, 17), (17, 33), (96, 96), (200, 7), (5, 200), (1, 1)]
)
def test_channels_on_both_sides_of_a_register(
    arithmetic: str, channels: tuple[int, int], dtype: torch.dtype
) -> None:
    check(native.Convolution, CUBE._replace(channels=channels, dtype=dtype))


def test_choosing_instructions(library) -> None:
    before = kernel_library.instruction_set()
    assert before in kernel_library.INSTRUCTION_SETS
    assert (
        kernel_library.choose_instruction_set("portable")
        == "portable"
        == kernel_library.instruction_set()
    )
    with pytest.raises(
        InputError, match=r"'sse9' does not run on this processor, which has .*portable"
    ):
        kernel_library.choose_instruction_set("sse9")
    assert kernel_library.instruction_set() == "portable"
    assert kernel_library.choose_instruction_set(before) == before
    assert kernel_library.peak(0.01) > 1e7
