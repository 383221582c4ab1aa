"""Every form of colours becomes the same uint8; other values are refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.colors import as_uint8_colors
from pointcontrast.errors import InputError

# Black, white and values whose quotients round both ways.
COLORS = np.array([[0, 0, 0], [255, 255, 255], [1, 127, 128], [254, 3, 85]], np.uint8)


@pytest.mark.parametrize(
    "given",
    [
        COLORS,
        COLORS.astype(np.int64),
        COLORS.astype(np.uint16),
        COLORS.tolist(),
        COLORS.astype(np.uint16) * 257,
        COLORS.astype(np.uint16) * 256,
        COLORS.astype(np.int32) * 257,
        COLORS / 255,
        (COLORS / 255).astype(np.float32),
        (COLORS / 255).astype(np.float32) * np.float32(1.0000002),
        COLORS.astype(np.float16),
        COLORS.astype(np.float64),
        np.asfortranarray(COLORS / 255),
    ],
    ids=lambda given: getattr(getattr(given, "dtype", None), "name", "list"),
)
def test_every_form_of_the_same_colours_gives_the_same_bytes(given):
    found = as_uint8_colors(given, "colors")
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, COLORS)


def test_float16_fractions_round_to_within_half_a_step():
    found = as_uint8_colors((COLORS / 255).astype(np.float16), "colors")
    assert np.abs(found.astype(int) - COLORS).max() <= 1


def test_floats_of_0_and_1_alone_are_black_and_white():
    np.testing.assert_array_equal(
        as_uint8_colors(np.array([[0.0, 1.0, 0.0]]), "colors"), [[0, 255, 0]]
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint16, np.float32, np.float64])
def test_all_zero_is_black_and_none_is_none(dtype):
    black = as_uint8_colors(np.zeros((4, 3), dtype), "colors")
    assert black.dtype == np.uint8
    assert not black.any()
    assert as_uint8_colors(np.zeros((0, 3), dtype), "colors").shape == (0, 3)


def test_a_dark_uint16_file_is_taken_for_0_to_255():
    # No rule can tell 200 of 65535 from 200 of 255; the second is what exporters write.
    dark = np.full((2, 3), 200, np.uint16)
    np.testing.assert_array_equal(as_uint8_colors(dark, "colors"), dark)


def test_uint8_is_not_copied():
    assert as_uint8_colors(COLORS, "colors") is COLORS


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.array([[0.5, np.nan, 0.5]]), "must not be NaN or infinite"),
        (np.array([[0.5, np.inf, 0.5]], np.float16), "must not be NaN or infinite"),
        (np.array([[0.5, -0.1, 0.5]]), r"must not be negative \(-0.1\)"),
        (np.array([[3, -1, 5]]), r"must not be negative \(-1\)"),
        (np.array([[3, 256, 5]]), r"a maximum of 256 are neither 0..255 nor"),
        (np.array([[3, 4095, 5]], np.uint16), r"a maximum of 4095 are neither 0..255 nor"),
        (np.array([[3, 70000, 5]]), r"must not exceed 65535 \(70000\)"),
        (np.array([[3.0, 255.5, 5.0]]), r"must not exceed 255 \(255.5\)"),
        (np.array([[0.2, 1.4, 0.1]]), "neither 0..1 nor 0..255"),
        (np.array([["1", "2", "3"]]), "must be numbers"),
        (np.array([[True, False, True]]), "must be numbers, not bool"),
        (np.zeros((2, 4), np.uint8), r"must have the shape \(N, 3\), not \(2, 4\)"),
        (np.zeros(3, np.uint8), r"must have the shape \(N, 3\), not \(3,\)"),
    ],
)
def test_what_is_no_colour_is_one_line(given, said):
    with pytest.raises(InputError, match=said) as caught:
        as_uint8_colors(given, "scan.ply")
    assert str(caught.value).startswith("scan.ply: ")
    assert "\n" not in str(caught.value)
