"""Bags of ROS 1 and ROS 2: points of any form, and the poses of their sensor."""

import shutil

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.sequence import FrameError
from tests.recordings.lidar.ros_writers import START, BagWriter, table_of, write_bag
from tests.recordings.makers_sweeps import street_sweeps


@pytest.fixture(scope="module")
def sweeps():
    return street_sweeps(4)


@pytest.mark.parametrize("poses", ["odometry", "tree"])
@pytest.mark.parametrize("kind", ["bag", "db3", "mcap"])
def test_sweeps_lie_at_the_poses_of_their_sensor(tmp_path, sweeps, kind, poses):
    path = write_bag(tmp_path / ("a.bag" if kind == "bag" else "a"), sweeps, kind, poses)
    sequence = open_sequence(path)
    assert len(sequence) == 4
    assert sequence.frame_ids[1] == f"{START + 0.1:.6f}"
    for index, sweep in enumerate(sweeps):
        read = sequence.read(index)
        np.testing.assert_array_equal(read.cloud.points, sweep.points.astype(np.float32))
        np.testing.assert_allclose(read.world_from_sensor, sweep.pose, atol=1e-6)
    assert f"poses those of {'/odom' if poses == 'odometry' else '/tf'}" in sequence.notes[0]
    sequence.check_conventions()


def test_a_single_mcap_file_needs_no_metadata(tmp_path, sweeps):
    folder = write_bag(tmp_path / "a", sweeps, "mcap")
    (file,) = folder.glob("*.mcap")
    shutil.copy(file, tmp_path / "drive.mcap")
    sequence = open_sequence(tmp_path / "drive.mcap")
    np.testing.assert_allclose(sequence.read(2).world_from_sensor, sweeps[2].pose, atol=1e-6)


def test_fields_of_any_order_type_and_padding(tmp_path, sweeps):
    with BagWriter(tmp_path / "a", "db3") as writer:
        sweep = sweeps[0]
        record = np.dtype(
            [("z", ">f8"), ("ring", ">u2"), ("x", ">f8"), ("t", ">u4", 3), ("y", ">f8")]
        )
        even = sweep.points[: len(sweep.points) // 4 * 4]
        table = np.zeros(len(even), record)
        table["x"], table["y"], table["z"] = even.T
        table["x"][5], table["z"][7] = np.nan, np.inf
        for axis in "xyz":
            table[axis][9] = 0
        for i in range(2):
            time = START + 0.1 * i
            writer.write("/points", writer.cloud(table, time, "lidar", pad=12, height=4), time)
            writer.write("/odom", writer.odometry(sweep.pose, time, "lidar"), time)
    cloud = open_sequence(tmp_path / "a").read(1).cloud
    expected = np.delete(even, [5, 7, 9], axis=0).astype(np.float32)
    np.testing.assert_array_equal(cloud.points, expected)


def test_poses_between_those_recorded_are_interpolated(tmp_path, sweeps):
    path = write_bag(tmp_path / "a", sweeps, offset=0.05)
    sequence = open_sequence(path)
    middle = (sweeps[1].pose[:3, 3] + sweeps[2].pose[:3, 3]) / 2
    np.testing.assert_allclose(sequence.read(2).world_from_sensor[:3, 3], middle, atol=0.02)
    with pytest.raises(InputError, match="count from the same time"):
        open_sequence(write_bag(tmp_path / "b", sweeps, offset=100.0))


def test_several_topics_are_chosen_by_an_option(tmp_path, sweeps):
    path = write_bag(tmp_path / "a", sweeps, second_cloud=True)
    with pytest.raises(InputError, match=r"/filtered, /points .*--topics SWEEPS POSES"):
        open_sequence(path)
    sequence = open_sequence(path, RecordingOptions(topics=("/filtered", "/odom")))
    assert len(sequence.read(0).cloud) == -(-len(sweeps[0].points) // 4)
    with pytest.raises(InputError, match="no point clouds on /other; it has them on /filtered"):
        open_sequence(path, RecordingOptions(topics=("/other", "/odom")))
    with pytest.raises(InputError, match="no poses on /gps; it has them on /odom"):
        open_sequence(path, RecordingOptions(topics=("/points", "/gps")))


def test_bags_without_what_is_needed(tmp_path, sweeps):
    path = write_bag(tmp_path / "a", sweeps, poses="none")
    with pytest.raises(InputError, match="has no moving frame above velodyne"):
        open_sequence(path)
    with BagWriter(tmp_path / "b", "db3") as writer:
        writer.write("/odom", writer.odometry(np.eye(4), START), START)
    with pytest.raises(InputError, match=r"no topic of sensor_msgs/PointCloud2; it has /odom"):
        open_sequence(tmp_path / "b")


def problems(path) -> list[str]:
    """What opening a bag and reading its sweeps say."""
    try:
        sequence = open_sequence(path)
    except InputError as error:
        return [str(error)]
    said = [sequence.problem] if sequence.problem else []
    for index in range(len(sequence)):
        try:
            sequence.read(index)
        except FrameError as error:
            said.append(str(error))
    return said


@pytest.mark.parametrize("kind", ["bag", "db3", "mcap"])
def test_a_damaged_bag_is_one_line(tmp_path, sweeps, kind):
    path = write_bag(tmp_path / ("a.bag" if kind == "bag" else "a"), sweeps, kind)
    file = path if kind == "bag" else next(each for each in path.glob(f"*.{kind}"))
    whole = file.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"\0" * 100 + whole[100:]):
        file.write_bytes(content)
        said = problems(path)
        assert all(str(path) in each and "\n" not in each for each in said)
        assert said or content


def test_a_message_cut_short_is_an_error_of_that_sweep(tmp_path, sweeps):
    with BagWriter(tmp_path / "a", "db3") as writer:
        for i, sweep in enumerate(sweeps):
            time = START + 0.1 * i
            cloud = writer.cloud(table_of(sweep), time, "lidar")
            if i == 1:
                cloud.data = cloud.data[:-32]
            writer.write("/points", cloud, time)
            writer.write("/odom", writer.odometry(sweep.pose, time, "lidar"), time)
    sequence = open_sequence(tmp_path / "a")
    with pytest.raises(FrameError, match=r"/points at .* is cut short"):
        sequence.read(1)
    sequence.read(2)
