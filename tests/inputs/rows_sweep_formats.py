"""Sweeps in the formats of datasets and robots."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from scipy.spatial import KDTree

from pointcontrast.recordings.lidar.nuscenes import write_sweep_folders
from tests.inputs.row import DATASETS, PREPARE, Row
from tests.inputs.rows_lidar import OPTIONS, is_the_street, stored_points, sweeps
from tests.recordings.lidar.release_writers import UTM, write_kitti360, write_nuscenes
from tests.recordings.lidar.ros_writers import write_bag
from tests.recordings.makers_sweeps import world_points

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


def _nuscenes(folder: Path) -> Sequence[object]:
    write_nuscenes(folder / "release", {"drive": sweeps()})
    return [DATASETS / "nuscenes.py", "sweeps", "release", "--output", "scenes"]


def _nuscenes_scene(folder: Path) -> Sequence[object]:
    write_nuscenes(folder / "release", {"drive": sweeps()})
    write_sweep_folders(folder / "release", folder / "scenes")
    return [PREPARE, "scenes/drive", "--output", "prepared", *OPTIONS]


def _nuscenes_release(folder: Path) -> Sequence[object]:
    write_nuscenes(folder / "release", {"drive": sweeps()})
    for name in ("samples", "sweeps"):
        shutil.rmtree(folder / "release" / name)
    return [PREPARE, "release", "--output", "prepared", *OPTIONS]


def _kitti360(folder: Path) -> Sequence[object]:
    write_kitti360(folder / "KITTI-360", sweeps(6), without=(1,))
    return [PREPARE, "KITTI-360", "--output", "prepared", *OPTIONS]


def _is_in_utm(folder: Path, said: str) -> None:
    (scene,) = (path.parent for path in (folder / "prepared").rglob("meta.json"))
    stored = stored_points(folder, scene.relative_to(folder / "prepared").as_posix())
    truth = world_points([each for i, each in enumerate(sweeps(6)) if i != 1])
    assert KDTree(truth).query(stored - UTM)[0].max() < 2e-3


ROWS = [
    Row(
        name="nuscenes-tables",
        kind="nuScenes",
        make=_nuscenes,
        says=("1 scenes, 4 sweeps of LIDAR_TOP", "next: python tools/prepare_pairs.py scenes"),
    ),
    Row(
        name="nuscenes-scene",
        kind="nuScenes",
        make=_nuscenes_scene,
        says=("hold 5 float32 per point",),
        check=is_the_street(),
    ),
    Row(
        name="nuscenes-release-itself",
        kind="nuScenes",
        make=_nuscenes_release,
        status=2,
        says=("it looks like nuScenes", "datasets/nuscenes.py sweeps"),
        absent=("prepared",),
    ),
    Row(
        name="kitti-360-in-utm-with-a-frame-without-pose",
        kind="A",
        make=_kitti360,
        says=("has poses of 5 of 6 sweeps",),
        check=_is_in_utm,
    ),
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
