"""``downstream.load`` and ``tools/predict.py``: predictions for clouds of any kind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from plyfile import PlyData
from scipy.spatial import KDTree

import downstream
import pointcontrast
from downstream.benchmarks import S3DIS, SUNRGBD, Benchmark, ShapeNet, ShapeNetPart
from downstream.heads import LinearHead, PoolingHead, VoteNet
from downstream.network import Network
from downstream.network_file import read_network, save_network
from downstream.predict import Boxes, CloudLabel, PointLabels, PredictionNetwork
from downstream.predict_cli import main
from downstream.predictor import make_predictor
from pointcontrast.backbones import Res16UNet
from pointcontrast.data.network_input import FeatureName, NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_between
from pointcontrast.labelled_scene import LabelledScene, write_labelled_scene
from pointcontrast.pictures.point_ply import write_point_ply
from pointcontrast.weights.backbone_file import save_backbone
from tests.helpers.converters import convert
from tests.helpers.repository import REPOSITORY
from tests.releases.shapenet.release import write_shapenet_release
from tests.releases.shapenetpart.release import write_shapenetpart_release
from tests.releases.sunrgbd.release import write_sunrgbd_release
from tests.test_feature_network import room

SQUARE = np.float64([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
FACES = np.array([[0, 1, 2], [0, 2, 3]])


def write_network(
    path: Path, benchmark: Benchmark, make_head: Any, *features: FeatureName, **head: Any
) -> Path:
    """An untrained network, whose predictions depend on its input all the same."""
    torch.manual_seed(0)
    recipe = NetworkInput(voxel_size=0.1, features=features)
    backbone = Res16UNet(recipe.in_channels, None, "14A", engine="native", width=0.25)
    channels, task = backbone.level_channels, benchmark.task
    network = Network(backbone, make_head(channels, task.num_outputs, **head))
    save_network(path, network, recipe, benchmark, {})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks of each kind; the data that describe boxes and shapes are gone again."""
    root = tmp_path_factory.mktemp("networks")
    write_network(root / "rooms.safetensors", S3DIS(str(root)), LinearHead, "color")
    write_sunrgbd_release(root / "raw", 2, 1, size=(96, 72))
    convert("sunrgbd.py", "scenes", root / "raw", "--output", root / "images")
    write_network(
        root / "boxes.safetensors", SUNRGBD(str(root / "images"), num_points=2000), VoteNet,
        "ones", "height", num_seeds=64, num_proposals=16,
    )  # fmt: skip
    write_shapenetpart_release(root / "raw_parts", 2)
    convert("shapenetpart.py", "shapes", root / "raw_parts", "--output", root / "parts")
    write_network(root / "parts.safetensors", ShapeNetPart(str(root / "parts")), LinearHead, "ones")
    write_shapenet_release(root / "raw_shapes", 2)
    convert("shapenet.py", "shapes", root / "raw_shapes", "--output", root / "shapes",
            "--num-points", 300)  # fmt: skip
    write_network(root / "shapes.safetensors", ShapeNet(str(root / "shapes")), PoolingHead, "ones")
    for name in ("raw", "images", "raw_parts", "parts", "raw_shapes", "shapes"):
        shutil.rmtree(root / name)
    return root


@pytest.fixture(scope="module")
def rooms(folder: Path) -> PredictionNetwork:
    return downstream.load(folder / "rooms.safetensors", device="cpu")


def test_labels_are_those_of_evaluation(folder: Path, rooms: PredictionNetwork) -> None:
    points, colors = room()
    finetuned = read_network(folder / "rooms.safetensors")
    predictor = make_predictor(finetuned, finetuned.task(), probabilities=True)
    expected: Any = predictor(finetuned.preparation.cloud("room", points, colors=colors))
    found = rooms(points, colors)
    assert isinstance(found, PointLabels)
    assert found.class_names == rooms.class_names
    assert len(found.class_names) == 13
    np.testing.assert_array_equal(found.labels, expected.point_classes)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    assert found.probabilities.std(axis=0).max() > 1e-4
    votes = rooms(points, colors / 255, num_votes=2)
    assert np.abs(votes.probabilities - found.probabilities).max() > 1e-4
    blocks = rooms(points, colors, max_voxels=1000, overlap=0.3)
    assert np.mean(blocks.labels == found.labels) > 0.5


def test_kinds_of_input_and_several_clouds(rooms: PredictionNetwork) -> None:
    points, colors = room()
    expected = rooms(points, colors)
    tensors = rooms(torch.from_numpy(points), colors.tolist())
    assert isinstance(tensors.labels, torch.Tensor)
    np.testing.assert_array_equal(tensors.labels.numpy(), expected.labels)
    both = rooms([points, points[:500]], [colors, colors[:500]])
    np.testing.assert_array_equal(both[0].labels, expected.labels)
    assert len(both[1].labels) == 500
    lying = points[:, [0, 2, 1]] * np.float32([1, 1, -1])
    upright = rooms(lying, colors, up=(0, 1, 0))
    assert np.mean(upright.labels == expected.labels) > 0.95


