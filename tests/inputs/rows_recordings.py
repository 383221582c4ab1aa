"""Recordings of depth images: read under a wrong convention, far from zero, or corrected later."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pointcontrast.recordings.options import CameraAxes, PoseDirection
from pointcontrast.recordings.rgbd.pose_conventions import as_recorded
from pointcontrast.scenes.pairs import read_pair_table
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import Frame
from tests.helpers.fork_server import output_of
from tests.inputs.makers_rgbd import (
    PREPARE_SMALL,
    off_the_walls,
    walking_frames,
    write_image_folder,
    write_seven_scenes,
)
from tests.inputs.row import PREPARE, Row

UTM = np.array([451234.0, 5212345.0, 312.0])
COMMAND = (PREPARE, "recording", "--output", "prepared", *PREPARE_SMALL)
Change = Callable[[Frame], Frame]


def _recording(
    change: Change, *options: str, write: Callable[..., Path] = write_seven_scenes
) -> Callable[[Path], Sequence[object]]:
    def make(folder: Path) -> Sequence[object]:
        write(folder / "recording", [change(frame) for frame in walking_frames()])
        return [*COMMAND, *options]

    return make


def _poses(poses: PoseDirection, axes: CameraAxes = "opencv") -> Change:
    return lambda f: replace(f, world_from_camera=as_recorded(f.world_from_camera, poses, axes))


def _depth(units: float) -> Change:
    """Depth images in other units than millimetres, as their files hold them."""
    return lambda f: replace(f, depth=(f.depth * np.float32(units / 1000)))


def _by_columns(frame: Frame) -> Frame:
    return replace(frame, world_from_camera=frame.world_from_camera.T)


def _rotations_transposed(frame: Frame) -> Frame:
    pose = frame.world_from_camera.copy()
    pose[:3, :3] = pose[:3, :3].T
    return replace(frame, world_from_camera=pose)


def _poses_of_others(frame: Frame) -> Frame:
    """Poses without any relation to the images."""
    seed = int(frame.frame_id[-6:])
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    pose = np.eye(4)
    pose[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    pose[:3, 3] = np.random.default_rng(seed).normal(size=3)
    return replace(frame, world_from_camera=pose)


def _moved(frame: Frame, by: NDArray[np.float64] = UTM) -> Frame:
    pose = frame.world_from_camera.copy()
    pose[:3, 3] += by
    return replace(frame, world_from_camera=pose)


def _on_the_walls(folder: Path, output: str) -> None:
    """Every stored point lies where the room's walls are, and colours are kept."""
    store = ViewStore(folder / "prepared" / "recording")
    assert len(store) == 5
    for view in store:
        assert off_the_walls(view.points + store.meta.origin).max() < 0.005
        assert view.colors is not None


def _far_from_zero(folder: Path, output: str) -> None:
    """The same views and pairs as near zero: nothing is lost to float32."""
    write_seven_scenes(folder / "near" / "recording")
    output_of([PREPARE, "near/recording", "--output", "near/prepared", *PREPARE_SMALL], folder)
    far, near = (
        ViewStore(folder / name) for name in ("prepared/recording", "near/prepared/recording")
    )
    assert np.abs(far.meta.origin - UTM).max() < 5
    for a, b in zip(far, near, strict=True):
        np.testing.assert_allclose(a.points + (far.meta.origin - UTM), b.points, atol=1e-5)
    tables = [read_pair_table(store.path / "pairs.parquet").to_pydict() for store in (far, near)]
    assert tables[0]["view0"] == tables[1]["view0"]
    np.testing.assert_allclose(tables[0]["overlap"], tables[1]["overlap"], atol=0.01)


def _corrected(name: str, content: Callable[[Path], None]) -> Callable[[Path], Sequence[object]]:
    """A recording that was prepared before one of its files was corrected, to the same size."""

    def make(folder: Path) -> Sequence[object]:
        write_image_folder(folder / "recording")
        path = folder / "recording" / name
        right = path.read_bytes()
        content(path)
        assert path.stat().st_size == len(right)
        output_of([*COMMAND, "--no-self-check"], folder)
        path.write_bytes(right)
        return COMMAND

    return make


def _another_focal_length(path: Path) -> None:
    matrix = np.loadtxt(path)
    matrix[[0, 1], [0, 1]] *= 1.1
    np.savetxt(path, matrix)


def _another_position(path: Path) -> None:
    rows = np.loadtxt(path)
    rows[2, 3] += 0.1
    np.savetxt(path, rows)


def _made_again(folder: Path, output: str) -> None:
    assert "finished before" not in output
    _on_the_walls(folder, output)


def _kept_when_copied(folder: Path) -> Sequence[object]:
    """A recording that was moved with all its files is the same recording."""
    write_seven_scenes(folder / "before" / "recording")
    output_of([PREPARE, "before/recording", "--output", "prepared", *PREPARE_SMALL], folder)
    shutil.copytree(folder / "before" / "recording", folder / "recording")
    shutil.rmtree(folder / "before")
    return COMMAND


