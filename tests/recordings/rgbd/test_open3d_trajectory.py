"""Trajectories that Open3D itself writes, in both of its formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open3d
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import walking_frames
from tests.recordings.rgbd.writers.open3d_trajectory import write_open3d


def write_by_open3d(folder: Path, name: str) -> Path:
    """Replace the trajectory of a recording by the one that Open3D writes for the same poses."""
    frames = walking_frames(3)
    write_open3d(folder, frames)
    (folder / "trajectory.log").unlink()
    if name.endswith("json"):
        (folder / "camera_intrinsic.json").unlink()
    height, width = frames[0].depth.shape
    matrix = frames[0].intrinsics
    parameters = []
    for frame in frames:
        each = open3d.camera.PinholeCameraParameters()
        each.intrinsic = open3d.camera.PinholeCameraIntrinsic(
            width, height, matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
        )
        each.extrinsic = np.linalg.inv(frame.world_from_camera)
        parameters.append(each)
    trajectory = open3d.camera.PinholeCameraTrajectory()
    trajectory.parameters = parameters
    (folder / name).parent.mkdir(exist_ok=True)
    assert open3d.io.write_pinhole_camera_trajectory(folder / name, trajectory)
    return folder


@pytest.mark.parametrize("name", ["trajectory.log", "scene/trajectory.log", "trajectory.json"])
def test_open3ds_own_files(tmp_path, name):
    sequence = open_sequence(write_by_open3d(tmp_path / "scene", name))
    assert (sequence.layout, sequence.notes) == ("open3d_trajectory", ())
    for index, expected in enumerate(walking_frames(3)):
        frame = sequence.read(index)
        assert isinstance(frame, Frame)
        np.testing.assert_allclose(frame.world_from_camera, expected.world_from_camera, atol=2e-8)
        np.testing.assert_allclose(frame.intrinsics, expected.intrinsics)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content.clear(), 'no list "parameters"'),
        (lambda content: content["parameters"][1].pop("extrinsic"), "without an extrinsic"),
        (lambda content: content["parameters"].pop(), "2 poses for 3 frames"),
        (lambda content: content["parameters"].insert(0, 5), "without an extrinsic"),
    ],
)
def test_a_damaged_trajectory_is_named(tmp_path, change, reason):
    folder = write_by_open3d(tmp_path / "scene", "trajectory.json")
    content = json.loads((folder / "trajectory.json").read_text())
    change(content)
    (folder / "trajectory.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"trajectory\.json.*{reason}"):
        open_sequence(folder)
