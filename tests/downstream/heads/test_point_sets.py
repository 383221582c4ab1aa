"""Operations on sets of points: against loops, and the compiled ones against PyTorch's, exactly."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from downstream.heads import point_sets
from downstream.heads.point_set_kernels import set_kernels, without_set_kernels
from downstream.heads.point_sets import (
    ball_query,
    farthest_points,
    group,
    interpolate,
    three_nearest,
)
from pointcontrast.compiled.library import SWITCH
from tests.oracles import point_sets as loops

FORMS = ["compiled", "torch"]
KINDS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "random": lambda rng, num: rng.normal(size=(num, 3)),
    "surfaces": lambda rng, num: rng.uniform(size=(num, 3)) * np.eye(3)[rng.integers(0, 3, num)],
    "duplicates": lambda rng, num: rng.normal(size=(num, 3))[rng.integers(0, num // 5 + 1, num)],
    "all the same": lambda rng, num: np.repeat(rng.normal(size=(1, 3)), num, axis=0),
    "collinear": lambda rng, num: rng.uniform(size=(num, 1)) * [1, -2, 3],
    "grid": lambda rng, num: rng.integers(-3, 3, (num, 3)) * 0.25,
    "far away": lambda rng, num: rng.normal(size=(num, 3)) * 0.01 + [1e4, -1e4, 0],
    # all as far from the first as one another, but for rounding
    "permuted": lambda rng, num: np.concatenate(
        [np.zeros((1, 3)), rng.permuted(np.tile(rng.normal(size=3), (num - 1, 1)), axis=1)]
    ),
    "one outlier": lambda rng, num: np.concatenate([rng.normal(size=(num - 1, 3)), [[1e9] * 3]]),
}  # fmt: skip


def make(kind: str, *shape: int, seed: int = 0) -> torch.Tensor:
    """(*shape, 3) points of a kind, float32."""
    points = KINDS[kind](np.random.default_rng(seed), int(np.prod(shape)))
    return torch.from_numpy(points.astype(np.float32)).reshape(*shape, 3)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the test with the kernels and without."""
    if request.param == "torch":
        monkeypatch.setattr(point_sets, "MAX_PAIRS", 1000)  # several blocks of rows
        with without_set_kernels():
            assert set_kernels() is None
            yield
        return
    if set_kernels() is None:
        assert shutil.which("c++") is None, "there is a compiler, yet the kernels were not built"
        pytest.skip("no C++ compiler on this machine: the kernels were not built")
    yield


@pytest.fixture
def three_threads() -> Iterator[None]:
    num_threads = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(num_threads)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("kind", KINDS)
def test_farthest_points_are_those_of_loops(kind: str) -> None:
    sizes = [1, 130, 7, 64, 65]
    points = torch.cat([make(kind, size, seed=size) for size in sizes])
    offsets = tuple(np.cumsum([0, *sizes]).tolist())
    for num in (1, 20):
        found = farthest_points(points, offsets, num)
        assert found.dtype == torch.int64
        assert found.tolist() == loops.farthest_points(points.numpy(), offsets, num)


@pytest.mark.usefixtures("form")
def test_farthest_points_of_a_square_and_its_middle() -> None:
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 0]])
    assert farthest_points(corners, (0, 5), 5).tolist() == [[0, 2, 1, 3, 4]]
    # fewer than asked for: again from the start, in the order chosen
    assert farthest_points(corners[1:4], (0, 3), 8).tolist() == [[0, 2, 1, 0, 2, 1, 0, 2]]


@pytest.mark.usefixtures("form")
def test_every_row_is_chosen_before_one_comes_again() -> None:
    for kind in KINDS:
        chosen = farthest_points(make(kind, 150), (0, 150), 150)
        assert sorted(chosen[0].tolist()) == list(range(150)), kind