def _dry_run(change: Change, *options: str) -> Callable[[Path], Sequence[object]]:
    def make(folder: Path) -> Sequence[object]:
        write_seven_scenes(folder / "recording", [change(frame) for frame in walking_frames()])
        return [PREPARE, "recording", "--dry-run", *PREPARE_SMALL, *options]

    return make


def _expectation_comes_true(folder: Path, output: str) -> None:
    """All five frames are in the sample, so the expected views and pairs are exact."""
    assert not (folder / "prepared").exists()
    Image.open(folder / "dry_run.png").load()
    output_of(COMMAND, folder)
    num_pairs = read_pair_table(folder / "prepared" / "pairs.parquet").num_rows
    assert f"about 5 views, {num_pairs} pairs" in output


_WRONG: dict[str, tuple[Change, tuple[str, ...]]] = {
    "world-to-camera": (_poses("inverse"), ("--poses", "inverse")),
    "opengl-axes": (_poses("camera_to_world", "opengl"), ("--axes", "opengl")),
    "left-handed": (_poses("camera_to_world", "unity"), ("--axes", "unity")),
    "world-to-camera-opengl": (
        _poses("inverse", "opengl"),
        ("--poses", "inverse", "--axes", "opengl"),
    ),
    "depth-by-5000": (_depth(5000), ("--depth-scale", "5000")),
    "depth-by-6553.5": (_depth(6553.5), ("--depth-scale", "6553.5")),
    "depth-by-4000": (_depth(4000), ("--depth-scale", "4000")),
    "depth-by-256": (_depth(256), ("--depth-scale", "256")),
}

ROWS = [
    *(
        Row(
            name=f"recording-{name}",
            kind="I",
            make=_recording(change),
            status=1,
            says=("do not fit together", f"pass {' '.join(options)}"),
            absent=("prepared/recording",),
        )
        for name, (change, options) in _WRONG.items()
    ),
    *(
        Row(
            name=f"recording-{name}-stated",
            kind="I",
            make=_recording(change, *options),
            check=_on_the_walls,
        )
        for name, (change, options) in _WRONG.items()
    ),
    Row(
        name="recording-poses-by-columns",
        kind="I",
        make=_recording(_by_columns),
        says=("note: recording: the poses are stored by columns",),
        check=_on_the_walls,
    ),
    Row(
        name="recording-poses-by-columns-in-a-table",
        kind="I",
        make=_recording(_by_columns, write=write_image_folder),
        says=("note: recording: the poses are stored by columns",),
        check=_on_the_walls,
    ),
    Row(
        name="recording-rotations-transposed",
        kind="I",
        make=_recording(_rotations_transposed),
        status=1,
        says=("with the rotations transposed",),
        absent=("prepared/recording",),
    ),
    Row(
        name="recording-poses-of-another",
        kind="I",
        make=_recording(_poses_of_others),
        status=1,
        says=("no two of its 5 views overlap",),
    ),
    Row(
        name="recording-poses-of-another-forced",
        kind="I",
        make=_recording(_poses_of_others, "--no-self-check", "--overlap-threshold", "0.001"),
        check=lambda folder, output: ViewStore(folder / "prepared" / "recording") and None,
    ),
    Row(
        name="recording-right-needs-no-note",
        kind="I",
        make=_recording(lambda frame: frame),
        check=_on_the_walls,
    ),
    Row(
        name="recording-dry-run",
        kind="I",
        make=_dry_run(lambda frame: frame),
        says=(
            "layout       seven_scenes",
            "depth        40 x 30 pixels, 1000 units per metre",
            "poses        camera_to_world, camera axes opencv",
            "first pose   frame-000000 at -0.60 0.00 1.20 m",
            "last pose    frame-000004 at 0.20 0.60 1.44 m",
            "colours      yes",
            "1 of 1 recordings can be prepared",
        ),
        check=_expectation_comes_true,
    ),
    Row(
        name="recording-dry-run-of-a-wrong-convention",
        kind="I",
        make=_dry_run(_poses("inverse")),
        status=1,
        says=("problem", "pass --poses inverse", "0 of 1 recordings can be prepared"),
    ),
    Row(
        name="recording-dry-run-with-the-option",
        kind="I",
        make=_dry_run(_poses("inverse"), "--poses", "inverse"),
        says=("poses        inverse", "1 of 1 recordings can be prepared"),
    ),
    Row(
        name="recording-no-output",
        kind="G",
        make=lambda folder: write_seven_scenes(folder / "recording") and [PREPARE, "recording"],
        status=2,
        says=("give --output, the folder of the prepared scenes (or --dry-run)",),
    ),
    Row(name="recording-in-utm", kind="A", make=_recording(_moved), check=_far_from_zero),
    Row(
        name="recording-corrected-intrinsics",
        kind="K",
        make=_corrected("K.txt", _another_focal_length),
        check=_made_again,
    ),
    Row(
        name="recording-corrected-poses",
        kind="K",
        make=_corrected("poses.txt", _another_position),
        check=_made_again,
    ),
    Row(
        name="recording-moved",
        kind="K",
        make=_kept_when_copied,
        says=("finished before",),
        check=_on_the_walls,
    ),
]
