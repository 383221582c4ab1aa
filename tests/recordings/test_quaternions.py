"""Quaternions against Rodrigues' formula and SciPy."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_about
from pointcontrast.recordings.quaternions import pose_from_quaternion, rotation_from_quaternion


@pytest.mark.parametrize("axis", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0, 0.8]])
@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 2, np.pi, 4.0])
def test_it_is_the_rotation_by_the_angle_about_the_axis(axis, angle):
    xyzw = [*(np.array(axis) * np.sin(angle / 2)), np.cos(angle / 2)]
    for sign in (1, -1):  # both are one rotation
        got = rotation_from_quaternion(sign * np.array(xyzw), "a")
        np.testing.assert_allclose(got, rotation_about(axis, angle), atol=1e-15)


def test_many_at_once_are_as_scipys():
    q = np.random.default_rng(0).normal(size=(20, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    np.testing.assert_allclose(
        rotation_from_quaternion(q, "a"), Rotation.from_quat(q).as_matrix(), atol=1e-14
    )


def test_rounded_numbers_give_a_rotation():
    pose = pose_from_quaternion([1e6, -5e6, 3.25], [0.7, 0.0, 0.0, 0.71], "a")
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-15)
    assert pose[:3, 3].tolist() == [1e6, -5e6, 3.25]


@pytest.mark.parametrize(
    "xyzw", [[0, 0, 0, 0], [1, 1, 1, 1], [np.nan, 0, 0, 1], [0, 0, 1], [[0, 0, 0, 1], [0, 0, 0, 2]]]
)
def test_what_is_no_unit_quaternion_is_refused(xyzw):
    with pytest.raises(InputError, match=r"poses\.txt: row 3.*quaternion"):
        rotation_from_quaternion(xyzw, "poses.txt: row 3")


def test_a_translation_must_be_finite():
    with pytest.raises(InputError, match="translation"):
        pose_from_quaternion([0, np.inf, 0], [0, 0, 0, 1], "a")


def test_numbers_beyond_all_measure_are_refused_without_a_warning():
    with pytest.raises(InputError, match="has the length inf"):
        rotation_from_quaternion([1e300, 0, 0, 1], "here")
