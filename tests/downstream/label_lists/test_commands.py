"""Command line datasets/label_lists.py, from labelled scenes to lists for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from downstream.benchmarks import S3DIS, ShapeNetPart
from downstream.label_lists.points import read_point_list
from downstream.label_lists.scenes import read_scene_list
from downstream.releases.s3dis.classes import CLASS_NAMES
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import (
    LabelledScene,
    find_labelled_scenes,
    read_labelled_scene,
    write_labelled_scene,
)
from pointcontrast.synthetic.source import write_rooms
from tests.helpers.converters import Command, command_of
from tests.helpers.repository import REPOSITORY
from tests.releases.shapenetpart.release import write_shapenetpart_release

ROOMS = ("Area_1/hall_1", "Area_1/office_1", "Area_2/office_1", "Area_3/lobby_1", "Area_5/hall_1")


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return command_of("label_lists.py", monkeypatch)


@pytest.fixture
def rooms_of_s3dis(tmp_path: Path) -> Path:
    """Five rooms of some 500 points, a quarter of them unlabelled; the first has 30 labelled."""
    rng = np.random.default_rng(0)
    root = tmp_path / "s3dis_scenes"
    for number, name in enumerate(ROOMS):
        semantic = rng.integers(0, 13, 500 + number).astype(np.int32)
        semantic[rng.random(len(semantic)) < 0.25] = -1
        if number == 0:
            semantic[np.flatnonzero(semantic >= 0)[30:]] = -1
        scene = LabelledScene(
            coord=rng.uniform(0, 4, (len(semantic), 3)).astype(np.float32),
            color=rng.integers(0, 256, (len(semantic), 3)).astype(np.uint8),
            semantic=semantic,
            class_names=CLASS_NAMES,
        )
        write_labelled_scene(root / name, scene)
    return root


def test_official_scans_need_no_data(lists: Command, capsys: pytest.CaptureFixture[str]) -> None:
    official = REPOSITORY / "datasets" / "splits" / "scannetv2_train.txt"
    assert lists("scenes", official, "--seed", 3, "-o", "lists") == 0
    assert "240 of 1201 in lists/scannetv2_train_scenes_0.2_seed3.txt" in capsys.readouterr().out
    found = [
        set(read_scene_list(Path(f"lists/scannetv2_train_scenes_{fraction}_seed3.txt")))
        for fraction in (0.01, 0.05, 0.1, 0.2)
    ]
    assert [len(names) for names in found] == [12, 60, 120, 240]
    assert found[0] < found[1] < found[2] < found[3] < set(read_scene_list(official))
    assert lists("show", "lists/scannetv2_train_scenes_0.01_seed3.txt") == 0
    said = capsys.readouterr().out
    assert "scannetv2_train: 12 of 1201 scenes, fraction 0.01, seed 3, version 1\n" in said
    assert f"12 scenes: {min(found[0])} to {max(found[0])}\n" in said


def test_scenes_of_a_benchmark_of_a_list_and_of_a_pattern(
    lists: Command, rooms_of_s3dis: Path
) -> None:
    def chosen(*words: object) -> tuple[str, ...]:
        assert lists("scenes", rooms_of_s3dis, "--fraction", 1, "-o", "lists", *words) == 0
        (path,) = Path("lists").iterdir()
        found = read_scene_list(path)
        path.unlink()
        return found

    assert chosen() == ROOMS
    assert chosen("--benchmark", "S3DIS") == ROOMS[:4]
    assert chosen("--only", "Area_[23]/*", "*/hall_1") == (ROOMS[0], *ROOMS[2:])
    Path("some.txt").write_text("Area_3/lobby_1\nArea_2/office_1\n")
    assert chosen("--scenes-from", "some.txt") == ROOMS[2:4]
    assert chosen("--scenes-from", "some.txt", "--only", "Area_2*") == ROOMS[2:3]


def test_shapes_keep_one_of_each_category(
    lists: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    synsets = ("03797390", "04379243")
    write_shapenetpart_release(tmp_path / "raw", 8, 3, num_points=60, synsets=synsets)
    assert (
        command_of("shapenetpart.py", monkeypatch)(
            "shapes", "raw", "--output", "shapes", "--num-workers", 1
        )
        == 0
    )
    assert (
        lists("scenes", "shapes", "--benchmark", "ShapeNetPart", "--fraction", 0.01, "-o", ".") == 0
    )
    found = read_scene_list(Path("shapenetpart_scenes_0.01_seed0.txt"))
    names = ShapeNetPart(str(tmp_path / "shapes")).names("train")
    assert set(found) < set(names)
    assert len({name.partition("/")[0] for name in names}) == 2
    assert sorted(name.partition("/")[0] for name in found) == sorted(
        {name.partition("/")[0] for name in names}
    )


@pytest.mark.parametrize("method", ["random", "kmeans"])
def test_points_of_a_benchmark(
    lists: Command, rooms_of_s3dis: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    words = (rooms_of_s3dis, "--benchmark", "S3DIS", "--method", method, "--seed", 5, "-o", "lists")
    assert lists("points", *words, "--num-points", 20, 50) == 0
    said = capsys.readouterr().out
    assert f"20 points of each of 4 scenes in lists/s3dis_points_20_{method}_seed5.npz" in said
    assert "50 points of each of 4 scenes (all labelled points of 1 that have fewer) in" in said
    path = Path(f"lists/s3dis_points_50_{method}_seed5.npz")
    few, more = (read_point_list(path.with_name(path.name.replace("50", str(n)))) for n in (20, 50))
    assert more.meta == {
        "dataset": "S3DIS train",
        "num_points": 50,
        "method": method,
        "seed": 5,
    }
    benchmark = S3DIS(str(rooms_of_s3dis))
    assert few.names == more.names == tuple(benchmark.names("train"))
    for name in more.names:
        cloud = benchmark.read(name)
        assert cloud.labels is not None
        rows = more.indices(name, num_points=len(cloud), labels=cloud.labels)
        assert (cloud.labels[rows] >= 0).all()
        assert len(rows) == (30 if name == ROOMS[0] else 50)
        nested = set(few.indices(name, num_points=len(cloud))) < set(rows)
        assert nested or method == "kmeans"
        with pytest.raises(InputError, match="other labels, or in another order"):
            more.indices(name, num_points=len(cloud), labels=cloud.labels[::-1])
    assert lists("show", path) == 0
    said = capsys.readouterr().out
    assert f"dataset S3DIS train, num_points 50, method {method}, seed 5\n" in said
    assert "180 points, 8.973% of all, 30 to 50 per scene\n" in said  # of 500 + 501 + 502 + 503
    assert "4 scenes: Area_1/hall_1 to Area_3/lobby_1\n" in said


def test_points_depend_on_method_and_seed(lists: Command, rooms_of_s3dis: Path) -> None:
    for method, seed in (("random", 0), ("random", 1), ("kmeans", 0)):
        words = ("--method", method, "--seed", seed, "--num-points", 20, "-o", "lists")
        assert lists("points", rooms_of_s3dis, *words) == 0
    found = [read_point_list(path) for path in sorted(Path("lists").iterdir())]
    assert len(found) == 3
    chosen = {tuple(points.indices(ROOMS[1], num_points=501)) for points in found}
    assert len(chosen) == 3


def test_points_of_generated_rooms(lists: Command, tmp_path: Path) -> None:
    scenes = tmp_path / "rooms"
    write_rooms(
        tmp_path / "rgbd", 2, 1, labelled_output=scenes, width=32, height=24, density=200.0,
        progress=False,
    )  # fmt: skip
    assert lists("points", scenes, "--num-points", 20, "-o", "lists") == 0
    found = read_point_list(Path("lists/rooms_points_20_random_seed0.npz"))
    folders = find_labelled_scenes(scenes)
    assert found.names == tuple(folder.name for folder in folders)
    for folder in folders:
        scene = read_labelled_scene(folder)
        assert scene.semantic is not None
        rows = found.indices(folder.name, num_points=len(scene), labels=scene.semantic)
        assert len(rows) == 20
        assert (scene.semantic[rows] >= 0).all()


def test_a_published_list_is_shown(lists: Command, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"scene0000_00": np.arange(20), "scene0000_01": np.arange(20)}, "points20")
    assert lists("show", "points20") == 0
    said = capsys.readouterr().out
    assert "points20 does not say how it was made\n40 points, 20 to 20 per scene\n2 scenes:" in said
    Path("plain.txt").write_text("scene0000_00\n")
    assert lists("show", "plain.txt") == 0
    said = capsys.readouterr().out
    assert "plain.txt does not say how it was made\n1 scene: scene0000_00\n" in said


def test_errors_name_their_cause(
    lists: Command, rooms_of_s3dis: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def error(*words: object) -> str:
        assert lists(*words, "-o", "lists") != 0
        assert not Path("lists").exists()
        return capsys.readouterr().err

    assert "fraction 2.0 must be" in error("scenes", rooms_of_s3dis, "--fraction", 2)
    assert "none is not a folder" in error("scenes", "none")
    assert "no scene like Hall*" in error("scenes", rooms_of_s3dis, "--only", "Hall*")
    Path("some.txt").write_text("lobby_9\n")
    assert "'lobby_9'" in error("scenes", rooms_of_s3dis, "--scenes-from", "some.txt")
    assert "some.txt is a file; give the folder" in error("points", "some.txt")
    assert "-3 annotated points" in error("points", rooms_of_s3dis, "--num-points", -3)
    scene = LabelledScene(coord=np.zeros((1, 3), np.float32), color=np.zeros((1, 3), np.uint8))
    write_labelled_scene(rooms_of_s3dis / "Area_6/bare_1", scene)
    assert "bare_1 has no labels; convert it with them" in error("points", rooms_of_s3dis)
