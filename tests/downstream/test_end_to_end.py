"""Each benchmark from its raw layout to figures, by the recipes that users run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from downstream.evaluate_cli import main as evaluate
from tests.helpers.converters import convert
from tests.releases.s3dis.release import write_s3dis_release
from tests.releases.scannet.release import write_scannet_release
from tests.releases.shapenet.release import write_shapenet_release
from tests.releases.shapenetpart.release import write_shapenetpart_release
from tests.releases.sunrgbd.release import write_sunrgbd_release
from tests.releases.synthia4d.release import SEQUENCES, write_synthia4d_release

ENGINE = "--model.backbone.init_args.engine"


def scores_of(folder: Path, *arguments: object) -> dict[str, Any]:
    """Evaluate a run again, from its files, into a folder of its own."""
    output = folder / "again"
    assert evaluate([str(folder), "--output", str(output), *map(str, arguments)]) == 0
    (path,) = output.rglob("scores.json")
    found = json.loads(path.read_text())
    shutil.rmtree(output)
    return found


def check_runs(finetune: Any, recipe: str, root: Path, pretrained: Path, *more: object) -> Path:
    """Train from scratch and from a pretrained backbone, on both engines; evaluate each."""
    scratch = finetune(recipe, root, ENGINE, "native", *more, folder="scratch")
    weights = ("--model.weights", pretrained)
    loaded = finetune(recipe, root, ENGINE, "native", *weights, *more, folder="loaded")
    other = finetune(recipe, root, ENGINE, "minkowski", *weights, *more, folder="minkowski")
    for folder in (scratch, loaded, other):
        for name in ("best.safetensors", "last.safetensors", "last.ckpt", "scores.json"):
            assert (folder / name).is_file()
        assert scores_of(folder) == json.loads((folder / "scores.json").read_text())
    report = json.loads((loaded / "initialization.json").read_text())
    assert report["num_loaded"] > 100
    assert not (scratch / "initialization.json").exists()
    native = json.loads((loaded / "scores.json").read_text())
    minkowski = scores_of(loaded, "--engine", "minkowski")
    for level in ("voxel", "point", "cloud", "box"):
        for name, value in native.get(level, {}).items():
            if name != "classes" and value is not None:
                assert minkowski[level][name] == pytest.approx(value, abs=0.01)
    return loaded


def test_s3dis(finetune: Any, pretrained: Path, tmp_path: Path, real_data: Path) -> None:
    write_s3dis_release(tmp_path / "raw", 2, areas=(1, 2), density=100)
    shutil.copytree(real_data / "s3dis_raw" / "Area_5", tmp_path / "raw" / "Area_5")
    convert("s3dis.py", "rooms", tmp_path / "raw", "--output", tmp_path / "scenes")
    folder = check_runs(
        finetune, "s3dis_small", tmp_path / "scenes", pretrained, "--data.voxel_size", "0.15"
    )
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["part"] == "test, area 5"
    assert scores["num_clouds"] == 1
    assert not scores["voxel"]["classes"]["beam"]  # the crop has none: no figure, or 0
    assert scores["voxel"]["mean_iou"] != scores["point"]["mean_iou"]
    # six folds: each run on its own area, and all of them as one
    second = finetune(
        "s3dis_small", tmp_path / "scenes", "--data.voxel_size", "0.15",
        "--data.benchmark.init_args.test_area", "2", folder="area_2",
    )  # fmt: skip
    assert evaluate([str(folder), str(second), "--output", str(tmp_path / "folds")]) == 0
    together = json.loads((tmp_path / "folds" / "scores.json").read_text())
    assert (together["part"], together["num_clouds"]) == ("2 folds", 3)


def test_scannet(finetune: Any, pretrained: Path, tmp_path: Path) -> None:
    raw, scenes = tmp_path / "raw", tmp_path / "scenes"
    write_scannet_release(raw, 16, 0, num_test_scans=1, longest_edge=0.3)  # 0011_00 validates
    convert("scannet.py", "scenes", raw, "--output", scenes)
    convert("scannet.py", "scenes", raw, "--output", scenes, "--split", "test")
    folder = check_runs(finetune, "scannet_small", scenes, pretrained, "--data.voxel_size", "0.2")
    assert json.loads((folder / "scores.json").read_text())["part"] == "validation"
    submission = ["--split", "test", "--predictions", "scannet", "--partial-submission",
                  "--output", tmp_path / "test"]  # fmt: skip
    assert evaluate([str(folder), *map(str, submission)]) == 0
    (text,) = (tmp_path / "test").rglob("scene*.txt")
    vertices = int(
        next(
            line.split()[-1]
            for line in (raw / "scans_test" / text.stem / f"{text.stem}_vh_clean_2.ply")
            .read_bytes()[:400]
            .decode("latin-1")
            .splitlines()
            if line.startswith("element vertex")
        )
    )
    assert len(text.read_text().splitlines()) == vertices
    assert not list((tmp_path / "test").rglob("scores.json"))  # its labels are hidden


def test_synthia4d(finetune: Any, pretrained: Path, tmp_path: Path) -> None:
    write_synthia4d_release(tmp_path / "raw", 2, points_per_frame=4000)
    convert("synthia4d.py", "frames", tmp_path / "raw", "--output", tmp_path / "scenes")
    scenes = tmp_path / "scenes"
    folder = check_runs(finetune, "synthia4d_small", scenes, pretrained, "--data.voxel_size", "0.6")
    scores = json.loads((folder / "scores.json").read_text())
    assert (scores["part"], scores["num_clouds"]) == ("test", 2)
    clips = finetune(
        "synthia4d_clips_small", scenes, "--data.voxel_size", "0.6",
        "--data.benchmark.init_args.frames_per_clip", "2",
        "--data.benchmark.init_args.frame_step", "1", folder="clips",
    )  # fmt: skip
    found = json.loads((clips / "scores.json").read_text())
    assert found["num_clouds"] == 1  # one clip of the two frames
    assert len(SEQUENCES) == 4
    assert scores_of(clips) == found


def test_shapenetpart(finetune: Any, pretrained: Path, tmp_path: Path) -> None:
    write_shapenetpart_release(tmp_path / "raw", 4)
    convert("shapenetpart.py", "shapes", tmp_path / "raw", "--output", tmp_path / "shapes")
    folder = check_runs(
        finetune, "shapenetpart_small", tmp_path / "shapes", pretrained,
        "--model.accept_differences", "[voxel_size, features]", "--data.voxel_size", "0.1",
    )  # fmt: skip
    scores = json.loads((folder / "scores.json").read_text())
    assert set(scores["point"]) == {"instance_mean_iou", "category_mean_iou", "classes"}
    assert len(scores["point"]["classes"]) == 16


def test_shapenet(finetune: Any, pretrained: Path, tmp_path: Path) -> None:
    write_shapenet_release(tmp_path / "raw", 4)
    convert("shapenet.py", "shapes", tmp_path / "raw", "--output", tmp_path / "shapes",
            "--num-points", 500)  # fmt: skip
    folder = check_runs(
        finetune, "shapenet_small", tmp_path / "shapes", pretrained,
        "--model.accept_differences", "[voxel_size, features]", "--data.voxel_size", "0.1",
    )  # fmt: skip
    scores = json.loads((folder / "scores.json").read_text())
    assert {"overall_accuracy", "mean_accuracy", "tail_accuracy"} < set(scores["cloud"])


SMALL_DETECTION = [
    "--data.features", "[color]",  # what the backbone was pretrained on
    "--data.voxel_size", "0.15",
    "--model.head.init_args.num_seeds", "64",
    "--model.head.init_args.num_proposals", "16",
]  # fmt: skip


def test_sunrgbd(finetune: Any, pretrained: Path, tmp_path: Path, real_data: Path) -> None:
    """Generated images to train on, and the four real ones, in the other form, to be scored on."""
    write_sunrgbd_release(tmp_path / "raw", 2, 1, size=(96, 72))
    scenes = tmp_path / "scenes"
    convert("sunrgbd.py", "scenes", tmp_path / "raw", "--output", scenes)
    folder = check_runs(finetune, "sunrgbd_detection_small", scenes, pretrained, *SMALL_DETECTION)
    scores = json.loads((folder / "scores.json").read_text())
    assert (scores["part"], scores["num_clouds"]) == ("validation", 1)
    assert set(scores["box"]) == {
        "mean_ap_25", "mean_ar_25", "mean_ap_50", "mean_ar_50", "classes"
    }  # fmt: skip
    real = tmp_path / "real"
    convert("sunrgbd.py", "scenes", real_data / "sunrgbd_trainval", "--output", real)
    elsewhere = scores_of(folder, "--root", real)  # sizes stay those of the training data
    assert elsewhere["num_clouds"] == 4
    assert {name for name, value in elsewhere["box"]["classes"].items() if value is not None} == {
        "bed", "dresser", "night_stand"
    }  # fmt: skip
    for format, suffix in (("png", ".png"), ("ply", "_detected.ply")):
        output = tmp_path / format
        words = [str(folder), "--predictions", format, "--output", str(output)]
        assert evaluate(words) == 0
        assert [path.name for path in output.rglob(f"*{suffix}")] == [f"000001{suffix}"]


def test_scannet_detection(finetune: Any, pretrained: Path, tmp_path: Path) -> None:
    raw, scenes = tmp_path / "raw", tmp_path / "scenes"
    write_scannet_release(raw, 16, 0, longest_edge=0.3)  # 0011_00 validates
    convert("scannet.py", "scenes", raw, "--output", scenes)
    convert(
        "label_lists.py", "boxes", scenes, "--benchmark", "ScanNetDetection", "--output",
        tmp_path / "lists", "--num-boxes", "2",
    )  # fmt: skip
    (boxes,) = (tmp_path / "lists").iterdir()
    folder = check_runs(
        finetune, "scannet_detection_small", scenes, pretrained, *SMALL_DETECTION,
        "--data.box_list", boxes,
    )  # fmt: skip
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["part"] == "validation"
    assert len(scores["box"]["classes"]) == 18
