"""Coordinate sets and kernel maps, compiled and by torch, against lookups in dictionaries."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointcontrast.sparse import kernel_library, kernel_offsets
from pointcontrast.sparse.compiled_coordinates import BLOCK_ROWS
from pointcontrast.sparse.coordinates import LARGEST_COORDINATE, CoordinateManager
from pointcontrast.sparse.kernel_map import KernelMap, MapSide
from tests.oracles import sparse_convolution as oracle
from tests.oracles.engines import random_coordinates

# the fixture that selects the implementation is the same for every example
EACH_PATH = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# offsets of a cluster of places: zero, and both ends of the allowed range
CORNERS = (0, -LARGEST_COORDINATE, LARGEST_COORDINATE - 16, 12345, -777)


@st.composite
def coordinate_sets(draw: st.DrawFn) -> torch.Tensor:
    dimension = draw(st.sampled_from([3, 2, 4, 1]))
    num = draw(st.sampled_from([300, 600, 129, 128, 127, 30, 2, 1, 0]))
    coordinates = random_coordinates(
        num, dimension, extent=8, samples=draw(st.sampled_from([(0,), (0, 3)])),
        seed=draw(st.integers(0, 10**6)),
    )  # fmt: skip
    corner = [draw(st.sampled_from(CORNERS)) for _ in range(dimension)]
    # random_coordinates is within +-extent, and must stay in the range at a corner
    coordinates[:, 1:] += torch.tensor([c + 8 if c == CORNERS[1] else c for c in corner]).int()
    return coordinates


def maps(manager: CoordinateManager, draw: st.DataObject) -> tuple[KernelMap, tuple, tuple, tuple]:
    """A random kernel map of the manager, with its arguments: stride, coarser stride, taps."""
    dimension = manager.dimension

    def each(values: list[int]) -> tuple[int, ...]:
        return draw.draw(st.tuples(*[st.sampled_from(values)] * dimension))

    stride = manager.downsample((1,) * dimension, each([1, 1, 2, 3]))
    factor, dilation = each([1, 1, 2, 3, 5]), each([1, 1, 2, 7])
    sizes = each([3, 2, 1]) if dimension > 2 else each([3, 2, 1, 4, 5])
    regions = ["hypercube", "cell"] + (["hybrid"] if all(s % 2 for s in sizes) else [])
    region = draw.draw(st.sampled_from(regions))
    found = manager.kernel_map(stride, factor, sizes, dilation, region)  # pyright: ignore
    wider = tuple(s * f for s, f in zip(stride, factor, strict=True))
    taps = [
        tuple(s * d * o for s, d, o in zip(stride, dilation, tap, strict=True))
        for tap in kernel_offsets(sizes, region).tolist()  # pyright: ignore
    ]
    return found, stride, wider, tuple(taps)


def slow_map(inputs: torch.Tensor, outputs: torch.Tensor, taps: tuple) -> list[set]:
    """Pairs of rows of each tap."""
    row_of = {tuple(c): row for row, c in enumerate(inputs.tolist())}
    result = []
    for tap in taps:
        ends = [
            (row, (b, *(p + t for p, t in zip(place, tap, strict=True))))
            for row, (b, *place) in enumerate(outputs.tolist())
        ]
        result.append({(row_of[end], row) for row, end in ends if end in row_of})
    return result


def check_side(side: MapSide, coordinates: torch.Tensor, starts: list[int]) -> None:
    """``order`` sorts the places, rows of a tap follow it, and ``cuts`` are its blocks."""
    assert side.num_rows == len(coordinates)
    places = coordinates.tolist()
    assert side.order.tolist() == sorted(range(len(places)), key=lambda row: places[row])
    position = torch.empty(len(places), dtype=torch.long)
    position[side.order.long()] = torch.arange(len(places))
    num_blocks = -(-len(places) // BLOCK_ROWS)
    assert side.cuts is None or side.cuts.shape == (len(starts) - 1, num_blocks + 1)
    for tap, (start, end) in enumerate(pairwise(starts)):
        here = position[side.rows[start:end].long()]
        assert (here.diff() > 0).all()
        if side.cuts is not None:
            cuts = [int((here < b * BLOCK_ROWS).sum()) for b in range(num_blocks + 1)]
            assert side.cuts[tap].tolist() == cuts


@pytest.fixture(params=["compiled", "torch"])
def path(request: pytest.FixtureRequest):
    if request.param == "compiled":
        request.getfixturevalue("library")
        yield "compiled"
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_library, "available", lambda: False)
        yield "torch"


@settings(EACH_PATH, max_examples=80)
@given(coordinates=coordinate_sets(), draw=st.data())
def test_maps_are_the_lookups(path: str, coordinates: torch.Tensor, draw: st.DataObject) -> None:
    manager = CoordinateManager(coordinates)
    found, stride, wider, taps = maps(manager, draw)
    for each in (stride, wider):
        floored = oracle.floored([tuple(c) for c in coordinates.tolist()], each)
        if max(each) > 1:  # computed sets are sorted; the input keeps its order
            assert manager.coordinates(each).tolist() == [list(p) for p in sorted(floored)]
    inputs, outputs = manager.coordinates(stride), manager.coordinates(wider)
    starts = found.tap_starts.tolist()
    assert starts[0] == 0
    assert starts[-1] == len(found.inputs.rows) == len(found.outputs.rows)
    rows = list(zip(found.inputs.rows.tolist(), found.outputs.rows.tolist(), strict=True))
    pairs = [rows[start:end] for start, end in pairwise(starts)]
    assert [set(tap) for tap in pairs] == slow_map(inputs, outputs, taps)
    assert sum(len(set(tap)) for tap in pairs) == len(rows)  # no duplicate entry
    check_side(found.inputs, inputs, starts)
    check_side(found.outputs, outputs, starts)
    assert (found.inputs.cuts is None) == (path == "torch")
    turned = found.transposed()
    assert (turned.inputs, turned.outputs) == (found.outputs, found.inputs)
    counts = [sum(row == pair[1] for pair in rows) for row in range(len(outputs))]
    assert len(outputs) > 60 or found.counts.tolist() == counts


@pytest.mark.usefixtures("library")
@settings(EACH_PATH, max_examples=60)
@given(coordinates=coordinate_sets(), draw=st.data())
def test_compiled_maps_equal_torchs(coordinates: torch.Tensor, draw: st.DataObject) -> None:
    """Row for row, not only as sets."""
    compiled = CoordinateManager(coordinates)
    found, stride, wider, _ = maps(compiled, draw)
    key = next(iter(compiled._maps))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_library, "available", lambda: False)
        plain = CoordinateManager(coordinates)
        plain.downsample((1,) * plain.dimension, stride)
        expected = plain.kernel_map(*key)
    for each in (stride, wider):
        assert torch.equal(compiled.coordinates(each), plain.coordinates(each))
    assert torch.equal(found.tap_starts, expected.tap_starts)
    for ours, theirs in ((found.inputs, expected.inputs), (found.outputs, expected.outputs)):
        for name in ("rows", "order"):
            a, b = getattr(ours, name), getattr(theirs, name)
            assert a.dtype == b.dtype == torch.int32
            assert torch.equal(a, b)


def test_both_ends_of_the_range_at_once(path: str) -> None:
    """The full range of one dimension: keys need 31 bits per column, and floors leave the range."""
    ends = [-LARGEST_COORDINATE, -LARGEST_COORDINATE + 1, 0, LARGEST_COORDINATE]
    coordinates = torch.tensor([[sample, end] for sample in (9, 0) for end in ends]).int()
    manager = CoordinateManager(coordinates)
    found = manager.kernel_map((1,), (1,), (3,), (LARGEST_COORDINATE,), "hypercube")
    pairs = set(zip(found.inputs.rows.tolist(), found.outputs.rows.tolist(), strict=True))
    near = {(a, b) for a in (0, 2, 3) for b in (0, 2, 3) if {a, b} != {0, 3}}
    same = {(row, row) for row in range(8)}
    assert pairs == same | near | {(a + 4, b + 4) for a, b in near}
    wide = manager.downsample((1,), (LARGEST_COORDINATE - 1,))
    step = LARGEST_COORDINATE - 1
    floors = [-2 * step, -step, 0, step]
    assert manager.coordinates(wide).tolist() == [[b, f] for b in (0, 9) for f in floors]


def test_duplicates_are_counted(path: str) -> None:
    coordinates = random_coordinates(300)
    for rows in ([0], [0, 0, 5], list(range(len(coordinates)))):
        again = torch.cat([coordinates, coordinates[rows]])
        with pytest.raises(ValueError, match=f"hold {len(rows)} duplicate rows"):
            CoordinateManager(again)
