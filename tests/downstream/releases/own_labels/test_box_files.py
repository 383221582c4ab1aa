"""Boxes beside a scan: the documented form, labelCloud's, and faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from downstream.releases.own_labels.box_files import read_boxes
from downstream.releases.own_labels.scenes import holds_point
from pointcontrast.errors import InputError

BOX: dict[str, Any] = {"class": "chair", "center": [1, 2, 3], "size": [1, 2, 0.5], "yaw": 0.3}
CLOUD: dict[str, Any] = {
    "name": "chair",
    "centroid": {"x": 1, "y": 2, "z": 3},
    "dimensions": {"length": 1, "width": 2, "height": 0.5},
    "rotations": {"x": 0, "y": 0, "z": 0.3},
}


def write(folder: Path, content: Any) -> Path:
    path = folder / "boxes.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    "content",
    [
        {"boxes": [BOX]},
        [BOX],
        {"yaw_unit": "degree", "boxes": [{**BOX, "yaw": np.rad2deg(0.3)}]},
        {"boxes": [{"label" if key == "class" else key: value for key, value in BOX.items()}]},
        {"objects": [CLOUD], "yaw_unit": "radian"},
        {"objects": [{**CLOUD, "rotations": {"x": 0, "y": 0, "z": np.rad2deg(0.3)}}]},
    ],
)
def test_forms(tmp_path: Path, content: Any) -> None:
    found = read_boxes(write(tmp_path, content))
    np.testing.assert_allclose(found.boxes, [[1, 2, 3, 1, 2, 0.5, 0.3]])
    assert found.classes == ("chair",)


def test_no_boxes_are_boxes(tmp_path: Path) -> None:
    assert read_boxes(write(tmp_path, {"boxes": []})).boxes.shape == (0, 7)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"box": []}, "holds no boxes; the form is"),
        ({"boxes": [1]}, "holds no boxes"),
        ({"boxes": [{**BOX, "class": 3}]}, 'box 0 has no "class"'),
        ({"boxes": [BOX, {**BOX, "center": [1, 2]}]}, 'box 1: "center" must be 3 finite numbers'),
        ({"boxes": [{**BOX, "size": [1, 2, "a"]}]}, '"size" must be 3 finite numbers'),
        ({"boxes": [{**BOX, "yaw": None}]}, '"yaw" must be a finite number, got None'),
        ({"boxes": [{**BOX, "size": [1, -2, 1]}]}, "box 0 has the size 1 x -2 x 1"),
        ({"boxes": [{**BOX, "yaw": 90}]}, "box 0 has the yaw 90; give radians"),
        ({"boxes": [BOX], "yaw_unit": "turns"}, "yaw_unit 'turns' must be radian or degree"),
        ({"objects": [CLOUD]}, "may be degrees"),
        ({"objects": [{**CLOUD, "rotations": {"x": 90, "y": 0, "z": 0}}]}, "turned about x or y"),
        ({"objects": [{**CLOUD, "dimensions": {"length": 1}}]}, '"dimensions" must be 3'),
    ],
)
def test_faults(tmp_path: Path, content: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_boxes(write(tmp_path, content))


def test_points_in_a_turned_box() -> None:
    box = np.array([10.0, 20, 1, 4, 1, 2, np.pi / 4])
    along = np.array([np.cos(np.pi / 4), np.sin(np.pi / 4), 0])
    across = np.array([-along[1], along[0], 0])
    for inside, outside in ((1.9 * along, 2.1 * along), (0.45 * across, 0.55 * across)):
        assert holds_point(box, (box[:3] + inside)[None])
        assert not holds_point(box, (box[:3] + outside)[None])
