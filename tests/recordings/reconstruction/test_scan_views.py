from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem, transform_points
from pointcontrast.pictures.colored_points import ColoredPoints, write_ply
from pointcontrast.pictures.point_ply import write_point_ply
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
from tests.helpers.box_world import ROOM, colors_of, hidden, world_mesh, world_points
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
    for name in (
        "a.ply",
        "a.labels.ply",
        "b.PLY",
        "c.txt",
        "d.ply.gz",
        "recorded/a.sens",
        "recorded/a.ply",
    ):
        (tmp_path / name).touch()
    found = [p for p in sorted(tmp_path.rglob("*")) if ScanFileSequence.recognises(p)]
    assert [p.name for p in found] == ["a.ply", "b.PLY", "d.ply.gz"]


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
    assert "millimetres.ply is 6e+03 x 4e+03 x 2.6e+03 m in size" in reasons
    with pytest.raises(InputError, match="--intrinsics does not apply"):
        open_sequence(cloud, RecordingOptions(intrinsics=np.diag([100.0, 100, 1])))


def test_a_georeferenced_scan_gives_the_views_of_the_same_scan_near_zero(tmp_path: Path) -> None:
    points = world_points(0.05).astype(np.float64) - [3, 2, 1]  # its middle rounds to zero
    points = np.round(points * 1024) / 1024  # exact in float32, and in float64 far from zero
    place = np.array([452_345.0, 5_234_567.0, 412.0])
    clouds = {}
    for name, at in (("near", np.zeros(3)), ("far", place)):
        write_point_ply(tmp_path / f"{name}.ply", points + at, colors_of(world_points(0.05)))
        clouds[name] = open_sequence(tmp_path / f"{name}.ply")
    near, far = clouds["near"], clouds["far"]
    assert near.frame_ids == far.frame_ids
    for index in range(0, len(near), 6):
        one, other = near.read(index), far.read(index)
        np.testing.assert_array_equal(one.cloud.points, other.cloud.points)
        np.testing.assert_array_equal(one.cloud.colors, other.cloud.colors)
        moved = one.world_from_sensor[:3, 3] + place
        np.testing.assert_array_equal(other.world_from_sensor[:3, 3], moved)
        np.testing.assert_array_equal(
            other.world_from_sensor[:3, :3], one.world_from_sensor[:3, :3]
        )
        distinct = {len(np.unique(sweep.cloud.points[:, 1])) for sweep in (one, other)}
        assert distinct.pop() > 100


@pytest.mark.parametrize("where", [0.0, 5_200_000.0])
def test_a_georeferenced_mesh_keeps_its_digits(tmp_path: Path, where: float) -> None:
    vertices, faces = world_mesh()
    colors = colors_of(vertices)
    write_point_ply(tmp_path / "m.ply", vertices.astype(np.float64) + where, colors, faces=faces)
    sequence = open_sequence(tmp_path / "m.ply")
    sweep = sequence.read(0)
    world = transform_points(sweep.world_from_sensor, sweep.cloud.points) - where
    walls = np.concatenate([np.abs(world - bound) for bound in ROOM], axis=1)
    on_walls = walls.min(axis=1) < 1e-4
    assert on_walls.mean() > 0.5
    assert len(np.unique(sweep.cloud.points[:, 1])) > 0.9 * len(sweep.cloud)


def test_a_stated_unit_is_applied(tmp_path: Path) -> None:
    write_cloud(tmp_path / "m.ply", world_points(0.1))
    points = world_points(0.1).astype(np.float64)
    write_point_ply(tmp_path / "cm.ply", points * 100, colors_of(world_points(0.1)))
    with pytest.raises(InputError, match=r"cm\.ply is 600 x 400 x 260 m.*by --unit 0\.01 \(cent"):
        len(open_sequence(tmp_path / "cm.ply"))
    stated = open_sequence(tmp_path / "cm.ply", RecordingOptions(unit=0.01))
    metres = open_sequence(tmp_path / "m.ply")
    assert len(stated) == len(metres)
    first, other = stated.read(3), metres.read(3)
    np.testing.assert_allclose(first.world_from_sensor, other.world_from_sensor, atol=1e-6)