def test_boxes_are_in_the_frame_of_the_input(folder: Path) -> None:
    network = downstream.load(folder / "boxes.safetensors")
    points = room()[0].astype(np.float64)
    found = network(points, min_score=0.0)
    assert isinstance(found, Boxes)
    assert len(found) > 3
    assert (np.diff(found.scores) <= 0).all()
    np.testing.assert_allclose(found.corners.mean(axis=1), found.centers, atol=1e-5)
    size = np.linalg.norm(found.corners[:, :, None] - found.corners[:, None], axis=-1)
    np.testing.assert_allclose(
        size.max(axis=(1, 2)), np.linalg.norm(found.sizes, axis=1), atol=1e-4
    )
    offset = np.array([450_000.0, 5_200_000.0, 0.0])
    lying = rotation_between((0, 0, 1), (0, 1, 0))
    for moved, back in (
        (network(points + offset, min_score=0.0), lambda x: x - offset),
        (network(points @ lying.T, up=(0, 1, 0), min_score=0.0), lambda x: x @ lying),
    ):  # rounding may choose a few other seeds
        gaps = KDTree(found.centers).query(back(moved.centers))[0]
        assert np.median(gaps) < 0.1
        np.testing.assert_allclose(moved.corners.mean(axis=1), moved.centers, atol=1e-4)
    assert len(network(points, min_score=1.0)) == 0


def test_parts_of_shapes_need_their_category(folder: Path) -> None:
    network = downstream.load(folder / "parts.safetensors")
    points = room(num_points=400)[0]
    with pytest.raises(InputError, match=r"category None must be one of Airplane, "):
        network(points)
    found = network([points, points], category=["Chair", "Table"])
    names = [{network.class_names[row] for row in each.labels} for each in found]
    assert all(name.startswith("Chair") for name in names[0])
    assert all(name.startswith("Table") for name in names[1])
    with pytest.raises(InputError, match="category 'Sofa' must be one of"):
        network(points, category="Sofa")


def test_shapes_have_one_class(folder: Path) -> None:
    network = downstream.load(folder / "shapes.safetensors")
    found = network(room(num_points=400)[0])
    assert isinstance(found, CloudLabel)
    assert found.name == network.class_names[found.label]
    assert found.probabilities.argmax() == found.label
    np.testing.assert_allclose(found.probabilities.sum(), 1, atol=1e-5)
    with pytest.raises(InputError, match="knows no categories of shapes"):
        network(room()[0], category="chair")


