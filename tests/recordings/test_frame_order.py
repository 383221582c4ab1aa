"""Frames in the order of their numbers."""

from pathlib import Path

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.frame_order import order_by_number

PLACE = Path("velodyne")


@pytest.mark.parametrize(
    "ordered",
    [
        ["000000", "000001", "000010"],
        [str(i) for i in range(120)],
        [f"scan_{i}" for i in range(12)],
        [f"run2_scan{i}_v1" for i in (1, 9, 10, 100)],
        ["1305031102.1753", "1305031102.9", "1305031103.12"],
        ["n008__LIDAR_TOP__1526915243047392", "n008__LIDAR_TOP__1526915243547836"],
        ["first", "second", "third"],
        ["a_0001", "b_0000", "c"],  # several forms, one order
        ["999", "1000", "10000"],
    ],
)
def test_names_are_ordered_by_number(ordered):
    shuffled = [ordered[i] for i in np.random.default_rng(0).permutation(len(ordered))]
    assert order_by_number(shuffled, PLACE, "sweep") == ordered


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["1", "01", "2"], "01 and 1 are the same number"),
        (["left_9", "left_10", "right_9"], "several forms"),
        (["0a0c9f", "10b3", "9e1f77", "10a4"], "several forms"),
        (["scan 9", "scan 10", "scan-11"], "several forms"),
    ],
)
def test_an_uncertain_order_is_refused(names, reason):
    with pytest.raises(InputError, match=f"velodyne: .*{reason}"):
        order_by_number(names, PLACE, "sweep")
