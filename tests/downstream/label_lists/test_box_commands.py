"""Command ``boxes`` of datasets/label_lists.py, from labelled scenes to lists of boxes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from downstream.benchmarks import DetectionScenes, ScanNetDetection
from downstream.label_lists.boxes import keep_boxes, limited_boxes, read_box_list
from downstream.label_lists.point_choice import points_rng
from downstream.releases.scannet.classes import CLASS_NAMES as SCANNET_CLASSES
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, write_labelled_scene
from pointcontrast.synthetic.source import write_labelled_rooms
from tests.helpers.converters import Command, command_of


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return command_of("label_lists.py", monkeypatch)


@pytest.fixture
def scans_of_scannet(tmp_path: Path) -> Path:
    """Two training scans and a validation scan with 6, 3 and 3 objects and as many walls."""
    rng = np.random.default_rng(1)
    root = tmp_path / "scans"
    for name, count in (("scene0000_00", 6), ("scene0001_00", 3), ("scene0011_00", 3)):
        boxes = rng.uniform(0.5, 2.5, (2 * count, 8)).astype(np.float32)
        boxes[:, 6] = 0
        boxes[::2, 7] = SCANNET_CLASSES.index("wall")
        boxes[1::2, 7] = rng.choice(np.arange(2, 20), count)
        scene = LabelledScene(
            coord=rng.uniform(0, 3, (300, 3)).astype(np.float32),
            color=np.zeros((300, 3), np.uint8),
            boxes=boxes,
            class_names=SCANNET_CLASSES,
        )
        write_labelled_scene(root / name, scene)
    return root


def test_boxes_of_a_benchmark(
    lists: Command, scans_of_scannet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (scans_of_scannet, "--benchmark", "ScanNetDetection", "--seed", 5, "-o", "lists")
    assert lists("boxes", *words) == 0
    said = capsys.readouterr().out
    assert "2 boxes of each of 2 scenes in lists/scannetdetection_boxes_2_seed5.json\n" in said
    assert "4 boxes of each of 2 scenes (all boxes of 1 that have fewer) in" in said
    found = [
        read_box_list(Path(f"lists/scannetdetection_boxes_{n}_seed5.json")) for n in (1, 2, 4, 7)
    ]
    assert found[1].meta == {"dataset": "ScanNetDetection train", "num_boxes": 2, "seed": 5}
    benchmark = ScanNetDetection(str(scans_of_scannet))
    assert all(boxes.names == ("scene0000_00", "scene0001_00") for boxes in found)
    for name, sizes in (("scene0000_00", (1, 2, 4, 6)), ("scene0001_00", (1, 2, 3, 3))):
        cloud = benchmark.read(name)
        assert cloud.boxes is not None
        rows = [boxes.rows(name, cloud.boxes) for boxes in found]
        assert tuple(map(len, rows)) == sizes
        assert all(set(few) <= set(more) for few, more in itertools.pairwise(rows))
        kept = keep_boxes(cloud, rows[0])
        assert kept.boxes is not None
        np.testing.assert_array_equal(kept.boxes, cloud.boxes[rows[0]])
        assert found[0].scenes[name].num_boxes == len(cloud.boxes)  # walls are not among them
    assert lists("show", "lists/scannetdetection_boxes_4_seed5.json") == 0
    said = capsys.readouterr().out
    assert "dataset ScanNetDetection train, num_boxes 4, seed 5\n" in said
    assert "7 boxes of 9, 3 to 4 per scene\n2 scenes: scene0000_00 to scene0001_00\n" in said


def test_boxes_of_generated_rooms(lists: Command, tmp_path: Path) -> None:
    rooms = tmp_path / "rooms"
    write_labelled_rooms(rooms, 2, 1, density=50.0, progress=False)
    words = ("boxes", rooms, "--num-boxes", 4, "-o", "lists")
    assert lists(*words) == 0
    (path,) = Path("lists").iterdir()
    first = path.read_bytes()
    found = read_box_list(path)
    assert path.name == "rooms_boxes_4_seed0.json"
    benchmark = DetectionScenes(str(rooms))
    assert found.names == ("room_0000", "room_0001")
    for name in found.names:
        boxes = benchmark.boxes(name)
        chosen = limited_boxes(boxes, 4, points_rng(0, name))
        np.testing.assert_array_equal(found.rows(name, boxes), chosen)
    assert lists(*words, "--only", "*1") == 0
    assert read_box_list(path).scenes == {"room_0001": found.scenes["room_0001"]}
    assert lists(*words) == 0
    assert path.read_bytes() == first
    assert lists(*words, "--seed", 1) == 0
    other = read_box_list(Path("lists/rooms_boxes_4_seed1.json"))
    assert other.scenes["room_0000"].rows != found.scenes["room_0000"].rows


def test_boxes_of_some_classes(lists: Command, tmp_path: Path) -> None:
    rooms = tmp_path / "rooms"
    write_labelled_rooms(rooms, 2, 1, density=50.0, progress=False)
    classes = ["lamp", "picture"]
    assert lists("boxes", rooms, "--classes", *classes, "--num-boxes", 2, "-o", "lists") == 0
    found = read_box_list(Path("lists/rooms_boxes_2_seed0.json"))
    assert found.meta["dataset"] == "rooms, classes lamp picture"
    benchmark = DetectionScenes(str(rooms), classes=classes)
    for name in found.names:
        boxes = benchmark.boxes(name)
        assert len(found.rows(name, boxes)) == 2 < len(boxes)
        with pytest.raises(InputError, match="was made for"):
            found.rows(name, DetectionScenes(str(rooms)).boxes(name))


def test_errors_of_boxes_name_their_cause(
    lists: Command, scans_of_scannet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def error(*words: object) -> str:
        assert lists("boxes", *words, "-o", "lists") != 0
        assert not Path("lists").exists()
        return capsys.readouterr().err

    Path("some.txt").write_text("lobby_9\n")
    assert "some.txt is a file; give the folder" in error("some.txt")
    assert "0 labelled boxes must be" in error(scans_of_scannet, "--num-boxes", 1, 0)
    own = error(scans_of_scannet, "--benchmark", "ScanNetDetection", "--classes", "chair")
    assert "--classes: ScanNetDetection has classes of its own" in own
    assert "no class 'dragon'" in error(scans_of_scannet, "--classes", "dragon")
    scene = LabelledScene(
        coord=np.zeros((1, 3), np.float32),
        color=np.zeros((1, 3), np.uint8),
        class_names=SCANNET_CLASSES,
    )
    write_labelled_scene(scans_of_scannet / "scene0706_00", scene)
    assert "scene0706_00 has no boxes; convert it with them" in error(scans_of_scannet)
