"""Sweeps in the formats of datasets and robots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tests.inputs.row import PREPARE, Row
from tests.inputs.rows_lidar import OPTIONS, is_the_street, sweeps
from tests.recordings.lidar.ros_writers import write_bag

COMMAND = (PREPARE, "drive", "--output", "prepared", *OPTIONS)


def _bag(kind: str, poses: str = "odometry", *options: object, **more) -> Callable:
    def make(folder: Path) -> Sequence[object]:
        name = "drive.bag" if kind == "bag" else "drive"
        write_bag(folder / name, sweeps(), kind, poses, **more)
        return [PREPARE, name, "--output", "prepared", *OPTIONS, *options]

    return make


def _cut_bag(folder: Path) -> Sequence[object]:
    path = write_bag(folder / "drive.bag", sweeps(), "bag")
    path.write_bytes(path.read_bytes()[:100_000])
    return [PREPARE, "drive.bag", "--output", "prepared", *OPTIONS]


ROWS = [
    Row(
        name="bag-of-ros-1",
        kind="ROS",
        make=_bag("bag"),
        says=("sweeps are those of /points, poses those of /odom",),
        check=is_the_street(),
    ),
    Row(name="bag-of-ros-2-in-sqlite", kind="ROS", make=_bag("db3"), check=is_the_street()),
    Row(
        name="bag-of-ros-2-in-mcap-with-a-tree-of-frames",
        kind="ROS",
        make=_bag("mcap", "tree"),
        says=("poses those of /tf",),
        check=is_the_street(),
    ),
    Row(
        name="bag-with-two-topics-of-clouds",
        kind="ROS",
        make=_bag("db3", second_cloud=True),
        status=1,
        says=("/filtered, /points", "--topics SWEEPS POSES"),
        absent=("prepared/drive",),
    ),
    Row(
        name="bag-with-topics-stated",
        kind="ROS",
        make=_bag("db3", "odometry", "--topics", "/points", "/odom", second_cloud=True),
        check=is_the_street(),
    ),
    Row(
        name="bag-whose-poses-are-of-another-time",
        kind="ROS",
        make=_bag("db3", offset=100.0),
        status=1,
        says=("count from the same time?",),
        absent=("prepared/drive",),
        source="ouster-lidar/ouster-sdk#48",
    ),
    Row(
        name="bag-cut-short",
        kind="ROS",
        make=_cut_bag,
        status=1,
        says=("drive.bag is damaged or no bag of ROS",),
        absent=("prepared/drive",),
    ),
]
