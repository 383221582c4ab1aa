"""Recordings in the layout of TUM RGB-D, and what users bring in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import Frame
from tests.inputs.makers_tables import (
    COUNT,
    all_right,
    change_rows,
    prepare,
    remove,
    slow_walk,
    unchanged,
)
from tests.inputs.row import Row
from tests.recordings.rgbd.writers.pose_tables import pose_row
from tests.recordings.rgbd.writers.tum import write_associations, write_tum


def _in_millimetres(folder: Path, frames: list[Frame]) -> Path:
    return write_tum(folder, frames, units_per_metre=1000)


def _scalar_first(folder: Path) -> None:
    order = [0, 1, 2, 3, 7, 4, 5, 6]
    change_rows(
        folder / "groundtruth.txt",
        lambda rows: [" ".join(row.split()[k] for k in order) for row in rows],
    )


def _world_to_camera(folder: Path) -> None:
    def inverted(row: str) -> str:
        numbers = [float(word) for word in row.split()]
        rotation = Rotation.from_quat(numbers[4:]).inv()
        pose = np.eye(4)
        pose[:3, :3] = rotation.as_matrix()
        pose[:3, 3] = -rotation.apply(numbers[1:4])
        return pose_row(numbers[0], pose)

    change_rows(folder / "groundtruth.txt", lambda rows: [inverted(row) for row in rows])


def _without_partners(folder: Path) -> None:
    change_rows(folder / "rgb.txt", lambda rows: rows[1:])
    change_rows(folder / "groundtruth.txt", lambda rows: rows[:-2])  # an interval without mocap


def _bad_rows(folder: Path) -> None:
    change_rows(
        folder / "groundtruth.txt",
        lambda rows: [*rows, "1305031453.9 1 2", "1305031454.0 0 0 0 0 0 0 0", "1 nan 0 0 0 0 0 1"],
    )
    change_rows(folder / "depth.txt", lambda rows: [*rows, "1305031453.9"])


def _doubled_rows(folder: Path) -> None:
    for name in ("rgb.txt", "depth.txt"):
        change_rows(folder / name, lambda rows: [*rows, *rows])
    change_rows(
        folder / "groundtruth.txt",
        lambda rows: [*rows, *(f"{row.split()[0]} 9 9 9 0 0 0 1" for row in rows)],
    )


def _unsorted(folder: Path) -> None:
    for name in ("rgb.txt", "depth.txt", "groundtruth.txt"):
        change_rows(folder / name, lambda rows: rows[2:] + rows[:2])


def _of_windows(folder: Path) -> None:
    for name in ("rgb.txt", "depth.txt", "groundtruth.txt"):
        text = (folder / name).read_text().replace("\n", "\r\n")
        text = text.replace("depth/", "depth\\").replace("rgb/", "rgb\\")
        (folder / name).write_bytes(b"\xef\xbb\xbf" + text.replace(" ", ",").encode())


def _in_nanoseconds(folder: Path) -> None:
    for name in ("rgb.txt", "depth.txt", "groundtruth.txt"):
        change_rows(
            folder / name,
            lambda rows: [
                " ".join([row.split()[0].replace(".", "") + "000", *row.split()[1:]])
                for row in rows
            ],
        )


def _other_clock(folder: Path) -> None:
    change_rows(
        folder / "groundtruth.txt",
        lambda rows: [f"{i / 100} {row.split(maxsplit=1)[1]}" for i, row in enumerate(rows)],
    )


def _poses_as_matrices(folder: Path) -> None:
    change_rows(folder / "groundtruth.txt", lambda rows: [" ".join(["0"] * 13) for _ in rows])


def _icl_nuim(folder: Path, frames: list[Frame]) -> None:
    """Write the release's form: numbers as times, and a world mirrored in y."""
    mirror = np.diag([1.0, -1, 1, 1])
    write_tum(folder, frames, times=[float(i) for i in range(len(frames))], color_delay=0.0)
    write_associations(folder, depth_first=True)
    (folder / "groundtruth.txt").unlink()
    rows = [pose_row(i, mirror @ f.world_from_camera @ mirror) for i, f in enumerate(frames)]
    (folder / "livingRoom0.gt.freiburg").write_text("\n".join(rows))


def _orb_slam(folder: Path, frames: list[Frame]) -> None:
    """Write what a run of ORB-SLAM leaves: associations and key frames."""
    write_tum(folder, frames, trajectory="KeyFrameTrajectory.txt")
    write_associations(folder, depth_first=False)


def _estimated_for_bonn(folder: Path, frames: list[Frame]) -> None:
    write_tum(folder, frames, trajectory="CameraTrajectory.txt")


def _known_by_name(folder: Path, said: str) -> None:
    assert "those of freiburg1: 517.3 516.5 318.6 255.3; --intrinsics states others" in said
    assert len(ViewStore(folder / "prepared" / "rgbd_dataset_freiburg1_desk")) == COUNT


