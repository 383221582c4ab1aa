from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem, transform_points
from pointcontrast.pictures.colored_points import ColoredPoints, write_ply
from pointcontrast.preparation.prepare import prepare
from pointcontrast.recordings.layouts import find_sequences, open_sequence
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.reconstruction.scan_views import (
    FEWEST_VIEWS,
    MOST_VIEWS,
    ScanFileSequence,
)
from pointcontrast.scenes.pairs import PAIRS_FILE, read_pairs
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import Sweep
from tests.helpers.box_world import ROOM, colors_of, hidden, world_points
from tests.recordings.reconstruction.scan_file_writers import write_glb, write_ply_mesh


def write_cloud(path: Path, points: np.ndarray) -> Path:
    write_ply(path, ColoredPoints(points, colors_of(points)))
    return path


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ply_mesh(tmp_path_factory.mktemp("scan") / "room.ply")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cloud(tmp_path_factory.mktemp("scan") / "room.ply", world_points(0.05))


def read_all(sequence) -> list[Sweep]:
    sweeps = [sequence.read(i) for i in range(0, len(sequence), 10)]
    assert all(isinstance(sweep, Sweep) for sweep in sweeps)
    return sweeps


def test_views_are_what_cameras_in_the_room_see(mesh: Path) -> None:
    sequence = open_sequence(mesh)
    assert FEWEST_VIEWS <= len(sequence) <= MOST_VIEWS
    assert sequence.up is not None
    assert sequence.up.tolist() == [0, 0, 1]
    for sweep in read_all(sequence):
        pose, cloud = sweep.world_from_sensor, sweep.cloud
        assert rigid_problem(pose) is None
        assert (pose[:3, 3] > ROOM[0]).all()
        assert (pose[:3, 3] < ROOM[1]).all()
        assert cloud.points[:, 2].min() >= 0.39
        assert cloud.points[:, 2].max() <= 4.01
        world = transform_points(pose, cloud.points)
        some = world[:: len(world) // 1000]
        # the floor below the solids, which no scan has, is let through at their feet
        assert hidden(some, pose[:3, 3], margin=0.03).mean() < 0.03
        assert cloud.colors is not None
        assert np.abs(cloud.colors.astype(int) - colors_of(world)).max() <= 2
        assert cloud.normals is not None
        assert (np.einsum("nc,nc->n", cloud.normals, cloud.points) <= 0).all()
        np.testing.assert_allclose(np.linalg.norm(cloud.normals, axis=1), 1, atol=1e-5)


def test_the_same_file_gives_the_same_views(cloud: Path) -> None:
    one, other = open_sequence(cloud), open_sequence(cloud)
    assert one.frame_ids == other.frame_ids
    assert one.fingerprint() == other.fingerprint()
    np.testing.assert_array_equal(one.read(5).cloud.points, other.read(5).cloud.points)


def test_gltf_has_y_up(tmp_path: Path, mesh: Path) -> None:
    sequence = open_sequence(write_glb(tmp_path / "room.glb"))
    assert sequence.up is not None
    assert sequence.up.tolist() == [0, 1, 0]
    assert abs(len(sequence) - len(open_sequence(mesh))) <= 5
    for sweep in read_all(sequence):
        assert 1.1 < sweep.world_from_sensor[1, 3] < 1.9


def test_up_txt_turns_the_cameras(tmp_path: Path) -> None:
    lying = world_points(0.03)[:, [2, 0, 1]]  # its x is up
    path = write_cloud(tmp_path / "lying.ply", np.ascontiguousarray(lying))
    with pytest.raises(InputError, match=r"no free floor .* \[0\.0, 0\.0, 1\.0\] upwards.*up\.txt"):
        len(open_sequence(write_cloud(tmp_path / "wall.ply", lying[lying[:, 0] < 0.01])))
    (tmp_path / "up.txt").write_text("1 0 0\n")
    for sweep in read_all(open_sequence(path)):
        assert 1.1 < sweep.world_from_sensor[0, 3] < 1.9
        assert -sweep.world_from_sensor[0, 1] > 0.6


def test_what_is_taken_for_a_scan(tmp_path: Path) -> None:
    (tmp_path / "recorded").mkdir()
    for name in ("a.ply", "a.labels.ply", "b.PLY", "c.txt", "recorded/a.sens", "recorded/a.ply"):
        (tmp_path / name).touch()
    found = [p for p in sorted(tmp_path.rglob("*")) if ScanFileSequence.recognises(p)]
    assert [p.name for p in found] == ["a.ply", "b.PLY"]


def test_a_scan_becomes_pairs_like_anything_else(cloud: Path, tmp_path: Path) -> None:
    assert find_sequences(cloud.parent) == [cloud]
    summary = prepare([cloud.parent], tmp_path)
    assert not summary.failures
    pairs = read_pairs(tmp_path / PAIRS_FILE)
    store = ViewStore(tmp_path / pairs[0].scene)
    assert len(store) >= FEWEST_VIEWS
    assert len(pairs) > len(store)
    assert store.meta.up.tolist() == [0, 0, 1]
    again = prepare([cloud.parent], tmp_path)
    assert all(scene.reused for scene in again.scenes)


def test_bad_files_are_reported_and_do_not_stop_the_rest(cloud: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "good.ply").write_bytes(cloud.read_bytes())
    (raw / "cut.ply").write_bytes(cloud.read_bytes()[:300])
    write_cloud(raw / "millimetres.ply", world_points(0.1) * 1000)
    summary = prepare([raw], tmp_path / "out")
    assert [scene.scene for scene in summary.scenes] == ["raw/good"]
    reasons = "\n".join(summary.failures.values())
    assert "cut.ply is damaged" in reasons
    assert "millimetres.ply is 6e+03 m across" in reasons
    with pytest.raises(InputError, match="--intrinsics does not apply"):
        open_sequence(cloud, RecordingOptions(intrinsics=np.diag([100.0, 100, 1])))
