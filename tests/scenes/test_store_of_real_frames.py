"""Size and accuracy of a store of real frames, compared with full-resolution float64 points."""

import numpy as np
import pytest

from pointcontrast.data.correspondences import find_correspondences
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.geometry import transform_points
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.scenes.recorded_views import to_view
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.scenes.view_store_writer import SceneSource, write_view_store
from pointcontrast.types import PointCloud
from tests.oracles.depth import unproject

SOURCE = SceneSource("test", "nowhere")


@pytest.fixture(scope="module", params=["redkitchen", "hololens", "sun3d_studyroom/fragment-1"])
def frames(request, real_data):
    sequence = open_sequence(real_data / request.param)
    return [sequence.read(index) for index in range(0, 24, 3)]


@pytest.fixture(scope="module")
def store(frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "scene"
    write_view_store(folder, [to_view(frame) for frame in frames], SOURCE)
    return ViewStore(folder)


def full_resolution(frame):
    """All points of a frame, float64, without the tested code for depth images."""
    valid = (frame.depth > 0) & (frame.depth <= 10)
    camera = unproject(frame.depth, frame.intrinsics)[valid]
    return transform_points(frame.world_from_camera, camera)


def test_it_takes_a_twentieth_of_the_authors_files(frames, store, tmp_path):
    authors = 0
    for frame in frames:
        np.savez(tmp_path / "view.npz", pcd=full_resolution(frame))
        authors += (tmp_path / "view.npz").stat().st_size
    stored = sum(file.stat().st_size for file in store.path.iterdir())
    assert stored <= authors / 20


def test_training_finds_as_many_correspondences_as_in_full_resolution_points(frames, store):
    recipe = NetworkInput(voxel_size=0.025, feature_noise=0)  # the same rotations for both
    counts = []
    for i in range(len(frames) - 1):
        stored = [store.read(j) for j in (i, i + 1)]
        full = [PointCloud(full_resolution(f).astype(np.float32)) for f in frames[i : i + 2]]
        for clouds in (stored, full):
            rng = np.random.default_rng(i)
            views = [recipe(c, store.meta.up, store.meta.floor_height, rng) for c in clouds]
            counts.append(len(find_correspondences(views[0].points, views[1].points, 0.0375)))
    stored, full = np.array(counts).reshape(-1, 2).T
    assert full.min() > 1000
    assert np.abs(stored / full - 1).max() < 0.001  # only rounding differs