ROWS = [
    Row(
        name="tum-depth-in-millimetres",
        kind="B",
        make=prepare(_in_millimetres, frames=slow_walk),
        status=1,
        says=("its views do not fit together", "--depth-scale 1000"),
    ),
    Row(
        name="tum-depth-in-stated-millimetres",
        kind="B",
        make=prepare(_in_millimetres, unchanged, "--depth-scale", 1000),
        check=all_right(),
    ),
    Row(
        name="tum-quaternions-scalar-first",
        kind="I",
        make=prepare(write_tum, _scalar_first, frames=slow_walk),
        status=1,
        says=("its views do not fit together", "w x y z"),
    ),
    Row(
        name="tum-poses-world-to-camera",
        kind="I",
        make=prepare(write_tum, _world_to_camera, frames=slow_walk),
        status=1,
        says=("its views do not fit together", "--poses inverse"),
    ),
    Row(
        name="tum-poses-stated-inverse",
        kind="I",
        make=prepare(write_tum, _world_to_camera, "--poses", "inverse"),
        check=all_right(),
    ),
    Row(
        name="tum-images-without-partners",
        kind="C",
        make=prepare(write_tum, _without_partners),
        says=("3 of 5 depth images are left out: 1 without a colour image, 2 without a pose",),
        check=all_right(views=2),
    ),
    Row(
        name="tum-bad-rows",
        kind="D",
        make=prepare(write_tum, _bad_rows),
        says=(
            "groundtruth.txt: line 9 has 3 columns",
            "rows left out of this file: 3",
            "depth.txt: line 9 is not timestamp filename",
        ),
        check=all_right(),
    ),
    Row(
        name="tum-rows-and-times-twice",
        kind="E",
        make=prepare(write_tum, _doubled_rows),
        check=all_right(),
    ),
    Row(name="tum-unsorted", kind="I", make=prepare(write_tum, _unsorted), check=all_right()),
    Row(
        name="tum-windows-text-with-commas",
        kind="N",
        make=prepare(write_tum, _of_windows),
        check=all_right(),
    ),
    Row(
        name="tum-times-in-nanoseconds",
        kind="B",
        make=prepare(write_tum, _in_nanoseconds),
        check=all_right(),
        source="UZ-SLAMLab/ORB_SLAM3, SaveTrajectoryEuRoC",
    ),
    Row(
        name="tum-poses-of-another-clock",
        kind="C",
        make=prepare(write_tum, _other_clock),
        status=1,
        says=("no depth image has a pose in groundtruth.txt within 0.02 s", "one clock"),
    ),
    Row(
        name="tum-poses-as-matrices",
        kind="G",
        make=prepare(write_tum, _poses_as_matrices),
        status=1,
        says=("groundtruth.txt: line 4 has 13 columns, not the 8 numbers", "t x y z qx qy qz qw"),
    ),
    Row(
        name="tum-no-poses",
        kind="C",
        make=prepare(write_tum, remove("groundtruth.txt")),
        status=1,
        says=("has no poses: neither groundtruth.txt nor CameraTrajectory.txt",),
    ),
    Row(
        name="tum-no-intrinsics",
        kind="C",
        make=prepare(write_tum, remove("camera.txt")),
        status=1,
        says=("has no intrinsics", "camera.txt", "--intrinsics fx fy cx cy"),
    ),
    Row(
        name="tum-intrinsics-by-name",
        kind="I",
        make=prepare(write_tum, remove("camera.txt"), name="rgbd_dataset_freiburg1_desk"),
        check=_known_by_name,
    ),
    Row(
        name="tum-some-images-missing",
        kind="D",
        make=prepare(write_tum, remove("depth/1305031453.4*.png")),
        says=("2 views (3 frames skipped)",),
    ),
    Row(
        name="icl-nuim-left-handed",
        kind="I",
        make=prepare(_icl_nuim, name="living_room_traj0_frei_png"),
        check=all_right(scene="living_room_traj0_frei_png"),
        source="nvidia-isaac/cuVSLAM pull request 135",
    ),
    Row(
        name="bonn-poses-of-markers",
        kind="I",
        make=prepare(write_tum, name="rgbd_bonn_balloon"),
        status=1,
        says=("groundtruth.txt holds poses of the markers", "CameraTrajectory.txt"),
        source="PRBonn/refusion issue 14",
    ),
    Row(
        name="bonn-with-an-estimated-trajectory",
        kind="tum",
        make=prepare(_estimated_for_bonn, name="rgbd_bonn_balloon"),
        check=all_right(scene="rgbd_bonn_balloon"),
    ),
    Row(name="orb-slam-key-frames", kind="tum", make=prepare(_orb_slam), check=all_right()),
]
