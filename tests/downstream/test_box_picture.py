from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plyfile import PlyData

from downstream.box_picture import box_lines, draw_boxes, write_boxes_ply
from downstream.boxes import corners
from downstream.class_colors import palette_of
from downstream.types import DetectedBoxes, LabelledCloud
from pointcontrast.drawing import has_display
from pointcontrast.errors import InputError

CLASSES = ("bed", "chair", "lamp")
BOXES = np.array([[0, 3, 0.5, 2, 1, 1, 0.4, 0], [1.5, 4, 0.3, 0.5, 0.5, 0.6, 0, 1]], np.float32)
DETECTED = DetectedBoxes(
    boxes=BOXES[:1, :7] + np.float32(0.05),
    classes=np.array([0]),
    scores=np.ones(1, np.float32),
)


def cloud() -> LabelledCloud:
    rng = np.random.default_rng(0)
    points = rng.uniform([-2, 2, 0], [2, 5, 2], (4000, 3)).astype(np.float32)
    return LabelledCloud(name="area/room", points=points, boxes=BOXES)


def has_color(picture: np.ndarray, color: np.ndarray) -> bool:
    return bool((np.abs(picture.astype(int) - color).max(axis=2) < 40).sum() > 30)


@pytest.mark.parametrize("behind", [False, True])
def test_truth_and_detection_are_side_by_side(tmp_path: Path, behind: bool) -> None:
    pose = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    path = tmp_path / "new" / "a.png"
    draw_boxes(path, cloud(), DETECTED, CLASSES, pose if behind else None)
    with Image.open(path) as image:
        picture = np.asarray(image)
    left, right = np.array_split(picture[:-50], 2, axis=1)
    bed, chair, lamp = palette_of(CLASSES)
    assert has_color(left, bed)
    assert has_color(left, chair)
    assert has_color(right, bed)
    assert not has_color(right, chair)
    legend = picture[-44:]
    assert has_color(legend, bed)
    assert has_color(legend, chair)
    assert not has_color(legend, lamp)
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_without_truth_there_is_one_panel(tmp_path: Path) -> None:
    both, alone = tmp_path / "a.png", tmp_path / "b.png"
    draw_boxes(both, cloud(), DETECTED, CLASSES)
    draw_boxes(alone, replace(cloud(), boxes=None), DETECTED, CLASSES)
    with Image.open(both) as two, Image.open(alone) as one:
        assert one.width < two.width


def test_nothing_detected_is_drawn_too(tmp_path: Path) -> None:
    draw_boxes(tmp_path / "a.png", cloud(), DETECTED[np.zeros(0, int)], CLASSES)
    assert (tmp_path / "a.png").is_file()


@pytest.mark.skipif(has_display(), reason="a window could be opened here")
def test_a_window_needs_a_display() -> None:
    with pytest.raises(InputError, match="no display"):
        draw_boxes(None, cloud(), DETECTED, CLASSES)


def test_lines_are_edges_and_the_front() -> None:
    lines, colors = box_lines(BOXES, BOXES[:, 7].astype(int), CLASSES)
    assert lines.shape == (26, 2, 3)
    np.testing.assert_array_equal(colors[:13], np.repeat(palette_of(CLASSES)[:1], 13, axis=0))
    places = {tuple(np.round(p, 4)) for p in corners(BOXES)[1].astype(np.float32)}
    assert {tuple(np.round(p, 4)) for p in lines[13:25].reshape(-1, 3)} == places
    np.testing.assert_allclose(lines[25], [[1.5, 4, 0.3], [1.75, 4, 0.3]], atol=1e-6)


def test_lines_as_ply(tmp_path: Path) -> None:
    files = write_boxes_ply(tmp_path, cloud(), DETECTED, CLASSES)
    assert [p.relative_to(tmp_path).as_posix() for p in files] == [
        "area/room_detected.ply",
        "area/room_truth.ply",
    ]
    for path, number in zip(files, (1, 2), strict=True):
        data = PlyData.read(path)
        assert len(data["edge"]) == 13 * number
        assert len(data["vertex"]) == 4000 + 26 * number
        edge = data["edge"][0]
        ends = [list(data["vertex"][edge[name]])[:3] for name in ("vertex1", "vertex2")]
        lines, _ = box_lines((DETECTED.boxes, BOXES)[number - 1], np.zeros(number, int), CLASSES)
        np.testing.assert_allclose(ends, lines[0], atol=1e-6)
