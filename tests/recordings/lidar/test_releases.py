"""nuScenes and KITTI-360: the sweeps lie at the places that their tables give."""

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.geometry import transform_points
from pointcontrast.recordings.layouts import find_sequences, open_sequence
from pointcontrast.recordings.lidar.nuscenes import write_sweep_folders
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.sequence import FrameError
from tests.recordings.lidar.release_writers import UTM, write_kitti360, write_nuscenes
from tests.recordings.makers_sweeps import street_sweeps


@pytest.fixture(scope="module")
def sweeps():
    return street_sweeps(6)


def assert_in_place(read, sweep, origin=0.0):
    pose = read.world_from_sensor.copy()
    pose[:3, 3] -= origin
    world = transform_points(pose, read.cloud.points.astype(np.float64))
    truth = transform_points(sweep.pose, sweep.points)
    np.testing.assert_allclose(world, truth, atol=2e-5)


def test_nuscenes_gives_a_folder_per_scene(tmp_path, sweeps):
    root = write_nuscenes(tmp_path / "nu", {"scene-0061": sweeps[:4], "scene-0103": sweeps[4:]})
    scenes = write_sweep_folders(root, tmp_path / "out")
    assert [(each.name, each.num_sweeps) for each in scenes] == [
        ("scene-0061", 4),
        ("scene-0103", 2),
    ]
    assert [path.name for path in find_sequences(tmp_path / "out")] == ["scene-0061", "scene-0103"]
    sequence = open_sequence(tmp_path / "out" / "scene-0061")
    assert "5 float32 per point" in sequence.notes[0]
    for index in range(4):
        assert_in_place(sequence.read(index), sweeps[index])
    sequence.check_conventions()


def test_absent_sweeps_are_counted(tmp_path, sweeps):
    root = write_nuscenes(tmp_path / "nu", {"scene-0061": sweeps})
    next(iter((root / "sweeps" / "LIDAR_TOP").iterdir())).unlink()
    (scene,) = write_sweep_folders(root, tmp_path / "out")
    assert (scene.num_sweeps, scene.num_missing) == (5, 1)
    assert write_sweep_folders(root, tmp_path / "out") == [scene]  # again


WRONG_TABLES = {
    "no tables": (lambda r: (r / "v1.0-mini" / "sample_data.json").unlink(), "no tables"),
    "a table absent": (lambda r: (r / "v1.0-mini" / "ego_pose.json").unlink(), "ego_pose.json"),
    "a table cut": (
        lambda r: (r / "v1.0-mini" / "scene.json").write_text("[{"),
        r"scene\.json is damaged",
    ),
    "a row absent": (lambda r: (r / "v1.0-mini" / "ego_pose.json").write_text("[]"), "no row ego"),
    "a table of others": (lambda r: (r / "v1.0-mini" / "scene.json").write_text("[1]"), "damaged"),
}


@pytest.mark.parametrize("kind", WRONG_TABLES)
def test_damaged_tables_are_one_line(tmp_path, sweeps, kind):
    root = write_nuscenes(tmp_path / "nu", {"scene-0061": sweeps[:2]})
    spoil, reason = WRONG_TABLES[kind]
    spoil(root)
    with pytest.raises(InputError, match=reason) as caught:
        write_sweep_folders(root, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "scene-0061").exists()


def test_another_sensor_or_version_must_be_there(tmp_path, sweeps):
    root = write_nuscenes(tmp_path / "nu", {"scene-0061": sweeps[:2]})
    with pytest.raises(InputError, match="no sensor LIDAR_CONCAT; it has CAM_FRONT, LIDAR_TOP"):
        write_sweep_folders(root, tmp_path / "out", channel="LIDAR_CONCAT")
    (root / "v1.0-test").mkdir()
    (root / "v1.0-test" / "sample_data.json").write_text("[]")
    with pytest.raises(InputError, match=r"v1\.0-mini, v1\.0-test; choose one by --version"):
        write_sweep_folders(root, tmp_path / "out")


def test_kitti360_keeps_its_digits_in_utm(tmp_path, sweeps):
    folder = write_kitti360(tmp_path / "kitti360", sweeps, without=(2,))
    assert find_sequences(tmp_path / "kitti360") == [folder]
    sequence = open_sequence(folder)
    assert sequence.layout == "kitti360"
    assert any("poses of 5 of 6 sweeps" in note for note in sequence.notes)
    for index in (0, 1, 3, 4, 5):
        assert_in_place(sequence.read(index), sweeps[index], UTM)
    with pytest.raises(FrameError, match="has no row of sweep 0000000002"):
        sequence.read(2)
    sequence.check_conventions()


WRONG_CALIBRATIONS = {
    "no poses": ("data_poses/2013_05_28_drive_0000_sync/poses.txt", None, "data_poses.zip"),
    "no calibration": ("calibration/calib_cam_to_velo.txt", None, "calibration.zip"),
    "another row": ("calibration/calib_cam_to_pose.txt", "image_02: 1 0 0", "no row image_00"),
    "not rigid": ("calibration/calib_cam_to_velo.txt", "2 " * 12, "not a rigid transform"),
    "two rows": ("calibration/calib_cam_to_velo.txt", "1\n1\n", "has 2 rows"),
}


@pytest.mark.parametrize("kind", WRONG_CALIBRATIONS)
def test_a_wrong_calibration_of_kitti360_is_one_line(tmp_path, sweeps, kind):
    folder = write_kitti360(tmp_path, sweeps[:2])
    name, text, reason = WRONG_CALIBRATIONS[kind]
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=reason) as caught:
        open_sequence(folder)
    assert name.rsplit("/", 1)[-1] in str(caught.value)


def test_the_axes_of_kitti360_are_known(tmp_path, sweeps):
    folder = write_kitti360(tmp_path, sweeps[:2])
    with pytest.raises(InputError, match="leave --axes out"):
        open_sequence(folder, RecordingOptions(axes="opencv"))
