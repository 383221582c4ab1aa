import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_about
from pointcontrast.recordings.layouts import find_sequences, open_sequence
from pointcontrast.scenes.recorded_views import to_view
from pointcontrast.scenes.up_direction import estimate_up, given_up
from tests.helpers.repository import REAL_DATA
from tests.helpers.small_scenes import look, walk

DATA = REAL_DATA


def _degrees(a, b):
    return float(np.degrees(np.arccos(np.clip(np.dot(a, b), -1, 1))))


@pytest.mark.parametrize("seed", range(4))
def test_a_room_s_up_is_found_in_any_world_frame(seed):
    rng = np.random.default_rng(seed)
    rotation = rotation_about(rng.normal(size=3), rng.uniform(-3, 3))
    turned = np.eye(4)
    turned[:3, :3] = rotation
    views = [to_view(frame).cloud[::10] for frame in walk(5)]
    normals = np.concatenate([view.normals for view in views])
    normals += rng.normal(scale=0.05, size=normals.shape).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    poses = np.stack([turned @ frame.world_from_camera for frame in walk(5)])
    up = estimate_up(-poses[:, :3, 1], normals @ rotation.T)
    assert _degrees(up.direction, rotation @ [0, 0, 1]) < 0.5
    assert 0.1 < up.support < 0.9
    assert "estimated" in up.how


def test_without_horizontal_surfaces_the_cameras_decide():
    poses = np.stack([look(0.3 * i, pitch=-0.2) for i in range(3)])
    mean = -poses[:, :3, 1].mean(axis=0)
    walls = np.tile(np.eye(3, dtype=np.float32)[:2], (500, 1))
    for normals in (walls, np.zeros((500, 3), np.float32), np.empty((0, 3), np.float32)):
        up = estimate_up(-poses[:, :3, 1], normals)
        np.testing.assert_allclose(up.direction, mean / np.linalg.norm(mean))
        assert up.how == "mean sensor up"
        assert up.support == 0


def test_cameras_that_cancel_out_are_an_error():
    poses = np.stack([np.eye(4), np.diag([1.0, -1, -1, 1])])
    with pytest.raises(InputError, match="--up"):
        estimate_up(-poses[:, :3, 1], np.empty((0, 3)))


def test_a_given_direction_is_normalised_and_its_support_counted():
    normals = np.array([[0, 0, 1], [0, 0, -1], [1, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32)
    up = given_up([0, 0, 3], normals)
    assert up.direction.tolist() == [0, 0, 1]
    assert up.support == 0.5  # of the four known
    for bad in ([0, 0, 0], [np.nan, 0, 1], [1, 2]):
        with pytest.raises(InputError, match="up direction"):
            given_up(bad, normals)


def _horizontal_plane(points, guess):
    """Normal of the plane with most points among those within 30 degrees of ``guess``."""
    import open3d as o3d

    o3d.utility.random.seed(0)
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points)).voxel_down_sample(0.04)
    for _ in range(8):
        plane, rows = cloud.segment_plane(0.02, 3, 1500)
        normal = plane[:3] * np.sign(plane[:3] @ guess)
        if _degrees(normal, guess) < 30:
            return normal
        cloud = cloud.select_by_index(rows, invert=True)
    raise AssertionError("no horizontal plane found")


@pytest.mark.skipif(not DATA.exists(), reason="the real frames are not in shared/")
@pytest.mark.parametrize("scene", ["redkitchen", "hololens", "sun3d_studyroom"])
def test_real_up_is_that_of_the_floor_or_table(scene):
    sequences = [open_sequence(folder) for folder in find_sequences(DATA / scene)]
    step = 5 if len(sequences) > 1 else 12
    frames = [each.read(i) for each in sequences for i in range(0, len(each), step)]
    views = [to_view(frame).cloud[::60] for frame in frames]
    poses = np.stack([frame.world_from_camera for frame in frames])
    up = estimate_up(-poses[:, :3, 1], np.concatenate([view.normals for view in views]))
    points = np.concatenate([view.points for view in views]).astype(np.float64)
    plane = _horizontal_plane(points, -poses[:, :3, 1].mean(axis=0))
    assert _degrees(up.direction, plane) < 2
    assert up.support > 0.05
    if scene == "hololens":  # its device aligns the world's y with gravity
        assert _degrees(up.direction, [0, 1, 0]) < 0.5
