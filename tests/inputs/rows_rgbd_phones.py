"""Recordings of phones: Stray Scanner, ARKitScenes, ScanNet++; every format of tables once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pointcontrast.types import Frame
from tests.helpers.fork_server import output_of
from tests.inputs.makers_rgbd import PREPARE_SMALL, walking_frames
from tests.inputs.makers_runs import PRETRAIN_SMALL
from tests.inputs.makers_tables import (
    COUNT,
    all_right,
    change_rows,
    cut_short,
    prepare,
    remove,
    slow_walk,
)
from tests.inputs.row import PREPARE, Row
from tests.recordings.rgbd.writers.arkit_scenes import write_arkit_scenes
from tests.recordings.rgbd.writers.scannet_pp import write_scannet_pp
from tests.recordings.rgbd.writers.stray_scanner import write_stray_scanner
from tests.recordings.rgbd.writers.tables import WRITERS


def _opengl_axes(folder: Path) -> None:
    def turned(row: str) -> str:
        words = row.split(", ")
        rotation = Rotation.from_quat([float(word) for word in words[5:]])
        other = (rotation * Rotation.from_matrix(np.diag([1.0, -1, -1]))).as_quat()
        return ", ".join([*words[:5], *(f"{number:.17g}" for number in other)])

    change_rows(folder / "odometry.csv", lambda rows: [rows[0], *(turned(row) for row in rows[1:])])


def _column_removed(folder: Path) -> None:
    change_rows(folder / "odometry.csv", lambda rows: [row.rpartition(", ")[0] for row in rows])


def _as_excel_saves(folder: Path) -> None:
    """A byte order mark, semicolons, decimal commas, numbers of frames without their zeros."""
    text = (folder / "odometry.csv").read_text().replace(" 00000", " ")
    text = text.replace(", ", ";").replace(".", ",")
    (folder / "odometry.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())


def _one_bad_row(folder: Path) -> None:
    change_rows(folder / "odometry.csv", lambda rows: [*rows[:-1], "1000.1, 000004, lost"])


def _without_pyav(folder: Path) -> Sequence[object]:
    """The folder of the input stands in for an environment in which PyAV is not installed."""
    write_stray_scanner(folder / "scene", walking_frames(2))
    (folder / "av.py").write_text("raise ModuleNotFoundError('no av', name='av')\n")
    return [PREPARE, "scene", "--output", "prepared"]


def _no_confidence(folder: Path, frames: list[Frame]) -> None:
    """Confidence 0 wherever the depth is wrong: in a band in which it is doubled."""
    confidence = np.full(frames[0].depth.shape, 2, np.uint8)
    confidence[5:9] = 0
    wrong = [
        Frame(f.frame_id, np.where(confidence > 0, f.depth, 2 * f.depth), f.color, f.intrinsics,
              f.world_from_camera)
        for f in frames
    ]  # fmt: skip
    write_stray_scanner(folder, wrong, confidence=[confidence] * len(frames))


STRAY_SCANNER = [
    Row(
        name="stray-scanner-opengl-axes",
        kind="I",
        make=prepare(write_stray_scanner, _opengl_axes, frames=slow_walk),
        status=1,
        says=("its views do not fit together", "--axes opengl"),
        source="strayrobots/scanner issue 11",
    ),
    Row(
        name="stray-scanner-low-confidence",
        kind="stray_scanner",
        make=prepare(_no_confidence),
        check=all_right(),
    ),
    Row(
        name="stray-scanner-video-cut",
        kind="D",
        make=prepare(write_stray_scanner, cut_short("rgb.mp4")),
        status=1,
        says=("rgb.mp4 is not a video, or damaged or cut short", "copy it again"),
    ),
    Row(
        name="stray-scanner-column-missing",
        kind="G",
        make=prepare(write_stray_scanner, _column_removed),
        status=1,
        says=("odometry.csv has no column qw",),
    ),
    Row(
        name="stray-scanner-table-of-excel",
        kind="N",
        make=prepare(write_stray_scanner, _as_excel_saves),
        check=all_right(),
    ),
    Row(
        name="stray-scanner-one-bad-row",
        kind="D",
        make=prepare(write_stray_scanner, _one_bad_row),
        says=("4 views (1 frames skipped)",),
        check=all_right(views=4),
    ),
    Row(
        name="stray-scanner-without-video",
        kind="C",
        make=prepare(write_stray_scanner, remove("rgb.mp4"), "--intrinsics", 35, 35, 19.5, 14.5),
        says=("rgb.mp4 is absent: frames have no colour",),
    ),
    Row(
        name="stray-scanner-without-pyav",
        kind="N",
        make=_without_pyav,
        status=1,
        says=("rgb.mp4 needs av: pip install",),
        environment={"PYTHONPATH": "."},
    ),
]


def _camera_to_world(folder: Path) -> None:
    def inverted(row: str) -> str:
        numbers = [float(word) for word in row.split()]
        rotation = Rotation.from_rotvec(numbers[1:4]).inv()
        values = [*rotation.as_rotvec(), *-rotation.apply(numbers[4:])]
        return " ".join([row.split()[0], *(f"{value:.17g}" for value in values)])

    change_rows(folder / "lowres_wide.traj", lambda rows: [inverted(row) for row in rows])


def _sixty_hertz(folder: Path, frames: list[Frame]) -> None:
    write_arkit_scenes(folder, frames, poses_every=2)


def _only_arkit_poses(folder: Path) -> None:
    path = folder / "pose_intrinsic_imu.json"
    content = json.loads(path.read_text())
    for entry in content.values():
        entry["pose"] = entry.pop("aligned_pose")
    path.write_text(json.dumps(content))


ARKIT = [
    Row(
        name="arkit-scenes-more-images-than-poses",
        kind="C",
        make=prepare(_sixty_hertz),
        says=("2 of 5 depth images are left out: without a pose in lowres_wide.traj",),
        check=all_right(views=3),
    ),
    Row(
        name="arkit-scenes-poses-camera-to-world",
        kind="I",
        make=prepare(write_arkit_scenes, _camera_to_world, frames=slow_walk),
        status=1,
        says=("its views do not fit together", "--poses camera_to_world"),
    ),
    Row(
        name="arkit-scenes-without-intrinsics",
        kind="C",
        make=prepare(write_arkit_scenes, remove("lowres_wide_intrinsics/*")),
        status=1,
        says=("lowres_wide_intrinsics holds no VIDEO_TIME.pincam", "--intrinsics"),
    ),
    Row(
        name="arkit-scenes-one-pincam-missing",
        kind="D",
        make=prepare(write_arkit_scenes, remove("lowres_wide_intrinsics/*6845.706.pincam")),
        says=("4 views (1 frames skipped)",),
        check=all_right(views=4),
    ),
    Row(
        name="scannet-pp-only-arkit-poses",
        kind="scannet_pp",
        make=prepare(write_scannet_pp, _only_arkit_poses),
        check=all_right(),
    ),
    Row(
        name="scannet-pp-not-extracted",
        kind="G",
        make=prepare(write_scannet_pp, remove("depth/*", "rgb/*")),
        status=1,
        says=("holds no frame of pose_intrinsic_imu.json", "prepare_iphone_data.py"),
    ),
    Row(
        name="scannet-pp-json-cut",
        kind="D",
        make=prepare(write_scannet_pp, cut_short("pose_intrinsic_imu.json")),
        status=1,
        says=("pose_intrinsic_imu.json is not valid JSON",),
    ),
]


def _prepare_all(folder: Path) -> None:
    """Prepare a scene of each format."""
    for layout, write in WRITERS.items():
        write(folder / "raw" / layout, walking_frames(COUNT))
    output_of([PREPARE, "raw", "--output", "prepared", *PREPARE_SMALL], folder)


def _verify(folder: Path) -> Sequence[object]:
    _prepare_all(folder)
    return [PREPARE, "verify", "prepared"]


def _pretrain(folder: Path) -> Sequence[object]:
    _prepare_all(folder)
    return [*PRETRAIN_SMALL, "--data.root", "prepared", "--run_dir", "run"]


def _is_trained(folder: Path, said: str) -> None:
    assert (folder / "run" / "backbone.safetensors").is_file(), said


FORMATS = [
    *(
        Row(
            name=f"{layout.replace('_', '-')}-prepared",
            kind=layout,
            make=prepare(write),
            check=all_right(),
        )
        for layout, write in WRITERS.items()
    ),
    Row(
        name="tables-of-frames-verified",
        kind="H",
        make=_verify,
        says=("4 scenes, 20 views", "nothing broken"),
    ),
    Row(name="tables-of-frames-pretrained", kind="H", make=_pretrain, check=_is_trained),
]

ROWS = [*FORMATS, *STRAY_SCANNER, *ARKIT]
