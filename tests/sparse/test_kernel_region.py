from __future__ import annotations

import pytest

from pointcontrast.sparse import kernel_offsets
from pointcontrast.sparse.kernel_region import kernel_volume
from tests.oracles.sparse_convolution import cube_taps

# Order of the 3x3x3 hybrid kernel, from the loop of convert_region_type in MinkowskiEngine v0.4.3,
# MinkowskiEngine/Common.py.
HYBRID_3D = """
 0  0  0  -1  0  0   1  0  0   0 -1  0   0  1  0  -1 -1  0  -1  1  0   1 -1  0   1  1  0
 0  0 -1   0  0  1  -1  0 -1  -1  0  1   1  0 -1   1  0  1   0 -1 -1   0 -1  1   0  1 -1
 0  1  1  -1 -1 -1  -1 -1  1  -1  1 -1  -1  1  1   1 -1 -1   1 -1  1   1  1 -1   1  1  1
"""
# Permutation to the order of MinkowskiEngine 0.5: kernel_05 = kernel_04[PERMUTATION].
PERMUTATION = [
    19, 15, 23, 11, 9, 13, 21, 17, 25, 5, 3, 7, 1, 0,
    2, 6, 4, 8, 20, 16, 24, 12, 10, 14, 22, 18, 26,
]  # fmt: skip


def test_cube_of_3_follows_the_formula() -> None:
    expected = [[i % 3 - 1, i // 3 % 3 - 1, i // 9 - 1] for i in range(27)]
    assert kernel_offsets((3, 3, 3)).tolist() == expected


def test_cube_of_2_starts_at_the_place_itself() -> None:
    expected = [[i % 2, i // 2 % 2, i // 4] for i in range(8)]
    assert kernel_offsets((2, 2, 2)).tolist() == expected


@pytest.mark.parametrize(
    "kernel_size",
    [(1,), (5,), (5, 5, 5), (2, 3), (3, 3, 3, 1), (2, 2, 2, 1), (3, 3, 3, 3), (4, 1, 5)],
)
def test_cubes_of_any_size(kernel_size: tuple[int, ...]) -> None:
    taps = kernel_offsets(kernel_size)
    assert [tuple(tap) for tap in taps.tolist()] == cube_taps(kernel_size)
    assert kernel_volume(kernel_size) == len(taps)


def test_cell_is_never_centred() -> None:
    assert kernel_offsets((3, 2), "cell").tolist() == [
        [0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1],
    ]  # fmt: skip
    assert kernel_volume((3, 2), "cell") == 6


def hybrid_3d() -> list[list[int]]:
    numbers = [int(n) for n in HYBRID_3D.split()]
    return [numbers[i : i + 3] for i in range(0, len(numbers), 3)]


def test_hybrid_in_space_is_the_old_order_of_a_cube() -> None:
    assert kernel_offsets((3, 3, 3), "hybrid").tolist() == hybrid_3d()
    assert kernel_volume((3, 3, 3), "hybrid") == 27


def test_hybrid_order_permuted_is_the_new_order() -> None:
    hybrid = kernel_offsets((3, 3, 3), "hybrid")
    assert hybrid[PERMUTATION].tolist() == kernel_offsets((3, 3, 3)).tolist()


def test_hybrid_with_time_adds_a_cross() -> None:
    taps = kernel_offsets((3, 3, 3, 3), "hybrid").tolist()
    assert len(taps) == 29 == kernel_volume((3, 3, 3, 3), "hybrid")
    assert taps[:27] == [[*tap, 0] for tap in hybrid_3d()]
    assert taps[27:] == [[0, 0, 0, -1], [0, 0, 0, 1]]


def test_hybrid_of_5() -> None:
    taps = [tuple(tap) for tap in kernel_offsets((3, 3, 3, 5), "hybrid").tolist()]
    assert taps[27:] == [(0, 0, 0, step) for step in (-2, -1, 1, 2)]
    assert len(set(kernel_offsets((5, 5, 5), "hybrid").unique(dim=0))) == 125


def test_bad_regions_are_named() -> None:
    with pytest.raises(ValueError, match=r"odd sizes, not \(2, 2, 2\)"):
        kernel_offsets((2, 2, 2), "hybrid")
    with pytest.raises(ValueError, match="'cross' is unknown; use hypercube or hybrid"):
        kernel_offsets((3, 3, 3), "cross")  # pyright: ignore[reportArgumentType]
