"""ScanNet++'s iPhone frames: poses, frames that were not extracted, damage."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.layouts import find_sequences, open_sequence
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import walking_frames
from tests.recordings.rgbd.writers.scannet_pp import write_scannet_pp
from tests.recordings.rgbd.writers.tables import read_all


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return walking_frames(4)


def test_scannet_pp_takes_arkit_poses_only_where_there_are_no_others(frames, tmp_path):
    folder = write_scannet_pp(tmp_path / "scene", frames)
    path = folder / "pose_intrinsic_imu.json"
    content = json.loads(path.read_text())
    for name, frame in zip(sorted(content), frames, strict=True):
        del content[name]["aligned_pose"]
        content[name]["pose"] = frame.world_from_camera.tolist()
    path.write_text(json.dumps(content))
    for read, true in zip(read_all(open_sequence(folder)), frames, strict=True):
        np.testing.assert_allclose(read.world_from_camera, true.world_from_camera, atol=1e-12)


def test_scannet_pp_frames_that_were_not_extracted_are_left_out(frames, tmp_path):
    folder = write_scannet_pp(tmp_path / "scene", frames)
    (folder / "rgb" / "frame_000001.jpg").unlink()
    (folder / "depth" / "frame_000003.png").unlink()
    sequence = open_sequence(folder)
    assert sequence.frame_ids == ("frame_000000", "frame_000002")
    assert any("2 of its 4 frames are left out" in note for note in sequence.notes)
    for path in (folder / "depth").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="extract them with iphone/prepare_iphone_data"):
        open_sequence(folder)


def test_scannet_pp_damage(frames, tmp_path):
    folder = write_scannet_pp(tmp_path / "scene", frames)
    path = folder / "pose_intrinsic_imu.json"
    content = json.loads(path.read_text())
    content["frame_000000"]["aligned_pose"] = [[1, 2], [3]]
    content["frame_000001"] = None
    del content["frame_000002"]["intrinsic"]
    path.write_text(json.dumps(content))
    sequence = open_sequence(folder)
    for index, message in enumerate(
        ("aligned_pose is not a 4 x 4", "not an object", "intrinsic is not")
    ):
        with pytest.raises(FrameError, match=message):
            sequence.read(index)
    sequence.read(3)
    for text, message in (
        ("{", "not valid JSON"),
        ("[]", "holds no frames"),
        ("{}", "holds no frames"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            open_sequence(folder)


def test_scannet_pp_scene_is_one_scene_though_meshes_lie_beside_its_frames(frames, tmp_path):
    write_scannet_pp(tmp_path / "data" / "02455b3d20" / "iphone", frames)
    (tmp_path / "data" / "02455b3d20" / "scans").mkdir()
    (tmp_path / "data" / "02455b3d20" / "scans" / "mesh_aligned_0.05.ply").write_bytes(b"ply\n")
    assert find_sequences(tmp_path) == [tmp_path / "data" / "02455b3d20"]
    assert len(open_sequence(tmp_path / "data" / "02455b3d20")) == 4


def test_scannet_pp_poses_of_two_worlds_are_not_mixed(frames, tmp_path):
    folder = write_scannet_pp(tmp_path / "scene", frames)
    path = folder / "pose_intrinsic_imu.json"
    content = json.loads(path.read_text())
    del content["frame_000001"]["aligned_pose"]
    path.write_text(json.dumps(content))
    sequence = open_sequence(folder)
    np.testing.assert_array_equal(sequence.up, [0, 0, 1])
    with pytest.raises(FrameError, match="frame_000001: aligned_pose is not a 4 x 4"):
        sequence.read(1)
    sequence.read(2)
