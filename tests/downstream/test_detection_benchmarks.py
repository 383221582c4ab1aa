from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from downstream.benchmarks import DetectionScenes, ScanNetDetection
from downstream.boxes.geometry import points_in_boxes
from downstream.releases.scannet.classes import CLASS_NAMES
from downstream.tasks.detection import DetectionSettings
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene, write_labelled_scene
from pointcontrast.synthetic.source import write_labelled_rooms

CLASSES = ["chair", "cabinet", "door"]


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rooms")
    write_labelled_rooms(folder, 4, seed=1, density=60.0, progress=False)
    return folder


def copied(rooms: Path, target: Path, change: Callable[[LabelledScene], LabelledScene]) -> Path:
    """The rooms, each changed."""
    for folder in sorted(rooms.iterdir()):
        write_labelled_scene(target / folder.name, change(read_labelled_scene(folder)))
    return target


def test_objects_of_the_classes_asked_for(rooms: Path) -> None:
    benchmark = DetectionScenes(str(rooms), CLASSES, validation_fraction=0.5)
    assert benchmark.names("train") == ["room_0000", "room_0001"]
    assert benchmark.class_names == tuple(CLASSES)
    for name in benchmark.names("train"):
        scene = read_labelled_scene(rooms / name)
        cloud = benchmark.read(name)
        assert cloud.labels is None
        assert cloud.boxes is not None
        assert cloud.box_rows is not None
        wanted = [b for b in scene.boxes if scene.class_names[int(b[7])] in CLASSES]
        np.testing.assert_array_equal(cloud.boxes[:, :7], np.array(wanted)[:, :7])
        assert [CLASSES[int(row)] for row in cloud.boxes[:, 7]] == [
            scene.class_names[int(box[7])] for box in wanted
        ]
        np.testing.assert_array_equal(benchmark.boxes(name), cloud.boxes)
        # a point votes for the object that it is of, and lies in its box
        voting = cloud.box_rows[:, 0] >= 0
        assert (cloud.box_rows == cloud.box_rows[:, :1]).all()
        grown = cloud.boxes + np.array([0, 0, 0, 1, 1, 1, 0, 0]) / 1000  # points lie on the faces
        inside = points_in_boxes(cloud.points[voting], grown)
        assert inside[np.arange(voting.sum()), cloud.box_rows[voting, 0]].all()
        semantic = [scene.class_names[row] in CLASSES for row in scene.semantic]
        np.testing.assert_array_equal(voting, semantic)


def test_without_instances_points_vote_by_where_they_lie(rooms: Path, tmp_path: Path) -> None:
    def change(scene: LabelledScene) -> LabelledScene:
        boxes = scene.boxes + np.array([0, 0, 0, 1, 1, 1, 0, 0], np.float32) / 1000  # off the faces
        return replace(scene, boxes=boxes, instance=None, box_instances=None)

    root = copied(rooms, tmp_path, change)
    by_place = DetectionScenes(str(root), CLASSES).read("room_0000")
    by_object = DetectionScenes(str(rooms), CLASSES).read("room_0000")
    sure = by_object.box_rows[:, 0] >= 0
    found = by_place.box_rows[sure]
    assert (found == by_object.box_rows[sure]).any(axis=1).all()
    assert (by_place.box_rows[:, 0] >= 0).sum() > sure.sum()  # what stands in a cabinet votes too


def test_points_are_drawn_anew_to_train_on_and_once_to_score(rooms: Path) -> None:
    benchmark = DetectionScenes(str(rooms), CLASSES, num_points=500)
    first = benchmark.read("room_0000")
    np.testing.assert_array_equal(benchmark.read("room_0000").points, first.points)
    one, two = (benchmark.read("room_0000", np.random.default_rng(seed)) for seed in (0, 1))
    assert len(first) == len(one) == len(two) == 500
    assert (one.points != two.points).any()
    again = benchmark.read("room_0000", np.random.default_rng(0))
    np.testing.assert_array_equal(again.points, one.points)
    whole = DetectionScenes(str(rooms), CLASSES, num_points=10**6).read("room_0000")
    assert len(whole) == len(read_labelled_scene(rooms / "room_0000"))


def test_mean_sizes_are_of_the_training_scenes_and_stay_with_the_network(rooms: Path) -> None:
    benchmark = DetectionScenes(str(rooms), CLASSES, validation_fraction=0.5)
    boxes = np.concatenate([benchmark.boxes(name) for name in benchmark.names("train")])
    chairs = boxes[boxes[:, 7] == 0, 3:6]
    np.testing.assert_allclose(benchmark.mean_sizes()[0], chairs.mean(axis=0), rtol=1e-5)
    saved = benchmark.saved_arguments()
    elsewhere = DetectionScenes(**{**saved, "root": "elsewhere"})
    assert torch.equal(elsewhere.task.coding.mean_sizes, benchmark.task.coding.mean_sizes)
    assert elsewhere.settings == DetectionSettings()
    assert saved["detection"] == asdict(DetectionSettings())


def test_scannet_detects_18_classes_of_20(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0.2, 2, (20, 8)).astype(np.float32)
    boxes[:, 6], boxes[:, 7] = 0, np.arange(-1, 19)
    scene = LabelledScene(
        coord=rng.random((50, 3)).astype(np.float32),
        color=np.zeros((50, 3), np.uint8),
        instance=rng.integers(-1, 20, 50).astype(np.int32),
        boxes=boxes,
        box_instances=np.arange(20, dtype=np.int32),
        class_names=CLASS_NAMES,
    )
    write_labelled_scene(tmp_path / "scene0000_00", scene)
    benchmark = ScanNetDetection(str(tmp_path))
    assert benchmark.names("train") == ["scene0000_00"]
    cloud = benchmark.read("scene0000_00")
    assert benchmark.class_names == CLASS_NAMES[2:]
    np.testing.assert_array_equal(cloud.boxes[:, :7], boxes[3:, :7])
    np.testing.assert_array_equal(cloud.boxes[:, 7], np.arange(17))
    expected = np.where(scene.instance >= 3, scene.instance - 3, -1)
    np.testing.assert_array_equal(cloud.box_rows[:, 1], expected)
    assert benchmark.task.coding.num_heading_bins == 1


def test_what_cannot_be_is_named(rooms: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no class 'unicorn'"):
        DetectionScenes(str(rooms), ["unicorn"]).read("room_0000")
    with pytest.raises(InputError, match="num_points 0"):
        DetectionScenes(str(rooms), num_points=0)
    with pytest.raises(InputError, match=r"detection.min_score 2"):
        DetectionSettings(min_score=2.0)
    root = copied(rooms, tmp_path / "a", lambda s: replace(s, boxes=None, box_instances=None))
    benchmark = DetectionScenes(str(root), CLASSES, mean_sizes=[[1, 1, 1]] * 3)
    assert benchmark.read("room_0000").boxes is None  # to detect in, not to train on
    with pytest.raises(InputError, match="room_0000 has no boxes to train on"):
        benchmark.read("room_0000", np.random.default_rng(0))
    root = copied(rooms, tmp_path / "b", lambda s: replace(s, up_axis="y"))
    with pytest.raises(InputError, match="up_axis"):
        DetectionScenes(str(root), CLASSES).read("room_0000")