def test_what_is_wrong_is_said_in_one_line(
    folder: Path, rooms: PredictionNetwork, tmp_path: Path
) -> None:
    points, colors = room()
    with pytest.raises(InputError, match="trained on colours: pass colors=, "):
        rooms(points)
    with pytest.raises(InputError, match=r"colors has the shape \(2999, 3\)"):
        rooms(points, colors[1:])
    with pytest.raises(InputError, match="votes 0"):
        rooms(points, colors, num_votes=0)
    with pytest.raises(InputError, match="boxes have none to sum"):
        downstream.load(folder / "boxes.safetensors")(points, num_votes=2)
    recipe = NetworkInput(voxel_size=0.1)
    backbone = Res16UNet(3, 8, "14A", engine="native", width=0.25)
    save_backbone(tmp_path / "run" / "backbone.safetensors", backbone, recipe, {})
    for path in (tmp_path / "run", tmp_path / "run" / "backbone.safetensors"):
        with pytest.raises(InputError, match="is a pretrained backbone, which predicts nothing"):
            downstream.load(path)
    for name in ("rooms", "boxes"):
        with pytest.raises(InputError, match=r"is a finetuned network; downstream\.load\("):
            pointcontrast.load(folder / f"{name}.safetensors")
    features = pointcontrast.load(folder / "rooms.safetensors", finetuned=True)
    assert features(points, colors).shape == (len(points), features.num_features)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A room, a mesh, a labelled scene and a sweep."""
    root = tmp_path_factory.mktemp("scans")
    points, colors = room()
    write_point_ply(root / "room.ply", points, colors)
    write_point_ply(root / "mesh.ply", SQUARE, np.full((4, 3), 200, np.uint8), faces=FACES)
    scene = LabelledScene(
        coord=points,
        color=colors,
        semantic=np.zeros(len(points), np.int32),
        class_names=S3DIS("").class_names,
    )
    write_labelled_scene(root / "scene", scene)
    return root


def test_the_command_labels_clouds_meshes_and_scenes(
    folder: Path, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = str(folder / "rooms.safetensors")
    assert main([network, str(scans), "-o", str(tmp_path), "--png"]) == 0
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(
        f"{name}.{suffix}" for name in ("room", "mesh", "scene") for suffix in ("npz", "ply", "png")
    )
    points, colors = room()
    expected = downstream.load(network)(points, colors)
    with np.load(tmp_path / "room.npz") as arrays:
        np.testing.assert_array_equal(arrays["labels"], expected.labels)
        np.testing.assert_array_equal(arrays["probabilities"], expected.probabilities)
        assert tuple(arrays["class_names"]) == expected.class_names
    ply = PlyData.read(str(tmp_path / "room.ply"))
    np.testing.assert_array_equal(ply["vertex"]["label"], expected.labels)
    assert len(ply.comments) == 13
    mesh = PlyData.read(str(tmp_path / "mesh.ply"))
    np.testing.assert_array_equal(np.stack(mesh["face"]["vertex_indices"]), FACES)
    assert mesh["vertex"].count == 4
    scene = PlyData.read(str(tmp_path / "scene.ply"))
    np.testing.assert_array_equal(scene["vertex"]["truth"], np.zeros(len(points)))
    right = 100 * np.mean(expected.labels == 0)
    assert f"{right:.1f} % of the labelled points are right" in capsys.readouterr().out
    with Image.open(tmp_path / "room.png") as two, Image.open(tmp_path / "scene.png") as three:
        assert three.width > two.width  # a panel of the ground truth


def test_the_command_writes_boxes_as_json_and_lines(
    folder: Path, scans: Path, tmp_path: Path
) -> None:
    arguments = [str(folder / "boxes.safetensors"), str(scans / "room.ply"), "-o", str(tmp_path)]
    assert main([*arguments, "--min-score", "0", "--png"]) == 0
    content = json.loads((tmp_path / "room.json").read_text())
    expected = downstream.load(folder / "boxes.safetensors")(room()[0], min_score=0.0)
    assert len(content["boxes"]) == len(expected) > 0
    first = content["boxes"][0]
    assert first["class"] == expected.class_names[expected.labels[0]]
    np.testing.assert_allclose(first["center"], expected.centers[0], atol=1e-4)
    np.testing.assert_allclose(first["corners"], expected.corners[0], atol=1e-4)
    ply = PlyData.read(str(tmp_path / "room.ply"))
    assert ply["edge"].count == 13 * len(expected)
    assert (tmp_path / "room.png").exists()


def test_the_command_names_the_class_of_a_shape(
    folder: Path, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = str(folder / "shapes.safetensors")
    assert main([network, str(scans / "mesh.ply"), "-o", str(tmp_path)]) == 0
    content = json.loads((tmp_path / "mesh.json").read_text())
    assert content["class"] in capsys.readouterr().out
    np.testing.assert_allclose(sum(content["probabilities"].values()), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("network", "scan", "more", "message"),
    [
        ("rooms.safetensors", "sweep.bin", [], "sweep has no colours, and the network was trained"),
        ("rooms.safetensors", "absent.ply", [], "absent.ply does not exist"),
        ("rooms.safetensors", "notes.pdf", [], "is in none of the formats"),
        ("rooms.safetensors", "cut.ply", [], "cut.ply is damaged or cut short"),
        ("rooms.safetensors", "room.ply", ["--up", "0", "0", "0"], "must be three numbers"),
        ("rooms.safetensors", "room.ply", ["--votes", "0"], "votes 0"),
        ("absent.safetensors", "room.ply", [], "absent.safetensors does not exist"),
        ("parts.safetensors", "room.ply", [], "category None must be one of"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    folder: Path,
    scans: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    network: str,
    scan: str,
    more: list[str],
    message: str,
) -> None:
    np.zeros((10, 4), "<f4").tofile(tmp_path / "sweep.bin")
    (tmp_path / "notes.pdf").touch()
    shutil.copy(scans / "room.ply", tmp_path)
    (tmp_path / "cut.ply").write_bytes((scans / "room.ply").read_bytes()[:-5])
    arguments = [str(folder / network), str(tmp_path / scan), "-o", str(tmp_path / "out"), *more]
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert error.count("\n") == 0
    assert not (tmp_path / "out").exists()


def test_results_that_exist_are_kept(
    folder: Path, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "room.png").touch()
    arguments = [str(folder / "rooms.safetensors"), str(scans / "room.ply"), "-o", str(tmp_path)]
    assert main([*arguments, "--png"]) == 2
    assert "room.png exists; give another --output, or --force" in capsys.readouterr().err
    assert main(arguments) == 0  # no picture is asked for


def test_help_needs_no_heavy_import() -> None:
    program = (
        "import sys, runpy; sys.argv = ['predict.py', '--help']\n"
        "try: runpy.run_path('tools/predict.py', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code\n"
        "heavy = {'torch', 'numpy', 'open3d', 'pytorch_lightning', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    assert "--votes" in done.stdout
