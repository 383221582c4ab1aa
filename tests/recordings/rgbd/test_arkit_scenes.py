"""ARKitScenes: times, confidences, damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.layouts import find_sequences, open_sequence
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import walking_frames
from tests.recordings.rgbd.writers.arkit_scenes import write_arkit_scenes
from tests.recordings.rgbd.writers.tables import read_all


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return walking_frames(4)


def test_arkit_takes_only_images_with_a_pose(frames, tmp_path):
    many = walking_frames(7, step=0.05)
    folder = write_arkit_scenes(tmp_path / "scene", many, poses_every=3)
    sequence = open_sequence(folder)
    assert len(sequence) == 3
    for read, true in zip(read_all(sequence), many[::3], strict=True):
        np.testing.assert_allclose(read.world_from_camera, true.world_from_camera, atol=1e-12)
    assert any("4 of 7 depth images are left out" in note for note in sequence.notes)
    np.testing.assert_array_equal(sequence.up, [0, 0, 1])


def test_arkit_drops_depth_of_confidence_0(frames, tmp_path):
    confidence = [np.full((30, 40), 2, np.uint8) for _ in frames]
    confidence[2][:, :5] = 0
    folder = write_arkit_scenes(tmp_path / "scene", frames, confidence=confidence)
    depth = open_sequence(folder).read(2).depth
    assert not depth[:, :5].any()
    assert depth[:, 5:].all()


ARKIT_DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no trajectory": (
        lambda f: (f / "lowres_wide.traj").unlink(),
        "traj does not exist",
    ),
    "other video": (
        lambda f: (f / "lowres_wide.traj").write_text("12.0 0 0 0 0 0 0\n"),
        "no image of lowres_depth has a pose",
    ),
    "quaternions": (
        lambda f: (f / "lowres_wide.traj").write_text("6845.706 0 0 0 0 0 0 1\n"),
        "holds 8 numbers.*the 7 of a time",
    ),
    "no pincam": (
        lambda f: [path.unlink() for path in (f / "lowres_wide_intrinsics").iterdir()],
        "holds no VIDEO_TIME.pincam",
    ),
    "no depth": (
        lambda f: [path.unlink() for path in (f / "lowres_depth").iterdir()],
        "lowres_depth holds no image",
    ),
}


@pytest.mark.parametrize("kind", ARKIT_DAMAGE)
def test_arkit_damage_is_one_line(kind, frames, tmp_path):
    folder = write_arkit_scenes(tmp_path / "scene", frames)
    spoil, message = ARKIT_DAMAGE[kind]
    spoil(folder)
    with pytest.raises(InputError, match=message):
        open_sequence(folder)


def test_arkit_one_bad_file_is_one_bad_frame(frames, tmp_path):
    folder = write_arkit_scenes(tmp_path / "scene", frames)
    cameras = sorted((folder / "lowres_wide_intrinsics").iterdir())
    cameras[0].write_text("256 192 210")
    cameras[1].unlink()
    sorted((folder / "lowres_wide").iterdir())[2].unlink()
    sequence = open_sequence(folder)
    for index, message in enumerate(("holds 3 numbers", "its .pincam", "color file is missing")):
        with pytest.raises(FrameError, match=message):
            sequence.read(index)
    sequence.read(3)


def test_arkit_video_is_one_scene_though_a_mesh_lies_beside_its_frames(frames, tmp_path):
    write_arkit_scenes(tmp_path / "Training" / "47333462" / "47333462_frames", frames)
    (tmp_path / "Training" / "47333462" / "47333462_3dod_mesh.ply").write_bytes(b"ply\n")
    assert find_sequences(tmp_path) == [tmp_path / "Training" / "47333462"]
    assert len(open_sequence(tmp_path / "Training" / "47333462")) == 4