@pytest.mark.usefixtures("form")
def test_farthest_points_refuses_what_has_no_farthest_point() -> None:
    points = make("random", 6)
    with pytest.raises(ValueError, match=r"cloud 1 of 3 has no point"):
        farthest_points(points, (0, 2, 2, 6), 2)
    for value in (float("nan"), float("inf"), float("-inf")):
        broken = points.clone()
        broken[5, 1] = value
        with pytest.raises(ValueError, match="NaN or infinite"):
            farthest_points(broken, (0, 6), 2)


@pytest.mark.usefixtures("form")
def test_other_types_and_layouts_are_sampled_as_their_float32_values() -> None:
    points = make("random", 90)
    columns = torch.empty(3, 90, dtype=torch.float64)
    columns[:] = points.T
    expected = farthest_points(points, (0, 40, 90), 8)
    given = columns.T.requires_grad_()
    assert torch.equal(farthest_points(given, (0, 40, 90), 8), expected)
    nearly = torch.tensor([[0, 0, 0], [1, 0, 0], [1 + 1e-12, 0, 0]], dtype=torch.float64)
    assert farthest_points(nearly, (0, 3), 2).tolist() == [[0, 1]]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(list(KINDS)),
    sizes=st.lists(st.integers(2, 1500), min_size=1, max_size=3),
    num=st.integers(1, 300),
)
def test_compiled_sampling_is_that_of_torch(
    seed: int, kind: str, sizes: list[int], num: int
) -> None:
    points = torch.cat([make(kind, size, seed=seed + size) for size in sizes])
    offsets = tuple(np.cumsum([0, *sizes]).tolist())
    without = point_sets._farthest_in_torch(points, offsets, num)
    assert torch.equal(farthest_points(points, offsets, num), without)


@pytest.mark.parametrize("kind", ["random", "surfaces"])
def test_compiled_sampling_of_many_blocks_is_that_of_torch(kind: str) -> None:
    points = make(kind, 8000)
    without = point_sets._farthest_in_torch(points, (0, 8000), 1200)
    assert torch.equal(farthest_points(points, (0, 8000), 1200), without)


@pytest.mark.usefixtures("form")
def test_a_full_ball_takes_no_more() -> None:
    points = make("all the same", 1, 20_000)
    assert ball_query(points, points[:, :2], 0.5, 3).tolist() == [[[0, 1, 2], [0, 1, 2]]]


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("radius", "num"), [(0.25, 5), (0.9, 16), (1e-6, 3), (3.0, 200)])
def test_balls_are_those_of_loops(kind: str, radius: float, num: int) -> None:
    points = make(kind, 2, 130)
    centers = torch.cat([points[:, ::9], make("random", 2, 3, seed=9) + 50], dim=1)  # some: none
    found = ball_query(points, centers, radius, num)
    assert found.dtype == torch.int64
    for rows, cloud, middles in zip(found, points, centers, strict=True):
        assert rows.tolist() == loops.ball_query(cloud.numpy(), middles.numpy(), radius, num)


@pytest.mark.usefixtures("form")
def test_a_point_at_the_radius_is_outside() -> None:
    points = torch.tensor([[[9.0, 9, 9], [0.25, 0, 0], [0.2, 0, 0], [0, 0, 0]]])
    middle = torch.zeros(1, 1, 3)
    assert ball_query(points, middle, 0.25, 4).tolist() == [[[2, 3, 2, 2]]]
    # the square of 0.35 in float32 is below 0.1225 rounded to float32
    points[0, 1, 0] = 0.35
    assert ball_query(points, middle, 0.35, 2).tolist() == [[[2, 3]]]
    points[0, 3, 1] = float("nan")
    assert ball_query(points, middle, 0.35, 2).tolist() == [[[2, 2]]]


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_known", [1, 2, 3, 4, 150])
def test_the_three_nearest_are_those_of_loops(kind: str, num_known: int) -> None:
    points = torch.stack([make(kind, 30), make("random", 30)])
    known = torch.stack([make(kind, num_known, seed=1), make(kind, num_known, seed=2)])
    squares, rows = three_nearest(points, known)
    assert (squares.dtype, rows.dtype) == (torch.float32, torch.int64)
    for cloud in range(2):
        expected = loops.three_nearest(points[cloud].numpy(), known[cloud].numpy())
        np.testing.assert_array_equal(squares[cloud], expected[0])
        assert rows[cloud].tolist() == expected[1]


