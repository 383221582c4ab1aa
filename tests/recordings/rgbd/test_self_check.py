"""The check of conventions on real recordings: right as they are, named under each wrong one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.layouts import find_sequences, open_sequence
from pointcontrast.recordings.options import CameraAxes, PoseDirection
from pointcontrast.recordings.rgbd.pose_conventions import (
    AXES,
    DIRECTIONS,
    as_recorded,
    camera_to_world,
)
from pointcontrast.recordings.rgbd.self_check import check_views
from pointcontrast.recordings.sequence import PosedSequence
from pointcontrast.types import Frame
from tests.helpers.repository import REAL_DATA
from tests.helpers.small_scenes import look, render

Change = Callable[[Frame], Frame]
REAL = ("redkitchen", "hololens", "sun3d_studyroom/fragment-1", "sun3d_studyroom/fragment-2")


class Misread(PosedSequence):
    """A recording whose frames are read under another convention."""

    def __init__(self, frames: list[Frame], change: Change, folder: Path = Path("scan")) -> None:
        self.layout = self.name = "misread"
        self.folder = folder
        self.frame_ids = tuple(frame.frame_id for frame in frames)
        self._frames, self._change = frames, change

    def read(self, index: int) -> Frame:
        return self._change(self._frames[index])

    def files(self) -> list[Path]:
        return []


@cache
def real_frames(name: str) -> list[Frame]:
    if not REAL_DATA.is_dir():
        pytest.skip("the research-licensed real scenes are not on this machine")
    found = {path.name: path for path in find_sequences(REAL_DATA / name)}
    sequence = open_sequence(next(iter(found.values())))
    frames = [sequence.read_geometry(index) for index in range(len(sequence))]
    return [frame for frame in frames if isinstance(frame, Frame)]


def poses(direction: PoseDirection, axes: CameraAxes = "opencv") -> Change:
    return lambda f: replace(f, world_from_camera=as_recorded(f.world_from_camera, direction, axes))


def depth(units: float) -> Change:
    """Depth stored in ``units`` per metre and read as millimetres."""
    return lambda f: replace(f, depth=f.depth * np.float32(units / 1000))


def rotation(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def changed(frame: Frame) -> Frame:
        pose = frame.world_from_camera.copy()
        pose[:3, :3] = change(pose[:3, :3])
        return replace(frame, world_from_camera=pose)

    return changed


def intrinsics(factor: float) -> Change:
    return lambda f: replace(f, intrinsics=f.intrinsics * [[factor], [factor], [1.0]])


WRONG: dict[str, tuple[Change, str]] = {
    "inverse": (poses("inverse"), "--poses inverse"),
    "opengl": (poses("camera_to_world", "opengl"), "--axes opengl"),
    "unity": (poses("camera_to_world", "unity"), "--axes unity"),
    "inverse opengl": (poses("inverse", "opengl"), "--poses inverse --axes opengl"),
    "depth by 5000": (depth(5000), "--depth-scale 5000"),
    "depth by 6553.5": (depth(6553.5), "--depth-scale 6553.5"),
    "depth by 4000": (depth(4000), "--depth-scale 4000"),
    "depth by 256": (depth(256), "--depth-scale 256"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_recordings_fit_together(name):
    support = check_views(Misread(real_frames(name), lambda frame: frame))
    assert support is not None
    assert support > 0.72


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", REAL)
def test_wrong_conventions_are_named_on_real_recordings(name, wrong):
    change, option = WRONG[wrong]
    with pytest.raises(InputError, match=rf"do not fit together.*: pass {option}$"):
        check_views(Misread(real_frames(name), change))


def test_intrinsics_of_another_image_size_are_named():
    """The frames of the kitchen with the intrinsics of images of half their size."""
    with pytest.raises(InputError, match=r"--intrinsics 585\.0 585\.0 320\.0 240\.0"):
        check_views(Misread(real_frames("redkitchen"), intrinsics(0.5)))


@pytest.mark.parametrize("name", ["redkitchen", "hololens"])
def test_poses_that_fit_nothing_stop(name):
    """The poses of other frames: those of the recording in another order."""
    frames = real_frames(name)
    order = np.random.default_rng(0).permutation(len(frames))
    pose = {
        frame.frame_id: frames[i].world_from_camera for frame, i in zip(frames, order, strict=True)
    }
    with pytest.raises(InputError, match="no other convention"):
        check_views(
            Misread(frames, lambda frame: replace(frame, world_from_camera=pose[frame.frame_id]))
        )


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_conversion_inverts_recording(direction, axes):
    pose = look(0.7, -0.3, (1.0, 2.0, 3.0))
    recorded = as_recorded(pose, direction, axes)
    np.testing.assert_allclose(camera_to_world(recorded, direction, axes), pose, atol=1e-12)
    unchanged = (direction, axes) == ("camera_to_world", "opencv")
    assert np.allclose(recorded, pose) == unchanged


def test_opengl_cameras_look_along_minus_z():
    """Closed form: an OpenGL camera at the origin sees what lies at z = -2."""
    pose = camera_to_world(np.eye(4), "camera_to_world", "opengl")
    np.testing.assert_array_equal(pose @ [0.5, 0.25, 2.0, 1.0], [0.5, -0.25, -2.0, 1.0])


def test_a_camera_that_only_turns_is_accepted():
    """Without motion no scale can be told; the claimed one is kept."""
    frames = [render(look(0.2 * i), f"frame-{i:06d}", shrink=2) for i in range(8)]
    for change in (lambda frame: frame, depth(5000), depth(256)):
        support = check_views(Misread(frames, change))
        assert support is not None
        assert support > 0.9


def test_too_few_shared_points_conclude_nothing():
    frames = [render(look(2.0 * i), f"frame-{i:06d}", shrink=4) for i in range(2)]
    assert check_views(Misread(frames, lambda frame: frame)) is None
