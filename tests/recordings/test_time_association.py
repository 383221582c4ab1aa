"""Association by time and interpolated poses, against closed forms and a slow loop."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from pointcontrast.geometry import rotation_about
from pointcontrast.recordings.time_association import associate, interpolate_pose, poses_at


def pose(angle: float = 0.0, axis=(0, 0, 1), position=(0.0, 0.0, 0.0)):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_about(axis, angle)
    matrix[:3, 3] = position
    return matrix


def test_one_to_one_takes_the_closest_pairs_first():
    found = associate([0.0, 0.011], [0.01], max_gap=0.02)
    assert (found.first.tolist(), found.second.tolist()) == ([1], [0])
    assert found.gaps == pytest.approx([-0.001])
    assert found.num_left_out == 1
    assert found.nearest_left_out == pytest.approx(0.01)


def test_many_to_one_shares_the_nearest():
    found = associate([0.0, 0.011], [0.01], max_gap=0.02, one_to_one=False)
    assert (found.first.tolist(), found.second.tolist()) == ([0, 1], [0, 0])
    assert found.worst_gap == pytest.approx(0.01)
    assert found.num_left_out == 0


def test_the_gap_is_a_limit_and_what_is_left_out_is_counted():
    found = associate([0.0, 1.0, 2.0], [0.019, 1.03, 5.0], max_gap=0.02)
    assert found.first.tolist() == [0]
    assert found.num_left_out == 2
    assert found.nearest_left_out == pytest.approx(0.03)
    assert associate([0.5], [0.75], max_gap=0.25).num_left_out == 0  # the limit itself counts


def test_neither_list_need_be_sorted():
    found = associate([3.0, 1.0, 2.0], [2.001, 3.001, 1.001])
    assert found.first.tolist() == [1, 2, 0]
    assert found.second.tolist() == [2, 0, 1]


def test_equal_times_take_their_entries_in_order():
    found = associate([1.0, 1.0], [1.0, 1.0, 1.0])
    assert (found.first.tolist(), found.second.tolist()) == ([0, 1], [0, 1])
    assert associate([1.0, 1.0], [1.0, 1.0], one_to_one=False).second.tolist() == [0, 0]


@pytest.mark.parametrize("one_to_one", [True, False])
def test_empty_lists(one_to_one):
    for first, second in (([], [1.0]), ([1.0], []), ([], [])):
        found = associate(first, second, one_to_one=one_to_one)
        assert len(found.first) == len(found.second) == 0
        assert found.num_left_out == len(first)
        assert found.worst_gap == 0


def test_times_must_be_finite():
    with pytest.raises(ValueError, match="not finite"):
        associate([np.nan], [1.0])


def _slow(first, second, max_gap):
    """Every pair within the gap, sorted by it; each entry once."""
    pairs = sorted(
        (abs(a - b), i, k)
        for i, a in enumerate(first)
        for k, b in enumerate(second)
        if abs(a - b) <= max_gap
    )
    taken, used = {}, set()
    for _, i, k in pairs:
        if i not in taken and k not in used:
            taken[i] = k
            used.add(k)
    return taken


@pytest.mark.parametrize("seed", range(5))
def test_against_a_slow_loop(seed):
    rng = np.random.default_rng(seed)
    first = np.round(rng.uniform(0, 3, 80), 3)  # rounded: with equal times and equal gaps
    second = np.round(rng.uniform(0, 3, 60), 3)
    found = associate(first, second, max_gap=0.05)
    assert dict(zip(found.first.tolist(), found.second.tolist(), strict=True)) == _slow(
        first, second, 0.05
    )
    shared = associate(first, second, max_gap=0.05, one_to_one=False)
    distances = np.abs(first[:, None] - second)
    assert sorted(shared.first.tolist()) == np.flatnonzero(distances.min(axis=1) <= 0.05).tolist()
    np.testing.assert_array_equal(np.abs(shared.gaps), distances.min(axis=1)[shared.first])


def test_half_way_is_half_the_way_and_half_the_turn():
    middle = interpolate_pose(pose(), pose(0.8, position=(2, 0, 4)), 0.5)
    np.testing.assert_allclose(middle, pose(0.4, position=(1, 0, 2)), atol=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_interpolated_rotations_are_those_of_slerp(seed):
    rng = np.random.default_rng(seed)
    ends = np.stack([pose(*args) for args in ((rng.uniform(), rng.normal(size=3)),) * 2])
    ends[1, :3, :3] = ends[0, :3, :3] @ rotation_about(rng.normal(size=3), 0.7)
    slerp = Slerp([0, 1], Rotation.from_matrix(ends[:, :3, :3]))
    for share in (0.0, 0.25, 0.9, 1.0):
        found = interpolate_pose(ends[0], ends[1], share)
        np.testing.assert_allclose(found[:3, :3], slerp(share).as_matrix(), atol=1e-12)


def test_a_turn_too_wide_to_know_its_way_is_not_interpolated():
    assert interpolate_pose(pose(), pose(3.0), 0.5) is None
    found = poses_at([0.05], [0.0, 0.1], np.stack([pose(), pose(3.0)]), 0.02, interpolate_within=1)
    assert not found.found.any()


def test_poses_between_near_ones_are_interpolated_and_others_are_the_nearest():
    poses = np.stack([pose(position=(x, 0, 0)) for x in (0.0, 1.0, 5.0)])
    found = poses_at(
        [0.05, 0.1, 0.12, 0.5, 2.01, 2.5], [0.0, 0.1, 2.0], poses, 0.03, interpolate_within=0.1
    )
    assert found.found.tolist() == [True, True, True, False, True, False]
    assert found.interpolated.tolist() == [True, False, False, False, False, False]
    np.testing.assert_allclose(found.poses[found.found, 0, 3], [0.5, 1, 1, 5])
    assert np.isnan(found.poses[3]).all()
    assert found.num_left_out == 2
    assert found.worst_gap == pytest.approx(0.05)  # of the interpolated one
    assert found.gaps[5] == pytest.approx(0.5)


def test_a_pose_of_the_time_itself_is_kept_to_the_bit():
    rng = np.random.default_rng(0)
    poses = np.stack([pose(*rng.uniform(size=1), rng.normal(size=3)) for _ in range(9)])
    times = np.arange(9) * 0.1
    for within in (0.0, 1.0):
        found = poses_at(times[::-1], times, poses, interpolate_within=within)
        np.testing.assert_array_equal(found.poses, poses[::-1])


def test_pose_times_need_not_be_sorted_and_the_first_of_equal_ones_counts():
    poses = np.stack([pose(position=(x, 0, 0)) for x in (3.0, 1.0, 2.0, 9.0)])
    found = poses_at([1.5, 2.0], [3.0, 1.0, 2.0, 2.0], poses, interpolate_within=1.0)
    np.testing.assert_allclose(found.poses[:, 0, 3], [1.5, 2.0])


def test_one_pose_and_none():
    found = poses_at([0.0, 1.0], [0.01], pose()[None], interpolate_within=9)
    assert found.found.tolist() == [True, False]
    assert not poses_at([0.0], [], np.empty((0, 4, 4))).found.any()
