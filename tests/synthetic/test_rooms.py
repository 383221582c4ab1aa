"""Properties of the boxes, labels and solids of rooms, for several seeds."""

from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.labelled_scene_checks import BOX_COLUMNS
from pointcontrast.synthetic.clutter import book_row, carton, ceiling_lamp, lamp, plant, waste_bin
from pointcontrast.synthetic.floorplan import FloorPlan, footprint, overlap
from pointcontrast.synthetic.furniture import bookcase, cabinet, desk, table
from pointcontrast.synthetic.pieces import CLASS_NAMES, FURNITURE_NAMES
from pointcontrast.synthetic.rooms import Room, make_room
from pointcontrast.synthetic.seating import bed, chair, sofa
from pointcontrast.synthetic.shell import make_shell

SEEDS = range(8)


@pytest.fixture(scope="module")
def rooms() -> list[Room]:
    return [make_room(np.random.default_rng([11, seed])) for seed in SEEDS]


def test_a_room_is_a_function_of_its_seed(rooms: list[Room]):
    again = make_room(np.random.default_rng([11, 3]))
    for name in ("vertices", "triangles", "semantic", "instance", "boxes"):
        assert np.array_equal(getattr(again, name), getattr(rooms[3], name))
    assert again.materials == rooms[3].materials
    assert rooms[4].boxes.shape != rooms[3].boxes.shape or not np.array_equal(
        rooms[4].boxes, rooms[3].boxes
    )


def test_sizes_are_within_the_promised_range(rooms: list[Room]):
    for room in rooms:
        low, high = room.vertices.min(axis=0), room.vertices.max(axis=0)
        assert (room.plan.size[0] >= 3) & (room.plan.size[0] <= 8)
        assert (room.plan.size[1] >= 3) & (room.plan.size[1] <= 6)
        assert 2.4 <= room.plan.height <= 3.2
        # only the recesses of doors and windows (12 cm at most) reach out of the plan
        assert (low >= [-0.121, -0.121, -0.004]).all()  # slanted legs dip into the floor
        assert (high <= [room.plan.size[0] + 0.121, room.plan.size[1] + 0.121, 3.2]).all()


def test_boxes_are_the_tightest_about_their_instances(rooms: list[Room]):
    assert BOX_COLUMNS == ("x", "y", "z", "size_x", "size_y", "size_z", "yaw", "class")
    for room in rooms:
        for box, instance in zip(room.boxes.astype(float), room.box_instances, strict=True):
            chosen = room.instance == instance
            assert set(room.semantic[chosen]) == {int(box[7])}
            points = room.vertices[np.unique(room.triangles[chosen])] - box[:3]
            c, s = np.cos(box[6]), np.sin(box[6])
            local = np.column_stack(
                [points[:, 0] * c + points[:, 1] * s, points[:, 1] * c - points[:, 0] * s]
            )
            local = np.column_stack([local, points[:, 2]])
            np.testing.assert_allclose(local.max(axis=0), box[3:6] / 2, atol=2e-5)
            np.testing.assert_allclose(local.min(axis=0), -box[3:6] / 2, atol=2e-5)


def test_every_instance_but_the_shell_has_one_box(rooms: list[Room]):
    for room in rooms:
        assert set(np.unique(room.instance)) == set(range(room.instance.max() + 1))
        shell = np.unique(room.instance[room.semantic < 3])
        assert set(room.box_instances) == set(range(room.instance.max() + 1)) - set(shell)


def _footprint(box: np.ndarray) -> np.ndarray:
    return footprint(-box[3:5] / 2, box[3:5] / 2, box[:2], float(box[6]))


def test_no_two_pieces_of_furniture_intersect(rooms: list[Room]):
    furniture = [CLASS_NAMES.index(name) for name in FURNITURE_NAMES]
    for room in rooms:
        boxes = room.boxes[np.isin(room.boxes[:, 7], furniture)].astype(float)
        assert len(boxes) >= 2
        corners = [_footprint(box) for box in boxes]
        for i, first in enumerate(corners):
            assert room.plan.contains(first).all()
            assert not any(overlap(first, other) for other in corners[i + 1 :])


