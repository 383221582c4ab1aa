"""Errors for wrong sparse tensors and inputs of layers, on both engines."""

from __future__ import annotations

import pytest
import torch

from pointcontrast.errors import InputError
from tests.oracles.engines import ENGINES, engine_or_skip

GOOD = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0], [0, 4, -5, 0], [2, 1, 0, 3]]).int()
FEATURES = torch.ones(4, 3)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest):
    return engine_or_skip(request.param)


TENSORS = {
    "one dimension": (GOOD[0], FEATURES, r"must be \(N, 1\+D\).*shape is \(4,\)"),
    "only the batch index": (GOOD[:, :1], FEATURES, r"shape is \(4, 1\)"),
    "float coordinates": (GOOD.float(), FEATURES, "int32 or int64, not torch.float32"),
    "short coordinates": (GOOD.short(), FEATURES, "int32 or int64, not torch.int16"),
    "rows missing": (GOOD, FEATURES[:3], r"must be \(4, C\).*shape is \(3, 3\)"),
    "flat features": (GOOD, FEATURES[:, 0], r"must be \(4, C\).*shape is \(4,\)"),
    "integer features": (GOOD, FEATURES.int(), "floating point, not torch.int32"),
    "other device": (GOOD, FEATURES.to("meta"), "features are on meta and coordinates on cpu"),
    "negative sample": (GOOD - torch.tensor([1, 0, 0, 0]).int(), FEATURES, "the batch index -1"),
    "twice": (GOOD[[0, 1, 0, 0]], FEATURES, "hold 2 duplicate rows; voxelise first"),
    "beyond 32 bits": (GOOD.long() * 2**40, FEATURES, "range from -5497558138880 to 4398046511104"),
    "just beyond": (GOOD + 2**30, FEATURES, r"must stay within \+-\d+; look for an outlier"),
}


@pytest.mark.parametrize("case", TENSORS)
def test_bad_tensors(engine, case: str) -> None:
    coordinates, features, message = TENSORS[case]
    with pytest.raises(ValueError, match=message):
        engine.sparse_tensor(coordinates, features)


def test_int64_and_scattered_memory_are_fine(engine) -> None:
    expected = engine.sparse_tensor(GOOD, FEATURES)
    for coordinates in (GOOD.long(), GOOD.t().contiguous().t()):
        x = engine.sparse_tensor(coordinates, FEATURES.t().contiguous().t())
        assert torch.equal(x.coordinates, expected.coordinates)
        layer = engine.Convolution(3, 2, kernel_size=3)
        assert torch.equal(layer(x).features, layer(expected).features)


def corners(extent: int) -> torch.Tensor:
    """Opposite corners of a cube with ``extent`` places per side, and a neighbour of the last."""
    last = extent // 2 - 1
    return torch.tensor(
        [[0, *[-(extent // 2)] * 3], [0, last, last, last], [0, last, last - 1, last]]
    )


def test_widest_range_for_native() -> None:
    """Each coordinate is allowed, but 2**63 places are too many to pack; 2**60 are not."""
    engine = engine_or_skip("native")
    for extent in (2**21, 2**31):
        with pytest.raises(ValueError, match=rf"span \[1, {extent}, .* too many to number"):
            engine.sparse_tensor(corners(extent), torch.ones(3, 1))
    layer = engine.Convolution(1, 1, kernel_size=3)
    y = layer(engine.sparse_tensor(corners(2**20), torch.ones(3, 1))).features.flatten()
    taps = layer.kernel.flatten()
    expected = torch.stack([taps[13], taps[13] + taps[13 - 3], taps[13] + taps[13 + 3]])
    torch.testing.assert_close(y, expected)


def test_minkowski_holds_no_empty_tensor() -> None:
    with pytest.raises(ValueError, match="cannot hold an empty tensor; use engine: native"):
        engine_or_skip("minkowski").sparse_tensor(GOOD[:0], FEATURES[:0])


def test_minkowski_has_no_hybrid_kernel() -> None:
    with pytest.raises(InputError, match=r"no hybrid kernel .* use engine: native"):
        engine_or_skip("minkowski").Convolution(3, 4, kernel_size=3, region="hybrid")


THREE = {"kernel_size": 3}
HALVING = {"kernel_size": 2, "stride": 2}
LAYERS = {
    "dimensions": (
        ("Convolution", 3, 4),
        {**THREE, "dimension": 4},
        "has 4 dimensions, its input 3",
    ),
    "dimensions of a pooling": (
        ("MaxPooling",),
        {**HALVING, "dimension": 2},
        "has 2 dimensions, its input 3",
    ),
    "channels": (("Convolution", 5, 4), THREE, "takes 5 channels, its input has 3"),
    "channels 1x1": (
        ("Convolution", 5, 4),
        {"kernel_size": 1},
        "takes 5 channels, its input has 3",
    ),
    "stride not divisible": (
        ("ConvolutionTranspose", 3, 4),
        HALVING,
        r"\(1, 1, 1\) cannot be divided by \(2, 2, 2\)",
    ),
}


@pytest.mark.parametrize("case", LAYERS)
def test_layers_that_do_not_fit(engine, case: str) -> None:
    (kind, *channels), options, message = LAYERS[case]
    layer = getattr(engine, kind)(*channels, **options)
    with pytest.raises(ValueError, match=message):
        layer(engine.sparse_tensor(GOOD, FEATURES))


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_other_precision(engine, kernel_size: int) -> None:
    layer = engine.Convolution(3, 4, kernel_size=kernel_size)
    with pytest.raises(
        ValueError, match=r"weights are torch\.float32, its input is torch\.float64"
    ):
        layer(engine.sparse_tensor(GOOD, FEATURES.double()))


def test_transposed_to_a_stride_never_seen(engine) -> None:
    """MinkowskiEngine by itself would generate coordinates."""
    coarse = engine.Convolution(3, 3, kernel_size=2, stride=4)(engine.sparse_tensor(GOOD, FEATURES))
    with pytest.raises(ValueError, match=r"no coordinates of stride \(2, 2, 2\)"):
        engine.ConvolutionTranspose(3, 3, kernel_size=2, stride=2)(coarse)


@pytest.mark.parametrize("value", [0, -1, (3, 3), (3, 3, 0)])
@pytest.mark.parametrize("name", ["kernel_size", "stride", "dilation"])
def test_sizes_of_layers(engine, name: str, value: int | tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{name} .* must be a positive integer, or 3, one per"):
        engine.Convolution(3, 4, **{"kernel_size": 3, name: value})
