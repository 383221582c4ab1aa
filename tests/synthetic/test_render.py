"""Frames, walks and points agree with their mesh."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.synthetic.camera_walk import walk
from pointcontrast.synthetic.pieces import CLASS_NAMES
from pointcontrast.synthetic.render import LabelledFrame, Renderer, pinhole
from pointcontrast.synthetic.rooms import Room, make_room
from pointcontrast.synthetic.sensor import axial_noise, measured_depth
from pointcontrast.synthetic.textures import PATTERNS, Material, TextureTable, value_noise

SIZE = (64, 48)


@pytest.fixture(scope="module", params=[0, 5])
def room(request: pytest.FixtureRequest) -> Room:
    return make_room(np.random.default_rng([21, request.param]))


@pytest.fixture(scope="module")
def poses(room: Room) -> np.ndarray:
    return walk(room, 12, np.random.default_rng(1))


@pytest.fixture(scope="module")
def frames(room: Room, poses: np.ndarray) -> list[LabelledFrame]:
    renderer = Renderer(room)
    return [renderer.frame(pose, pinhole(*SIZE, 60), SIZE) for pose in poses]


def world_points(labelled: LabelledFrame) -> tuple[np.ndarray, np.ndarray]:
    """Unproject pixel by pixel; return points and pixel indices (v, u)."""
    frame = labelled.frame
    k, points, pixels = frame.intrinsics, [], []
    for v, u in np.argwhere(frame.depth > 0):
        z = float(frame.depth[v, u])
        camera = [(u - k[0, 2]) * z / k[0, 0], (v - k[1, 2]) * z / k[1, 1], z, 1.0]
        points.append((frame.world_from_camera @ camera)[:3])
        pixels.append((v, u))
    return np.array(points), np.array(pixels)


def distance_to_triangles(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N, T) distances to the closest point of each triangle's plane, edges and corners."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    best = np.full((len(points), len(corners)), np.inf)
    inside = np.ones_like(best, dtype=bool)
    for p, q in ((a, b), (b, c), (c, a)):
        edge, away = q - p, points[:, None] - p
        share = (away * edge).sum(-1) / np.maximum((edge * edge).sum(-1), 1e-20)
        nearest = away - np.clip(share, 0, 1)[..., None] * edge
        best = np.minimum(best, np.linalg.norm(nearest, axis=-1))
        inside &= (np.cross(edge[None], away) * normal).sum(-1) >= 0
    plane = np.abs(((points[:, None] - a) * normal).sum(-1))
    return np.where(inside, plane, best)


def test_perfect_depth_lies_on_the_surface_of_its_label(room: Room, frames: list[LabelledFrame]):
    rng = np.random.default_rng(0)
    corners = room.vertices[room.triangles].astype(float)
    for labelled in frames[::4]:
        points, pixels = world_points(labelled)
        chosen = rng.choice(len(points), 40, replace=False)
        points, (v, u) = points[chosen], pixels[chosen].T
        distance = distance_to_triangles(points, corners)
        assert distance.min(axis=1).max() < 0.002
        # the triangles of the pixel's own instance are (nearly) the nearest ones
        own = room.instance == labelled.instance[v, u][:, None]
        assert (np.where(own, distance, np.inf).min(axis=1) < 0.002).all()
        classes = room.semantic == labelled.semantic[v, u][:, None]
        assert (np.where(classes, distance, np.inf).min(axis=1) < 0.002).all()


def test_depth_is_complete_and_within_the_room(frames: list[LabelledFrame], room: Room):
    for labelled in frames:
        assert (labelled.frame.depth > 0).all(), "a room is closed"
        points, _ = world_points(labelled)
        low, high = room.vertices.min(axis=0), room.vertices.max(axis=0)
        assert ((points > low - 0.002) & (points < high + 0.002)).all()
        assert labelled.frame.color is not None
        assert labelled.frame.color.std() > 8, "a picture, not one flat colour"


def test_noise_has_the_stated_size(room: Room, poses: np.ndarray, frames: list[LabelledFrame]):
    renderer = Renderer(room)
    ratios = []
    for index, pose in enumerate(poses):
        noisy = renderer.frame(pose, pinhole(*SIZE, 60), SIZE, rng=np.random.default_rng(index))
        true, seen = frames[index].frame.depth, noisy.frame.depth
        both = (seen > 0) & (true > 0)
        assert 0.6 < both.mean() < 1
        assert np.array_equal(noisy.semantic < 0, seen == 0)
        assert np.array_equal(noisy.semantic[both], frames[index].semantic[both])
        ratios.append(((seen - true) / axial_noise(true))[both])
    ratio = np.concatenate(ratios)
    assert abs(ratio.mean()) < 0.05
    assert 0.95 < ratio.std() < 1.1  # a little above 1: millimetre steps


def test_sensor_drops_what_it_cannot_see():
    rng = np.random.default_rng(0)
    head_on = np.ones((60, 60))
    near = np.full((60, 60), 2.0, dtype=np.float32)
    assert (measured_depth(near, head_on, rng) > 0).all()
    assert (measured_depth(near, head_on * 0.03, rng) == 0).all()
    assert (measured_depth(near * 4, head_on, rng) == 0).all()
    step = near.copy()
    step[:, 30:] = 3.0
    lost = measured_depth(step, head_on, rng) == 0
    assert 0.3 < lost[:, 28:32].mean() < 0.7
    assert not lost[:, :27].any()
    assert not lost[:, 33:].any()
    slope = np.tile(np.linspace(1, 4, 60, dtype=np.float32), (60, 1))
    assert (measured_depth(slope, head_on, rng) > 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_the_camera_stays_in_the_free_space(seed: int):
    room = make_room(np.random.default_rng([22, seed]))
    poses = walk(room, 60, np.random.default_rng(seed))
    rotation, eyes = poses[:, :3, :3], poses[:, :3, 3]
    np.testing.assert_allclose(
        rotation @ rotation.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (60, 3, 3)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-12)
    np.testing.assert_array_equal(poses[:, 3], np.broadcast_to([0, 0, 0, 1], (60, 4)))
    assert room.plan.contains(eyes[:, :2], 0.1).all()
    assert ((eyes[:, 2] >= 1.2) & (eyes[:, 2] <= 1.7)).all()
    for box in room.boxes.astype(float):
        away = eyes - box[:3]
        c, s = np.cos(box[6]), np.sin(box[6])
        local = np.column_stack([away[:, :2] @ np.array([[c, -s], [s, c]]), away[:, 2]])
        assert not (np.abs(local) < box[3:6] / 2).all(axis=1).any()
    # upright: y of the camera points down, rolled by a few degrees at most
    assert (rotation[:, 2, 1] < -0.75).all()
    assert (np.abs(rotation[:, 2, 0]) < np.sin(np.radians(15))).all()


def test_successive_frames_overlap(frames: list[LabelledFrame]):
    for first, second in pairwise(frames):
        points, _ = world_points(first)
        frame = second.frame
        camera = (
            np.linalg.inv(frame.world_from_camera)
            @ np.column_stack([points, np.ones(len(points))]).T
        )
        u, v, _ = frame.intrinsics @ (camera[:3] / camera[2])
        u, v = np.round(u).astype(int), np.round(v).astype(int)
        inside = (camera[2] > 0) & (u >= 0) & (u < SIZE[0]) & (v >= 0) & (v < SIZE[1])
        depth = frame.depth[v[inside], u[inside]]
        same = np.abs(depth - camera[2][inside]) < 0.05
        assert same.sum() / len(points) > 0.4


def test_the_walk_returns_to_see_things_from_elsewhere():
    room = make_room(np.random.default_rng([22, 2]))
    poses = walk(room, 80, np.random.default_rng(0))
    eyes, forward = poses[:, :2, 3], poses[:, :2, 2]
    near = np.linalg.norm(eyes[:, None] - eyes[None], axis=-1) < 0.5
    apart = np.abs(np.arange(80)[:, None] - np.arange(80)) > 20
    assert (near & apart).any(), "it comes back"
    yaw = np.arctan2(forward[:, 1], forward[:, 0])
    assert len(np.unique((yaw // (np.pi / 4)).astype(int))) >= 5, "it looks about"


def test_points_cover_the_visible_surfaces(room: Room):
    renderer = Renderer(room)
    density = 300.0
    points = renderer.sample_points(density, np.random.default_rng(3))
    corners = room.vertices[room.triangles].astype(float)
    chosen = np.random.default_rng(0).choice(len(points.points), 60, replace=False)
    distance = distance_to_triangles(points.points[chosen].astype(float), corners)
    assert distance.min(axis=1).max() < 1e-4
    own = room.instance == points.instance[chosen][:, None]
    assert np.where(own, distance, np.inf).min(axis=1).max() < 1e-4
    np.testing.assert_allclose(np.linalg.norm(points.normals, axis=1), 1, atol=1e-5)
    # nothing hangs below a ceiling but lamps, so nearly all of it is seen
    ceiling = points.semantic == CLASS_NAMES.index("ceiling")
    x, y = room.plan.size
    area = x * y - room.plan.notch[0] * room.plan.notch[1]
    assert ceiling.sum() == pytest.approx(area * density, rel=0.05)
    assert (points.normals[ceiling] == [0, 0, -1]).all()


def test_hidden_surfaces_are_left_out(room: Room):
    renderer = Renderer(room)
    points = renderer.sample_points(100.0, np.random.default_rng(3))
    floor = points.semantic == CLASS_NAMES.index("floor")
    num_cabinets = 0
    for box in room.boxes.astype(float):
        if CLASS_NAMES[int(box[7])] == "cabinet" and box[2] - box[5] / 2 < 1e-3:
            away = points.points[floor][:, :2] - box[:2]
            c, s = np.cos(box[6]), np.sin(box[6])
            local = np.abs(away @ np.array([[c, -s], [s, c]]))
            # its plinth stands on the floor, at least 9 cm in from each side
            assert not (local < box[3:5] / 2 - 0.12).all(axis=1).any()
            num_cabinets += 1
    assert num_cabinets > 0


def test_value_noise_is_smooth_and_spread():
    rng = np.random.default_rng(0)
    q = rng.uniform(-50, 50, (20000, 3)).astype(np.float32)
    noise = value_noise(q)
    assert (noise.min() >= 0) & (noise.max() <= 1)
    assert abs(noise.mean() - 0.5) < 0.02
    assert noise.std() > 0.12
    assert np.abs(value_noise(q + np.float32(1e-3)) - noise).max() < 0.02
    lattice = value_noise(np.floor(q))
    assert np.corrcoef(lattice, value_noise(np.floor(q) + np.float32(1)))[0, 1] < 0.05


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_patterns_stay_in_range_and_vary(pattern: str):
    material = Material(pattern, (0.8, 0.4, 0.2), (0.2, 0.3, 0.6), (0.1, 0.1, 0.1))
    where = np.random.default_rng(0).uniform(0, 3, (500, 3)).astype(np.float32)
    colors = TextureTable([material]).color(np.zeros(500, dtype=int), where)
    assert ((colors >= 0) & (colors <= 1)).all()
    assert colors.std(axis=0).max() > 0.02


def test_bad_settings_are_refused(room: Room):
    with pytest.raises(InputError, match="field of view"):
        pinhole(64, 48, 190)
    with pytest.raises(InputError, match="num_frames"):
        walk(room, 0, np.random.default_rng(0))
    with pytest.raises(InputError, match="density"):
        Renderer(room).sample_points(0, np.random.default_rng(0))