def test_things_on_furniture_rest_on_it(rooms: list[Room]):
    furniture = [CLASS_NAMES.index(name) for name in FURNITURE_NAMES]
    small = [CLASS_NAMES.index(name) for name in ("books", "monitor")]
    num_checked = 0
    for room in rooms:
        holders = room.boxes[np.isin(room.boxes[:, 7], furniture)].astype(float)
        for item in room.boxes[np.isin(room.boxes[:, 7], small)].astype(float):
            x, y = item[:2]
            under = [
                box
                for box in holders
                if np.hypot(x - box[0], y - box[1]) < np.hypot(box[3], box[4]) / 2
            ]
            bottom = item[2] - item[5] / 2
            assert any(bottom <= box[2] + box[5] / 2 + 1e-4 for box in under)
            num_checked += 1
    assert num_checked > 20


def test_all_classes_occur(rooms: list[Room]):
    more = [make_room(np.random.default_rng([12, seed])) for seed in range(5)]
    seen = {int(k) for room in [*rooms, *more] for k in np.unique(room.semantic)}
    assert seen == set(range(len(CLASS_NAMES)))


@pytest.mark.parametrize(
    "make",
    [
        table,
        desk,
        chair,
        sofa,
        bed,
        cabinet,
        bookcase,
        waste_bin,
        lambda rng: carton(rng, 0.5),
        lambda rng: plant(rng, 1.0),
        lambda rng: lamp(rng, 1.5),
        lambda rng: ceiling_lamp(rng, 2.5),
        lambda rng: book_row(rng, 0.5, 0.3, 0.25),
    ],
)
def test_solids_are_closed_and_face_outwards(make):
    """A closed surface encloses a positive volume, for any origin (Gauss's theorem)."""
    for seed in range(4):
        piece = make(np.random.default_rng(seed))
        for part in piece.parts:
            a, b, c = (part.vertices[part.triangles[:, k]] for k in range(3))
            area = np.cross(b - a, c - a) / 2
            np.testing.assert_allclose(area.sum(axis=0), 0, atol=1e-9)
            volume = (a * area).sum() / 3
            assert volume > 0
            # the smooth normals stay within a right angle of the flat ones
            for corner in range(3):
                smooth = part.normals[part.triangles[:, corner]]
                np.testing.assert_allclose(np.linalg.norm(smooth, axis=1), 1, atol=1e-9)
                sizeable = np.linalg.norm(area, axis=1) > 1e-7
                assert ((smooth * area).sum(axis=1)[sizeable] > 0).all()


def test_floor_plan_of_an_l():
    plan = FloorPlan((6.0, 4.0), (2.0, 1.5), 2.5)
    points = np.array([[1.0, 1.0], [5.0, 3.5], [3.9, 3.9], [5.9, 2.4], [-0.1, 1.0]])
    assert plan.contains(points).tolist() == [True, False, True, True, False]
    assert plan.contains(points, 0.2).tolist() == [True, False, False, False, False]
    total = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in plan.rectangles)
    assert total == pytest.approx(6 * 4 - 2 * 1.5)
    for wall in plan.walls:  # walls run counter-clockwise and face the inside
        inside = wall.point(wall.length / 2, 0.1)[None]
        assert plan.contains(inside).all()
        assert not plan.contains(wall.point(wall.length / 2, -0.1)[None]).any()


def test_short_walls_get_no_opening_wider_than_they_are():
    plan = FloorPlan((5.0, 4.1), (2.0, 2.55), 2.5)  # walls of 1.55 m and 2 m about the notch
    for seed in range(40):
        _, openings = make_shell(plan, np.random.default_rng(seed))
        for opening in openings:
            assert 0 < opening.low[0] < opening.high[0] < plan.walls[opening.wall].length


def test_overlap_agrees_with_points_inside_both():
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = rng.uniform(0.3, 1.5, (2, 2))
        where, yaw = rng.uniform(-1, 1, (2, 2)), rng.uniform(-3, 3, 2)
        corners = [footprint(-size[k] / 2, size[k] / 2, where[k], yaw[k]) for k in range(2)]
        share = np.stack(np.meshgrid(np.linspace(0, 1, 40), np.linspace(0, 1, 40)), -1)
        first = corners[0]
        points = first[0] + share.reshape(-1, 2) @ (first[[1, 3]] - first[0])
        turned = points - where[1]
        c, s = np.cos(yaw[1]), np.sin(yaw[1])
        local = np.abs(turned @ np.array([[c, -s], [s, c]]))
        depth = (size[1] / 2 - local).min(axis=1).max()  # how far a point is inside, if it is
        if depth > 0:
            assert overlap(*corners)
        elif depth < -0.05:
            assert not overlap(*corners)
