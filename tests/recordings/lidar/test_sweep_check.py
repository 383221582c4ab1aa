"""The check of the poses of sweeps: right recordings pass, and wrong ones are named."""

import time

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.lidar.sweep_check import check_sweeps
from pointcontrast.recordings.options import RecordingOptions
from tests.recordings.lidar.sweep_scenes import (
    SCENES,
    WRONG,
    SweepsInMemory,
    camera_poses,
    clouds_of,
    inverted,
    rooms,
    straight,
    walk,
)
from tests.recordings.makers_sweeps import drive, street_boxes


@pytest.fixture(scope="module")
def scenes():
    return {name: make() for name, make in SCENES.items()}


def check(clouds, poses, options=None):
    sequence = SweepsInMemory(clouds, poses)
    return check_sweeps(sequence, sequence, options)


@pytest.mark.parametrize("scene", SCENES)
def test_a_right_recording_passes(scenes, scene):
    share = check(*scenes[scene])
    assert share is not None
    assert share > 0.8


@pytest.mark.parametrize(
    ("scene", "wrong"),
    [("street", wrong) for wrong in WRONG]
    + [(scene, wrong) for scene in ("rooms", "loop") for wrong in ("inverted", "KITTI's camera")],
)
def test_a_wrong_convention_is_named(scenes, scene, wrong):
    clouds, poses = scenes[scene]
    spoil, fix = WRONG[wrong]
    with pytest.raises(InputError, match="do not fit together as they are read") as caught:
        check(clouds, spoil(poses))
    assert fix in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_stated_wrongly_is_to_be_left_out(scenes):
    clouds, poses = scenes["street"]
    with pytest.raises(InputError, match="leave --poses inverse out"):
        check(clouds, inverted(poses), RecordingOptions(poses="inverse"))
    axes = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    with pytest.raises(InputError, match="leave --axes out"):
        check(clouds, [axes.T @ pose @ axes for pose in poses], RecordingOptions(axes="opencv"))


@pytest.mark.parametrize("kind", ["shuffled", "of another drive", "in millimetres"])
def test_poses_that_no_convention_saves_are_refused(scenes, kind):
    clouds, poses = scenes["street"]
    wrong = {
        "shuffled": [poses[i] for i in np.random.default_rng(0).permutation(len(poses))],
        "of another drive": [p @ q for p, q in zip(poses, SCENES["loop"]()[1], strict=False)],
        "in millimetres": [pose.copy() for pose in poses],
    }[kind]
    if kind == "in millimetres":
        for pose in wrong:
            pose[:3, 3] *= 1000
    with pytest.raises(InputError, match=r"by any convention.*in order and in metres"):
        check(clouds, wrong)


RIGHT = {
    "noise of 10 cm": lambda: (clouds_of(drive(8), street_boxes(), 0.1), drive(8)),
    "noise of 30 cm": lambda: (clouds_of(drive(8), street_boxes(), 0.3), drive(8)),
    "five moving cars": lambda: (clouds_of(drive(8), street_boxes(), moving=5), drive(8)),
    "straight on": lambda: (clouds_of(straight(8), street_boxes()), straight(8)),
    "9 m between sweeps": lambda: (
        clouds_of(drive(8, step=9.0, turn=0.1), street_boxes()),
        drive(8, step=9.0, turn=0.1),
    ),
    "two sweeps": lambda: (clouds_of(drive(2), street_boxes()), drive(2)),
    "a plane without features": lambda: (clouds_of(drive(6), street_boxes()[:1]), drive(6)),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_no_right_recording_is_refused(kind):
    check(*RIGHT[kind]())


def test_a_sensor_that_stands_still_tells_nothing():
    poses = [drive(1)[0]] * 6
    assert check(clouds_of(poses, street_boxes(), moving=5), poses) is None


def test_poses_far_from_the_origin_lose_no_digits(scenes):
    clouds, poses = scenes["street"]
    far = [pose.copy() for pose in poses]
    for pose in far:
        pose[:3, 3] += [4.5e5, 5.2e6, 300.0]
    assert check(clouds, far) == check(clouds, poses)
    with pytest.raises(InputError, match="--poses inverse"):
        check(clouds, inverted(far))


def test_sweeps_without_a_pose_or_a_plane_are_passed_over(scenes):
    clouds, poses = scenes["street"]
    clouds, poses = list(clouds), list(poses)
    poses[3] = np.full((4, 4), np.nan)
    clouds[7] = clouds[7][:5]
    assert check(clouds, poses) > 0.8
    with pytest.raises(InputError, match="--axes opencv"):
        check(clouds, [*camera_poses(poses)])


def test_it_takes_few_seconds_and_reads_few_sweeps():
    dense = clouds_of([walk(1)[0]], rooms())[0]
    dense = np.repeat(dense, 30, axis=0)  # as many points as a sweep of 64 beams
    dense = dense + np.random.default_rng(0).normal(0, 0.01, dense.shape)
    poses = []
    for i in range(200):
        pose = np.eye(4)
        pose[0, 3] = 1.1 * i
        poses.append(pose)
    sequence = SweepsInMemory([dense] * 200, poses)
    before = time.process_time()
    check_sweeps(sequence, sequence)
    assert sequence.num_read <= 20
    assert time.process_time() - before < 5
