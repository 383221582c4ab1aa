"""Sweeps of LiDARs with poses: records, order of names, and rows of poses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from pointcontrast.scenes.view_store import ViewStore
from tests.inputs.row import PREPARE, Row
from tests.recordings.lidar.sweep_scenes import (
    by_columns,
    camera_poses,
    inverted,
    opengl_poses,
    turned,
)
from tests.recordings.makers_sweeps import (
    SimulatedSweep,
    columns,
    street_sweeps,
    world_points,
    write_kitti,
    write_poses,
    write_sweep_folder,
)

OPTIONS = ("--overlap-voxel-size", "1", "--storage-grid", "0.05")
COMMAND = (PREPARE, "drive", "--output", "prepared", *OPTIONS)
_SEVERAL_GAPS = 12
UTM = np.array([4.5e5, 5.2e6, 300.0])


@cache
def sweeps(count: int = 4) -> list[SimulatedSweep]:
    return street_sweeps(count)


def stored_points(folder: Path, scene: str = "drive") -> NDArray[np.float64]:
    store = ViewStore(folder / "prepared" / scene)
    return np.concatenate([view.points for view in store[:]]).astype(np.float64) + store.meta.origin


def is_the_street(count: int = 4) -> Callable[[Path, str], None]:
    """Check that the prepared points are those of the sweeps, at the true places."""

    def check(folder: Path, said: str) -> None:
        stored, truth = stored_points(folder), world_points(sweeps(count))
        assert len(stored) > 0.3 * len(truth)
        assert KDTree(truth).query(stored)[0].max() < 2e-3  # stored in millimetres
        assert KDTree(stored).query(truth)[0].max() < 0.1  # thinned to 5 cm

    return check


def _records(width: int, dtype: str = "<f4", name: str = "{:06d}.bin") -> Callable:
    def make(folder: Path) -> Sequence[object]:
        write_sweep_folder(folder / "drive", sweeps(), width=width, dtype=dtype, name=name)
        return COMMAND

    return make


def _colored_records(folder: Path) -> Sequence[object]:
    write_sweep_folder(folder / "drive", sweeps())
    rng = np.random.default_rng(0)
    for i, sweep in enumerate(sweeps()):
        grey = rng.integers(20, 230, len(sweep.points))
        colors = np.clip(grey[:, None] + rng.integers(-20, 20, (len(grey), 3)), 0, 255)
        records = np.column_stack([sweep.points, colors]).astype("<f4")
        records.tofile(folder / "drive" / "sweeps" / f"{i:06d}.bin")
    return COMMAND


def _unpadded(folder: Path) -> Sequence[object]:
    write_sweep_folder(folder / "drive", sweeps(_SEVERAL_GAPS), name="{}.bin")
    return COMMAND


def _cut(folder: Path) -> Sequence[object]:
    path = write_sweep_folder(folder / "drive", sweeps()) / "sweeps" / "000001.bin"
    path.write_bytes(path.read_bytes()[:-4])
    return COMMAND


def _noise(folder: Path) -> Sequence[object]:
    rng = np.random.default_rng(0)
    for path in (write_sweep_folder(folder / "drive", sweeps()) / "sweeps").iterdir():
        path.write_bytes(rng.bytes(32_000))
    return COMMAND


def _few_numbers(*options: object) -> Callable[[Path], Sequence[object]]:
    def make(folder: Path) -> Sequence[object]:
        rng = np.random.default_rng(0)
        for path in (write_sweep_folder(folder / "drive", sweeps()) / "sweeps").iterdir():
            rng.uniform(-20, 20, 60).astype("<f4").tofile(path)
        return [*COMMAND, *options]

    return make


def _two_sizes(folder: Path) -> Sequence[object]:
    write_sweep_folder(folder / "drive", sweeps())
    path = folder / "drive" / "sweeps" / "000003.bin"
    columns(sweeps()[3], 5).astype("<f4").tofile(path)
    return COMMAND


def _rows(change: Callable[[list[NDArray[np.float64]]], list[Sequence[float]]]) -> Callable:
    def make(folder: Path) -> Sequence[object]:
        path = write_sweep_folder(folder / "drive", sweeps()) / "poses.txt"
        rows = change([each.pose for each in sweeps()])
        path.write_text("".join(f"{' '.join(map(repr, map(float, row)))}\n" for row in rows))
        return COMMAND

    return make


def _tum(poses: list[NDArray[np.float64]], start: float = 0.0) -> list[Sequence[float]]:
    return [
        [start + 0.1 * i, *pose[:3, 3], *Rotation.from_matrix(pose[:3, :3]).as_quat()]
        for i, pose in enumerate(poses)
    ]


def _timed_names(offset: float) -> Callable[[Path], Sequence[object]]:
    """Names in nanoseconds, and poses at other times, ``offset`` seconds later."""

    def make(folder: Path) -> Sequence[object]:
        start = 1_700_000_000.0
        write_sweep_folder(folder / "drive", sweeps())
        for i in range(4):
            old = folder / "drive" / "sweeps" / f"{i:06d}.bin"
            old.rename(old.with_stem(str(int(start) * 10**9 + i * 10**8)))
        rows = _tum([each.pose for each in sweeps()], start + offset)
        np.savetxt(folder / "drive" / "poses.txt", rows, fmt="%.9f")
        return COMMAND

    return make


def _subset(folder: Path) -> Sequence[object]:
    """A part of the sweeps with the poses of all, as part of KITTI is often downloaded."""
    write_sweep_folder(folder / "drive", sweeps(6))
    for name in ("000000", "000005"):
        (folder / "drive" / "sweeps" / f"{name}.bin").unlink()
    return COMMAND


def _is_the_middle(folder: Path, said: str) -> None:
    truth = world_points(sweeps(6)[1:5])
    assert KDTree(truth).query(stored_points(folder))[0].max() < 2e-3  # stored in millimetres


def _pose_missing(folder: Path) -> Sequence[object]:
    write_sweep_folder(folder / "drive", sweeps())
    write_poses(folder / "drive" / "poses.txt", [each.pose for each in sweeps()[:3]])
    return COMMAND


def _copied(folder: Path) -> Sequence[object]:
    path = write_sweep_folder(folder / "drive", sweeps(_SEVERAL_GAPS)) / "sweeps" / "000003.bin"
    (path.with_stem("000003 - Copy")).write_bytes(path.read_bytes())
    return COMMAND


def _claimed(change: Callable[[list], list], *options: object) -> Callable:
    """The recording with the poses of another convention, and options."""

    def make(folder: Path) -> Sequence[object]:
        path = write_sweep_folder(folder / "drive", sweeps(6), sweep_folder="velodyne")
        write_poses(path / "poses.txt", change([each.pose for each in sweeps(6)]))
        return [*COMMAND, *options]

    return make


def _kitti_with_own_poses(folder: Path) -> Sequence[object]:
    """``calib.txt`` of KITTI, but poses of the LiDAR, as KISS-ICP writes them."""
    path = write_kitti(folder, sweeps(6))
    write_poses(path / "poses.txt", [each.pose for each in sweeps(6)])
    return [PREPARE, "sequences/04", "--output", "prepared", *OPTIONS]


def _far_away(folder: Path) -> Sequence[object]:
    """Poses in UTM."""
    poses = [each.pose.copy() for each in sweeps(6)]
    for pose in poses:
        pose[:3, 3] += UTM
    write_sweep_folder(folder / "drive", sweeps(6))
    write_poses(folder / "drive" / "poses.txt", poses)
    return COMMAND


def _is_far_away(folder: Path, said: str) -> None:
    stored = stored_points(folder)
    assert KDTree(world_points(sweeps(6))).query(stored - UTM)[0].max() < 2e-3


def _is_the_street_of_the_camera(folder: Path, said: str) -> None:
    """In the world of KITTI's: that of the LiDAR's first position."""
    first = np.linalg.inv(sweeps(6)[0].pose)
    truth = world_points(sweeps(6)) @ first[:3, :3].T + first[:3, 3]
    assert KDTree(truth).query(stored_points(folder))[0].max() < 0.05  # without the lever arm


def _has_colors(folder: Path, said: str) -> None:
    is_the_street()(folder, said)


ROWS = [
    *(
        Row(
            name=f"sweeps-of-{width}-{dtype}",
            kind="I",
            make=_records(width, code),
            says=(f"hold {width} {dtype} per point", "--floats-per-point"),
            check=is_the_street(),
            source=source,
        )
        for width, dtype, code, source in (
            (3, "float32", "<f4", ""),
            (5, "float32", "<f4", "lyft/nuscenes-devkit#85"),
            (6, "float32", "<f4", ""),
            (7, "float32", "<f4", ""),
            (3, "float64", "<f8", "suhaisheng/RoboSense#3"),
            (4, "float64", "<f8", ""),
        )
    ),
    Row(name="sweeps-of-4-float32", kind="I", make=_records(4), check=is_the_street()),
    Row(
        name="sweeps-named-pcd-bin",
        kind="I",
        make=_records(5, name="drive__LIDAR_TOP__15269152430{:05d}.pcd.bin"),
        says=("hold 5 float32 per point",),
        check=is_the_street(),
    ),
    Row(
        name="sweeps-of-6-with-colours",
        kind="I",
        make=_colored_records,
        says=("hold 6 float32 per point",),
        check=_has_colors,
        source="open-mmlab/mmdetection3d#1513",
    ),
    Row(
        name="sweep-names-not-padded",
        kind="I",
        make=_unpadded,
        check=is_the_street(_SEVERAL_GAPS),
    ),
    Row(
        name="sweep-cut-within-a-point",
        kind="D",
        make=_cut,
        says=("1 frames skipped",),
    ),
    Row(
        name="sweeps-of-noise",
        kind="I",
        make=_noise,
        status=1,
        says=("000000.bin", "it does not hold 3 to 8 float32"),
        absent=("prepared/drive",),
    ),
    Row(
        name="sweeps-that-do-not-tell-their-records",
        kind="I",
        make=_few_numbers(),
        status=1,
        says=("may hold", "--floats-per-point"),
        absent=("prepared/drive",),
    ),
    Row(
        name="sweeps-of-two-record-sizes",
        kind="I",
        make=_two_sizes,
        says=("1 frames skipped",),
    ),
    Row(
        name="intrinsics-of-sweeps",
        kind="G",
        make=lambda folder: [*_records(4)(folder), "--depth-scale", "1000"],
        status=1,
        says=("for which --depth-scale has no meaning",),
    ),
    Row(
        name="sweep-poses-of-tum",
        kind="H",
        make=_rows(_tum),
        check=is_the_street(),
        source="PRBonn/kiss-icp writes *_tum.txt",
    ),
    Row(
        name="sweep-poses-numbered-in-any-order",
        kind="I",
        make=_rows(lambda poses: [[i, *poses[i][:3].ravel()] for i in (2, 0, 3, 1)]),
        check=is_the_street(),
    ),
    Row(
        name="sweep-times-and-pose-times",
        kind="I",
        make=_timed_names(0.0),
        says=("are taken at the times in their names",),
        check=is_the_street(),
    ),
    Row(
        name="sweep-times-and-pose-times-far-apart",
        kind="I",
        make=_timed_names(5.0),
        status=1,
        says=("do the names and the rows count from the same time?",),
        absent=("prepared/drive",),
    ),
    Row(
        name="part-of-the-sweeps-with-all-poses",
        kind="I",
        make=_subset,
        says=("each sweep takes the row of its number",),
        check=_is_the_middle,
    ),
    *(
        Row(
            name=f"sweep-poses-{name}",
            kind="I",
            make=_claimed(change),
            status=1,
            says=("do not fit together as they are read", fix),
            absent=("prepared/drive",),
            source=source,
        )
        for name, change, fix, source in (
            ("inverted", inverted, "--poses inverse", ""),
            ("of-kittis-camera", camera_poses, "--axes opencv", "hengli/camodocal#101"),
            ("of-an-opengl-camera", opengl_poses, "--axes opengl", ""),
            ("of-the-vehicle", turned, "write the poses of the sensor itself", ""),
            ("by-columns", by_columns, "the rotations transposed", ""),
        )
    ),
    Row(
        name="sweep-poses-of-other-sweeps",
        kind="I",
        make=_claimed(lambda poses: [poses[i] for i in (3, 0, 5, 1, 4, 2)]),
        status=1,
        says=("by any convention", "are these the poses of these sweeps"),
        absent=("prepared/drive",),
    ),
    Row(
        name="sweep-poses-inverted-and-stated",
        kind="I",
        make=_claimed(inverted, "--poses", "inverse"),
        check=is_the_street(6),
    ),
    Row(
        name="sweep-poses-of-a-camera-and-stated",
        kind="I",
        make=_claimed(camera_poses, "--axes", "opencv"),
        check=_is_the_street_of_the_camera,
    ),
    Row(
        name="kitti-calibration-with-poses-of-the-lidar",
        kind="I",
        make=_kitti_with_own_poses,
        status=1,
        says=("do not fit together as they are read", "write the row Tr of calib.txt"),
        absent=("prepared/04",),
        source="jbehley/point_labeler#43",
    ),
    Row(name="sweep-poses-in-utm", kind="A", make=_far_away, check=_is_far_away),
    Row(
        name="a-pose-too-few",
        kind="C",
        make=_pose_missing,
        status=1,
        says=("has 3 rows for 4 sweeps", "give one row per sweep"),
        absent=("prepared/drive",),
    ),
    Row(
        name="a-copy-of-a-sweep",
        kind="E",
        make=_copied,
        status=1,
        says=("000003 - Copy", "order is uncertain"),
        absent=("prepared/drive",),
    ),
]
