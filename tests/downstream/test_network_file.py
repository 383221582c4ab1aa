"""A network's file is all that prediction needs: its data may be gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from downstream.benchmarks import S3DIS, SUNRGBD, Benchmark, ShapeNet, ShapeNetPart, Synthia4D
from downstream.benchmarks.cloud_preparation import CloudPreparation
from downstream.detector import Detector
from downstream.heads import LinearHead, PoolingHead
from downstream.network import Network
from downstream.network_file import FinetunedNetwork, read_network, save_network
from downstream.predictor import CloudPrediction, Predictor, make_predictor
from downstream.tasks import Classification, Detection, PartSegmentation, Segmentation
from downstream.types import DetectedBoxes
from pointcontrast.backbones import Res16UNet
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import read_labelled_scene
from pointcontrast.weights.safetensors_file import read_safetensors, write_safetensors
from tests.helpers.converters import convert
from tests.releases.shapenet.release import write_shapenet_release
from tests.releases.shapenetpart.release import write_shapenetpart_release
from tests.releases.sunrgbd.release import write_sunrgbd_release


def without_task(path: Path) -> Path:
    """The file as it was before networks recorded their task."""
    weights, header = read_safetensors(path)
    for name in ("task", "preparation"):
        del header[name]
    older = path.with_name(f"older_{path.name}")
    write_safetensors(older, weights, header)
    return older


def untrained(path: Path, benchmark: Benchmark, *, pooled: bool = False) -> Path:
    torch.manual_seed(0)
    backbone = Res16UNet(3, None, "14A", engine="native", width=0.25)
    make_head = PoolingHead if pooled else LinearHead
    network = Network(backbone, make_head(backbone.level_channels, benchmark.task.num_outputs))
    save_network(path, network, NetworkInput(voxel_size=0.1, features=("ones",)), benchmark, {})
    return path


def predicted(finetuned: FinetunedNetwork, *arrays: Any, **more: Any) -> Any:
    predictor = make_predictor(finetuned, finetuned.task(), probabilities=True)
    named = dict(zip(("points", "colors", "normals"), arrays, strict=False))
    return predictor(finetuned.preparation.cloud("room", **named, **more))


def test_a_scene_is_segmented_without_the_data(
    finetune: Any, s3dis_scenes: Path, tmp_path: Path
) -> None:
    data = tmp_path / "scenes"
    shutil.copytree(s3dis_scenes, data)
    run = finetune("s3dis_small", data, "--data.voxel_size", "0.15")
    finetuned = read_network(run)
    benchmark = finetuned.benchmark()
    (name,) = benchmark.names("test")
    cloud = benchmark.read(name)
    before = make_predictor(finetuned, benchmark.task)(cloud)
    assert isinstance(before, CloudPrediction)
    assert before.probabilities is None
    older = without_task(run / "best.safetensors")
    shutil.rmtree(data)
    for path in (run, older):
        finetuned = read_network(path)
        task = finetuned.task()
        assert isinstance(task, Segmentation)
        assert task.num_outputs == len(finetuned.class_names) == 13
        assert finetuned.preparation == CloudPreparation()
        found = predicted(finetuned, cloud.points, cloud.colors)
        np.testing.assert_array_equal(found.point_classes, before.point_classes)
        assert found.probabilities.shape == (len(cloud), 13)
        np.testing.assert_array_equal(found.probabilities.argmax(axis=1), found.point_classes)
        np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)


def test_boxes_are_detected_without_the_data(finetune: Any, tmp_path: Path) -> None:
    """The points drawn, the floor below them and the mean sizes are those of the benchmark."""
    write_sunrgbd_release(tmp_path / "raw", 2, 3, size=(96, 72))
    convert("sunrgbd.py", "scenes", tmp_path / "raw", "--output", tmp_path / "scenes")
    run = finetune(
        "sunrgbd_detection_small", tmp_path / "scenes", "--data.voxel_size", "0.15",
        "--data.features", "[ones, height]", "--data.benchmark.init_args.num_points", "2000",
        "--model.head.init_args.num_seeds", "64", "--model.head.init_args.num_proposals", "16",
        "--data.benchmark.init_args.detection.min_score", "0",
    )  # fmt: skip
    finetuned = read_network(run)
    benchmark = finetuned.benchmark()
    name = benchmark.names("validation")[0]
    before = make_predictor(finetuned, benchmark.task)(benchmark.read(name))
    scene = read_labelled_scene(tmp_path / "scenes" / name)
    points, colors = np.array(scene.coord), np.array(scene.color)
    assert len(points) > 2000
    older = without_task(run / "best.safetensors")
    shutil.rmtree(tmp_path / "scenes")
    for path in (run, older):
        finetuned = read_network(path)
        task = finetuned.task()
        assert isinstance(task, Detection)
        assert task.arguments == benchmark.task.arguments
        assert finetuned.preparation == CloudPreparation(num_points=2000)
        cloud = finetuned.preparation.cloud(name, points, colors=colors)
        predictor = make_predictor(finetuned, task)
        assert isinstance(predictor, Detector)
        found = predictor(cloud)
        assert isinstance(found, DetectedBoxes)
        assert len(found) > 0
        for what in ("boxes", "classes", "scores"):
            np.testing.assert_array_equal(getattr(found, what), getattr(before, what))
        with pytest.raises(InputError, match="boxes have none to sum"):
            make_predictor(finetuned, task, num_votes=2)


def test_parts_are_predicted_without_the_data(tmp_path: Path) -> None:
    write_shapenetpart_release(tmp_path / "raw", 2)
    convert("shapenetpart.py", "shapes", tmp_path / "raw", "--output", tmp_path / "shapes")
    benchmark = ShapeNetPart(str(tmp_path / "shapes"))
    path = untrained(tmp_path / "net.safetensors", benchmark)
    name = benchmark.names("train")[0]
    before = make_predictor(read_network(path), benchmark.task)(benchmark.read(name))
    shape, category = benchmark.read(name), benchmark.category(name)
    shutil.rmtree(tmp_path / "shapes")
    for file in (path, without_task(path)):
        finetuned = read_network(file)
        task = finetuned.task()
        assert isinstance(task, PartSegmentation)
        assert task.arguments == benchmark.task.arguments
        assert finetuned.preparation == CloudPreparation(unit_sphere=True)
        assert isinstance(before, CloudPrediction)
        found = predicted(finetuned, 7 * shape.points + 3, category=category)
        assert np.mean(found.point_classes == before.point_classes) > 0.99  # rounding moves a few
        assert set(found.point_classes) <= set(task.parts_of_category[category])
        with pytest.raises(InputError, match=r"room: the category of the shape is needed; .*Chair"):
            predicted(finetuned, shape.points)


def test_shapes_are_classified_without_the_data(tmp_path: Path) -> None:
    write_shapenet_release(tmp_path / "raw", 4)
    convert("shapenet.py", "shapes", tmp_path / "raw", "--output", tmp_path / "shapes",
            "--num-points", 500)  # fmt: skip
    benchmark = ShapeNet(str(tmp_path / "shapes"))
    path = untrained(tmp_path / "net.safetensors", benchmark, pooled=True)
    shape = benchmark.read(benchmark.names("test")[0])
    before = make_predictor(read_network(path), benchmark.task)(shape)
    shutil.rmtree(tmp_path / "shapes")
    for file in (path, without_task(path)):
        finetuned = read_network(file)
        task = finetuned.task()
        assert isinstance(task, Classification)
        assert finetuned.preparation == CloudPreparation(unit_sphere=True)
        assert isinstance(before, CloudPrediction)
        found = predicted(finetuned, shape.points)
        assert found.voxel_classes == before.voxel_classes
        assert found.probabilities.shape == (1, len(finetuned.class_names))
    recorded = read_network(path).task()
    assert recorded.arguments == benchmark.task.arguments


def test_votes_give_mean_probabilities(tmp_path: Path) -> None:
    finetuned = read_network(untrained(tmp_path / "net.safetensors", S3DIS(str(tmp_path))))
    cloud = finetuned.preparation.cloud("room", np.random.default_rng(0).random((500, 3)))
    predictor = make_predictor(finetuned, finetuned.task(), num_votes=3, probabilities=True)
    found = predictor(cloud)
    assert isinstance(predictor, Predictor)
    assert isinstance(found, CloudPrediction)
    assert found.probabilities is not None
    assert found.point_classes is not None
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(found.probabilities.argmax(axis=1), found.point_classes)


def test_an_older_file_that_does_not_say_its_task_is_refused(tmp_path: Path) -> None:
    path = untrained(tmp_path / "net.safetensors", S3DIS(str(tmp_path)))
    weights, header = read_safetensors(without_task(path))
    target = json.loads(header["benchmark"]) | {"class": "tests.own.Own"}
    write_safetensors(path, weights, header | {"benchmark": json.dumps(target)})
    own = type("Own", (Benchmark,), {"__module__": "tests.own", "__qualname__": "Own"})
    with pytest.raises(InputError, match=r"net.safetensors does not record its task.*of Own is"):
        read_network(path).task()
    del own


def test_a_scan_is_prepared_as_it_says() -> None:
    points = np.random.default_rng(0).random((50, 3))
    prepared = CloudPreparation(num_points=20).cloud("a", points, colors=255 * points)
    again, other = (CloudPreparation(num_points=20).cloud(name, points) for name in ("a", "b"))
    assert len(prepared) == 20
    assert prepared.colors is not None
    np.testing.assert_allclose(prepared.colors, 255 * prepared.points, rtol=1e-6)
    np.testing.assert_array_equal(prepared.points, again.points)
    assert not np.array_equal(prepared.points, other.points)
    clip = CloudPreparation(has_time=True).cloud("a", points)
    assert clip.time is not None
    np.testing.assert_array_equal(clip.time, np.zeros(50))
    with pytest.raises(InputError, match=r"a: points have the shape \(0, 3\)"):
        CloudPreparation().cloud("a", points[:0])
    with pytest.raises(InputError, match=r"a: colors have the shape \(49, 3\), not \(50, 3\)"):
        CloudPreparation().cloud("a", points, colors=points[1:])


def test_benchmarks_say_how_they_prepare(tmp_path: Path) -> None:
    clips = Synthia4D(str(tmp_path), frames_per_clip=2)
    assert clips.preparation == CloudPreparation(has_time=True)
    assert Synthia4D(str(tmp_path)).preparation == CloudPreparation()
    assert SUNRGBD(str(tmp_path), num_points=9).preparation == CloudPreparation(num_points=9)
