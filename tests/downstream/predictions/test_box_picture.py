"""Pictures of boxes: what stands where, in which colour, and that lines can be read."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from plyfile import PlyData

from downstream.benchmarks import SUNRGBD
from downstream.predictions.box_picture import box_lines, show_boxes, write_boxes_ply
from downstream.predictions.class_colors import UNLABELLED, class_colors
from downstream.types import DetectedBoxes, LabelledCloud
from pointcontrast.errors import InputError
from pointcontrast.pictures import drawing

CLASSES = tuple(f"a class of name {row}" for row in range(20))
COLORS = class_colors(len(CLASSES)).astype(int)
CYAN, MAGENTA, NAVY = 3, 4, 18
LEGEND = 40
TILE = 900


def floor(brightness: float = 230) -> LabelledCloud:
    """A floor of 4 x 3 m, z = 0."""
    grid = np.stack(np.meshgrid(np.linspace(0, 4, 120), np.linspace(0, 3, 90)), -1).reshape(-1, 2)
    points = np.column_stack([grid, np.zeros(len(grid))]).astype(np.float32)
    colors = np.full((len(points), 3), brightness, np.float32)
    return LabelledCloud(name="area/floor", points=points, colors=colors)


def boxes_at(*places: tuple[float, float, float], size: float = 0.5) -> np.ndarray:
    rows = [[*place, size, size, size, 0.0] for place in places]
    return np.array(rows, np.float32).reshape(-1, 7)


def detected(boxes: np.ndarray, classes: list[int]) -> DetectedBoxes:
    return DetectedBoxes(
        boxes=boxes, classes=np.array(classes, np.int64), scores=np.ones(len(boxes), np.float32)
    )


NONE = detected(boxes_at(), [])


def with_truth(cloud: LabelledCloud, boxes: np.ndarray, classes: list[int]) -> LabelledCloud:
    return replace(cloud, boxes=np.column_stack([boxes, classes]).astype(np.float32))


def drawn(folder: Path, cloud: LabelledCloud, found: DetectedBoxes, **sensor: Any) -> np.ndarray:
    png = folder / "a" / "b.png"
    show_boxes(cloud, found, CLASSES, png=png, window="never", **sensor)
    return np.asarray(Image.open(folder / "a" / "b.png").convert("RGB")).astype(int)


def is_color(picture: np.ndarray, color: np.ndarray | int, tolerance: int = 30) -> np.ndarray:
    return np.abs(picture - color).max(axis=-1) <= tolerance


class TestLines:
    def test_edges_and_heading_of_a_turned_box(self) -> None:
        box = np.array([[1, 2, 3, 4, 2, 1, np.pi / 2]], np.float32)
        lines, colors = box_lines(box, np.array([MAGENTA]), CLASSES)
        assert lines.dtype == np.float32
        np.testing.assert_array_equal(colors, np.tile(COLORS[MAGENTA], (13, 1)))
        lengths = np.linalg.norm(lines[:12, 1] - lines[:12, 0], axis=1)
        assert Counter(lengths.round(4).tolist()) == {4.0: 4, 2.0: 4, 1.0: 4}
        np.testing.assert_allclose(lines[:12].min(axis=(0, 1)), [0, 0, 2.5], atol=1e-5)
        np.testing.assert_allclose(lines[:12].max(axis=(0, 1)), [2, 4, 3.5], atol=1e-5)
        # the front is where the box's own x, turned to the world's y, is largest
        np.testing.assert_allclose(lines[12], [[1, 2, 3], [1, 4, 3]], atol=1e-5)

    def test_box_after_box_and_grey_for_none(self) -> None:
        boxes = boxes_at((0, 0, 0), (10, 0, 0))
        lines, colors = box_lines(boxes, np.array([NAVY, -1]), CLASSES)
        assert lines.shape == (26, 2, 3)
        assert lines[:13, :, 0].max() < 1 < lines[13:, :, 0].min()
        assert set(map(tuple, colors[:13].tolist())) == {tuple(COLORS[NAVY])}
        assert set(map(tuple, colors[13:].tolist())) == {UNLABELLED}
        lines, colors = box_lines(boxes[:0], np.zeros(0, np.int64), CLASSES)
        assert lines.shape == (0, 2, 3)
        assert colors.shape == (0, 3)


class TestPicture:
    def test_truth_and_detection_stand_side_by_side_over_a_legend(self, tmp_path: Path) -> None:
        cloud = with_truth(floor(), boxes_at((1, 1, 0.2)), [CYAN])
        picture = drawn(tmp_path, cloud, detected(boxes_at((3, 2, 0.2)), [MAGENTA]))
        cyan, magenta = (is_color(picture[:-LEGEND], COLORS[row]) for row in (CYAN, MAGENTA))
        assert picture.shape[1] == 2 * TILE + drawing.GAP
        assert cyan[:, :TILE].sum() > 500
        assert not cyan[:, TILE:].any()
        assert magenta[:, TILE:].sum() > 500
        assert not magenta[:, :TILE].any()
        for row, there in ((CYAN, True), (MAGENTA, True), (NAVY, False)):
            assert is_color(picture[-LEGEND:], COLORS[row]).any() == there

    def test_what_is_not_known_or_not_there_is_left_out(self, tmp_path: Path) -> None:
        found = detected(boxes_at((3, 2, 0.2)), [MAGENTA])
        known = with_truth(floor(), boxes_at(), [])
        both, one = drawn(tmp_path, known, found), drawn(tmp_path, floor(), found)
        bare = drawn(tmp_path, replace(floor(), colors=None), NONE)
        assert (both.shape[1], one.shape[1]) == (2 * TILE + drawing.GAP, TILE)
        assert bare.shape[0] == one.shape[0] - LEGEND
        assert is_color(bare, np.array([192, 192, 192]), 3).mean() > 0.2  # pale grey points

    def test_a_long_legend_takes_more_rows(self, tmp_path: Path) -> None:
        rows = list(range(len(CLASSES)))
        found = detected(boxes_at(*[(2, 1, 0)] * len(rows), size=0.01), rows)
        picture = drawn(tmp_path, floor(), found)
        few = drawn(tmp_path, floor(), NONE)
        legend = picture[len(few) :]
        assert len(legend) % LEGEND == 0
        assert len(legend) > 2 * LEGEND
        squares = [is_color(legend, color, 2).sum() for color in COLORS]
        assert min(squares) > 300
        assert (legend[:, -4:] == 255).all()  # nothing is cut off

    def test_light_lines_have_a_dark_rim_and_dark_ones_a_white_one(self, tmp_path: Path) -> None:
        for row, brightness, rim in ((CYAN, 255, 60), (NAVY, 0, 255)):
            found = detected(boxes_at((2, 1.5, 0.2)), [row])
            picture = drawn(tmp_path, floor(brightness), found)[:-LEGEND]
            line = is_color(picture, COLORS[row])
            near_line = np.zeros_like(line)
            for axis, step in ((0, 2), (0, -2), (1, 2), (1, -2)):
                near_line |= np.roll(line, step, axis)
            assert line.sum() > 500
            rims = is_color(picture, rim, 30)
            assert (rims & near_line).sum() > 0.5 * line.sum()
            bare = is_color(drawn(tmp_path, floor(brightness), NONE), rim, 30)
            assert not (bare & near_line).any()

    def test_lines_are_thick(self, tmp_path: Path) -> None:
        found = detected(boxes_at((2, 1.5, 0.2), size=1.5), [MAGENTA])
        line = is_color(drawn(tmp_path, floor(), found)[:-LEGEND], COLORS[MAGENTA], 100)
        runs = np.diff(np.flatnonzero(np.diff(np.pad(line[line.any(axis=1)], 1).ravel())))[::2]
        assert 2 <= np.median(runs) <= 4

    def test_the_nearer_box_is_drawn_over_the_farther(self, tmp_path: Path) -> None:
        places = (2.0, 1.5, 0.1), (2.0, 1.4, 0.6)
        found = detected(boxes_at(*places, size=0.4), [CYAN, MAGENTA])
        alone = is_color(drawn(tmp_path, floor(), found[1:]), COLORS[MAGENTA])[:-LEGEND]
        far = is_color(drawn(tmp_path, floor(), found[:1]), COLORS[CYAN])[:-LEGEND]
        both, swapped = drawn(tmp_path, floor(), found), drawn(tmp_path, floor(), found[::-1])
        np.testing.assert_array_equal(both, swapped)
        np.testing.assert_array_equal(is_color(both, COLORS[MAGENTA])[:-LEGEND], alone)
        hidden = far & ~is_color(both, COLORS[CYAN])[:-LEGEND]
        assert hidden.sum() > 20


class TestCamera:
    @pytest.mark.parametrize("known", [True, False])
    def test_boxes_beside_the_cloud_stay_in_the_picture(self, tmp_path: Path, known: bool) -> None:
        beside = boxes_at((-1.2, 1, 0.5), (5.2, 2, 0.5), (2, 4, 1), (2, -1, 0.3))
        classes = [MAGENTA] * 4
        cloud = with_truth(floor(), beside, classes) if known else floor()
        found = NONE if known else detected(beside, classes)
        picture = drawn(tmp_path, cloud, found)[:-LEGEND]
        rows, columns = np.nonzero(is_color(picture[-675:, :TILE], COLORS[MAGENTA]))
        assert 5 < rows.min() < rows.max() < 675 - 5
        assert 5 < columns.min() < columns.max() < TILE - 5

    def test_a_single_point_is_seen(self, tmp_path: Path) -> None:
        assert (drawn(tmp_path, floor(0)[:1], NONE)[-675:] != 255).any()

    def test_a_wild_box_does_not_make_the_rest_tiny(self, tmp_path: Path) -> None:
        alone = (drawn(tmp_path, floor(), NONE) != 255).mean()
        wild = boxes_at((2, 1.5, 0), (400, 0, 0), size=300)
        assert (drawn(tmp_path, floor(), detected(wild, [CYAN] * 2)) != 255).mean() > alone / 8

    def test_the_ceiling_is_taken_off(self, tmp_path: Path) -> None:
        room = floor()
        up = np.array([0, 0, 2.5], np.float32)
        blue = np.full((len(room), 3), (0, 0, 255), np.float32)
        assert room.colors is not None
        room = replace(
            room,
            points=np.concatenate([room.points, room.points + up]),
            colors=np.concatenate([room.colors, blue]),
        )
        picture = drawn(tmp_path, room, NONE)
        assert not (picture[..., 2] - picture[..., 0] > 50).any()
        show_boxes(room, NONE, CLASSES, png=tmp_path / "c.png", window="never", cut_ceiling=0)
        picture = np.asarray(Image.open(tmp_path / "c.png")).astype(int)
        assert (picture[..., 2] - picture[..., 0] > 50).mean() > 0.2

    def test_one_view_is_seen_from_behind_the_sensor(self, tmp_path: Path) -> None:
        x, y, _ = floor().points.T
        ground = np.stack([x - 2, y, np.full_like(x, -1.5)], axis=1)
        back = np.stack([x - 2, np.full_like(x, 3), y - 1.5], axis=1)
        wall = LabelledCloud(name="corner", points=np.concatenate([ground, back]))
        places = (-1.5, 2.5, -1.0), (1.5, 2.5, 1.0), (0.0, -0.5, -1.2)  # the last: at the sensor
        found = detected(boxes_at(*places), [CYAN, MAGENTA, NAVY])
        picture = drawn(tmp_path, wall, found, world_from_camera=SUNRGBD.world_from_camera)
        picture = picture[:-LEGEND]
        (low, left), (high, right), (near, _) = (
            np.argwhere(is_color(picture, COLORS[row])).mean(axis=0)
            for row in (CYAN, MAGENTA, NAVY)
        )
        assert left < TILE / 2 < right
        assert high < low < near
        sides = [np.ptp(np.argwhere(is_color(picture, COLORS[row]))[:, 1]) for row in (CYAN, NAVY)]
        assert sides[1] > 1.2 * sides[0]  # it is nearer, and wholly in front of the camera
        assert not np.array_equal(picture, drawn(tmp_path, wall, found)[:-LEGEND])


class TestFiles:
    def test_ply_holds_points_and_lines(self, tmp_path: Path) -> None:
        truth, found = (
            boxes_at((1, 1, 0.2)),
            detected(boxes_at((3, 2, 0.2), (1, 1, 1)), [CYAN, NAVY]),
        )
        cloud = with_truth(floor(120.4), truth, [MAGENTA])
        written = write_boxes_ply(tmp_path, cloud, found, CLASSES)
        paths = {path.relative_to(tmp_path).as_posix(): path for path in written}
        assert set(paths) == {"area/floor_truth.ply", "area/floor_detected.ply"}
        for name, boxes, classes in (
            ("area/floor_truth.ply", truth, [MAGENTA]),
            ("area/floor_detected.ply", found.boxes, [CYAN, NAVY]),
        ):
            ply = PlyData.read(str(paths[name]))
            vertices, edges = ply["vertex"].data, ply["edge"].data
            coordinates = np.stack([vertices[axis] for axis in "xyz"], axis=1)
            assert len(coordinates) == len(cloud) + 26 * len(boxes)
            np.testing.assert_array_equal(coordinates[: len(cloud)], cloud.points)
            assert set(vertices["red"][: len(cloud)].tolist()) == {120}
            lines, colors = box_lines(boxes, np.array(classes), CLASSES)
            ends = np.stack([edges["vertex1"], edges["vertex2"]], axis=1)
            np.testing.assert_array_equal(coordinates[ends], lines)
            np.testing.assert_array_equal(
                np.stack([edges[channel] for channel in ("red", "green", "blue")], axis=1), colors
            )

    def test_ply_of_a_cloud_without_colours_and_truth(self, tmp_path: Path) -> None:
        cloud = replace(floor(), colors=None)
        (path,) = write_boxes_ply(tmp_path, cloud, NONE, CLASSES)
        assert path == tmp_path / "area" / "floor_detected.ply"
        ply = PlyData.read(str(path))
        assert len(ply["vertex"].data) == len(cloud)
        assert len(set(ply["vertex"].data["red"].tolist())) == 1

    def test_an_empty_cloud_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="empty"):
            drawn(tmp_path, floor()[:0], NONE)
        assert not list(tmp_path.rglob("*.png"))


class TestWindow:
    def test_it_shows_plain_lines_where_it_is_wanted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shown: list[Any] = []
        monkeypatch.setattr(drawing, "has_display", lambda: True)
        monkeypatch.setattr(drawing, "_show_window", lambda *arguments: shown.append(arguments))
        cloud = with_truth(floor(), boxes_at((1, 1, 0.2)), [CYAN])
        found = detected(boxes_at((3, 2, 0.2), (1, 2, 0.2)), [MAGENTA, NAVY])
        show_boxes(cloud, found, CLASSES)
        ((panels, cameras, _),) = shown
        assert [len(panel.segments) for panel in panels] == [13, 26]
        assert [panel.caption for panel in panels] == [
            "area/floor: truth, 1 box",
            "area/floor: detected, 2 boxes",
        ]
        assert cameras[0] is cameras[1]
        show_boxes(cloud, found, CLASSES, png=tmp_path / "a.png")
        assert len(shown) == 1
        show_boxes(cloud, found, CLASSES, png=tmp_path / "b.png", window="always")
        assert len(shown) == 2
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()

    def test_without_a_display_a_file_must_be_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(drawing, "has_display", lambda: False)
        with pytest.raises(InputError, match="no display"):
            show_boxes(floor(), NONE, CLASSES, window="always")
        with pytest.raises(InputError, match="without a window, give a file"):
            show_boxes(floor(), NONE, CLASSES)