def test_float64_is_searched_in_float64() -> None:
    known = torch.tensor([[[1 + 1e-12, 0, 0], [1, 0, 0], [1 + 2e-12, 0, 0]]], dtype=torch.float64)
    middle = torch.zeros(1, 1, 3, dtype=torch.float64)
    squares, rows = three_nearest(middle, known)
    assert squares.dtype == torch.float64
    assert rows.tolist() == [[[1, 0, 2]]]
    assert ball_query(known, middle, 1 + 1e-12, 2).tolist() == [[[1, 1]]]


@pytest.mark.usefixtures("form", "three_threads")
def test_threads_change_nothing() -> None:
    points = make("duplicates", 5, 90)
    offsets = tuple(range(0, 451, 90))
    many = (
        farthest_points(points.reshape(-1, 3), offsets, 30),
        ball_query(points, points[:, :20], 0.8, 6),
        *three_nearest(points, points[:, :20]),
    )
    torch.set_num_threads(1)
    one = (
        farthest_points(points.reshape(-1, 3), offsets, 30),
        ball_query(points, points[:, :20], 0.8, 6),
        *three_nearest(points, points[:, :20]),
    )
    for ours, theirs in zip(many, one, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.usefixtures("three_threads")
def test_gradients_of_groups_are_the_same_every_time() -> None:
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(1, 64, 64, generator=rng, requires_grad=True)
    rows = torch.randint(0, 64, (1, 4096, 4), generator=rng)
    grad = torch.randn(1, 4096, 4, 64, generator=rng)
    first = None
    for num_threads in (3, 3, 3, 1):
        torch.set_num_threads(num_threads)
        (found,) = torch.autograd.grad(group(features, rows), features, grad)
        first = found if first is None else first
        assert torch.equal(found, first)


def test_groups_are_rows_of_their_own_cloud() -> None:
    features = torch.arange(24.0).reshape(2, 4, 3)
    rows = torch.tensor([[[0, 3], [1, 1]], [[2, 0], [3, 3]]])
    grouped = group(features, rows)
    assert grouped.shape == (2, 2, 2, 3)
    for cloud, middle, k in np.ndindex(2, 2, 2):
        assert torch.equal(grouped[cloud, middle, k], features[cloud, rows[cloud, middle, k]])
    assert torch.equal(group(features.transpose(1, 2).contiguous().transpose(1, 2), rows), grouped)


def test_interpolation_by_hand() -> None:
    features = torch.tensor([[[0.0, 1], [10, 1], [20, 3]]])
    weights = torch.tensor([[[0.5, 0.25, 0.25], [0, 0, 1]]])
    rows = torch.tensor([[[2, 1, 0], [0, 0, 1]]])
    assert interpolate(features, rows, weights).tolist() == [[[12.5, 2.0], [10.0, 1.0]]]


def test_gradients() -> None:
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(2, 5, 3, generator=rng, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 4, 3, generator=rng, dtype=torch.float64, requires_grad=True)
    rows = torch.randint(0, 5, (2, 4, 3), generator=rng)
    assert torch.autograd.gradcheck(lambda x: group(x, rows), features)
    assert torch.autograd.gradcheck(lambda x, w: interpolate(x, rows, w), (features, weights))


def test_the_switch_leaves_the_kernels_out() -> None:
    code = """
import torch
from downstream.heads.point_set_kernels import set_kernels
from downstream.heads.point_sets import farthest_points
print(set_kernels(), farthest_points(torch.eye(3), (0, 3), 2).tolist())
"""
    run = subprocess.run(
        [sys.executable, "-c", code], env={SWITCH: "0"}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "None [[0, 1]]"
