"""The command line of finetuning: modes, lists, resuming, seeds, bad input."""

from __future__ import annotations

import json
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from downstream.augmentation.recipes import SceneAugmentation
from downstream.benchmarks import S3DIS
from downstream.data import FinetuneDataModule
from downstream.finetune_cli import main
from downstream.label_lists.point_choice import limited_points, points_rng
from downstream.label_lists.points import PointList, write_point_list
from downstream.label_lists.scenes import write_scene_list
from downstream.network_file import read_network
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import read_labelled_scene, write_labelled_scene
from pointcontrast.runs.folder import read_metrics
from pointcontrast.synthetic.source import write_labelled_rooms
from pointcontrast.weights.backbone_file import load_backbone, read_weights
from tests.helpers.downstream_small import SMALL
from tests.helpers.fork_server import run
from tests.helpers.killed_runs import finish, start
from tests.helpers.repository import REPOSITORY

COARSE = ("--data.voxel_size", "0.2")
RECIPE = SceneAugmentation(
    elastic=[], max_tilt=0.0981747704, clip=4.0, color_translation=0.05, color_jitter=0.005
)
"""What s3dis_small.yaml asks for."""


def state(folder: Path, name: str = "last.ckpt") -> dict[str, torch.Tensor]:
    return torch.load(folder / name, weights_only=True)["state_dict"]


def assert_equal_states(first: Path, second: Path) -> None:
    one, two = state(first), state(second)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=0, atol=0)


@pytest.mark.parametrize("mode", ["linear", "decoder"])
@pytest.mark.parametrize("head", ["LinearHead", "HierarchicalHead"])
def test_what_a_mode_leaves_alone_stays_as_it_was_loaded(
    finetune: Any, s3dis_scenes: Path, pretrained: Path, mode: str, head: str
) -> None:
    folder = finetune(
        "s3dis_small", s3dis_scenes, *COARSE, "--model.weights", pretrained, "--model.mode", mode,
        "--model.head", f"downstream.heads.{head}", "--model.calibration_batches", "0",
    )  # fmt: skip
    source = read_weights(pretrained).state_dict
    found = {k.removeprefix("network.backbone."): v for k, v in state(folder).items()
             if k.startswith("network.backbone.")}  # fmt: skip
    same = {name for name, w in found.items() if torch.equal(w, source[name])}
    encoder = ("conv", "bn0", "bn1", "bn2", "bn3", "bn4", "block1", "block2", "block3", "block4")
    encoder_names = {n for n in found if n.startswith(encoder) and not n.startswith("convtr")}
    assert same == (set(found) if mode == "linear" else encoder_names)
    finetuned = read_network(folder)
    assert type(finetuned.network.head).__name__ == head


def test_statistics_of_a_network_that_is_left_alone_are_measured_once(
    finetune: Any, s3dis_scenes: Path, pretrained: Path
) -> None:
    folder = finetune(
        "s3dis_small", s3dis_scenes, *COARSE, "--model.weights", pretrained,
        "--model.mode", "linear", "--model.calibration_batches", "1",
    )  # fmt: skip
    source = read_weights(pretrained).state_dict
    found = read_network(folder).network.backbone
    changed = {n for n, w in found.state_dict().items() if not torch.equal(w, source[n])}
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert changed
    assert all(name.endswith(statistics) for name in changed)
    data = FinetuneDataModule(
        S3DIS(str(s3dis_scenes)), batch_size=2, voxel_size=0.2, augmentation=RECIPE
    )
    data.setup("fit")
    (batch,) = data.calibration_dataloader(1)
    x = found.engine.sparse_tensor(batch.coordinates, batch.features)
    stem = found.conv0p1s1(x).features
    torch.testing.assert_close(found.bn0.bn.running_mean, stem.mean(0), rtol=1e-4, atol=1e-5)


def test_a_run_whose_validation_cannot_be_scored_keeps_its_last_network(
    finetune: Any, tmp_path: Path
) -> None:
    """No box is in the held-out room: the mean average precision over its classes is NaN."""
    rooms = tmp_path / "rooms"
    write_labelled_rooms(rooms, 3, seed=1, density=60.0, progress=False)
    room = read_labelled_scene(rooms / "room_0002")
    assert room.boxes is not None
    assert room.box_instances is not None
    empty = replace(room, boxes=room.boxes[:0], box_instances=room.box_instances[:0])
    shutil.rmtree(rooms / "room_0002")
    write_labelled_scene(rooms / "room_0002", empty)
    with pytest.warns(UserWarning, match=r"mean_ap_25 is NaN at step [24]: no label"):
        folder = finetune(
            "detection_demo", rooms, "--data.source", "null",
            "--data.benchmark.init_args.validation_fraction", "0.3",
            "--data.benchmark.init_args.num_points", "2000", "--data.voxel_size", "0.2",
            "--model.head.init_args.num_seeds", "32", "--model.head.init_args.num_proposals", "16",
        )  # fmt: skip
    last, best = (read_network(folder / f"{name}.safetensors") for name in ("last", "best"))
    weights = best.network.state_dict()
    assert all(torch.equal(weights[n], w) for n, w in last.network.state_dict().items())
    assert (folder / "scores.json").exists()


def test_a_finetuned_network_is_a_backbone_too(
    finetune: Any, s3dis_scenes: Path, pretrained: Path
) -> None:
    first = finetune("s3dis_small", s3dis_scenes, *COARSE, folder="first")
    backbone, metadata = load_backbone(first)
    assert metadata.network_input.features == ("color",)
    second = finetune(
        "s3dis_small", s3dis_scenes, *COARSE, "--model.weights", first, "--model.mode", "linear",
        "--model.calibration_batches", "0", folder="second",
    )  # fmt: skip
    report = json.loads((second / "initialization.json").read_text())
    assert set(report["dropped"]) == {"head.linear.weight", "head.linear.bias"}
    loaded = read_network(second).network.backbone.state_dict()
    for name, tensor in backbone.state_dict().items():
        torch.testing.assert_close(loaded[name], tensor, rtol=0, atol=0)


def test_an_interrupted_run_goes_on_to_the_same_end(finetune: Any, s3dis_scenes: Path) -> None:
    whole = finetune("s3dis_small", s3dis_scenes, *COARSE, folder="whole")
    arguments = [
        "--config", str(REPOSITORY / "configs" / "downstream" / "s3dis_small.yaml"),
        "--run_dir", "killed", "--checkpoint_every", "1", *COARSE,
        "--data.benchmark.init_args.root", str(s3dis_scenes),
    ]  # fmt: skip
    Path("kill.py").write_text(KILL)
    killed = run(["kill.py", *arguments, *SMALL])
    assert killed.returncode == -signal.SIGKILL, killed.communicate()[0]
    assert torch.load("killed/last.ckpt", weights_only=True)["global_step"] == 3
    finetune("s3dis_small", s3dis_scenes, *COARSE, "--ckpt_path", "last", folder="killed")
    assert_equal_states(Path("killed"), whole)
    assert json.loads(Path("killed/scores.json").read_text()) == json.loads(
        (whole / "scores.json").read_text()
    )
    losses = [
        [line["train/loss"] for line in read_metrics(folder) if "train/loss" in line]
        for folder in (Path("killed"), whole)
    ]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4


KILL = """
import os, signal, sys
from downstream import finetune, finetune_cli
step = finetune.Finetune.training_step
def training_step(self, batch, batch_idx):
    if self.global_step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, batch_idx)
finetune.Finetune.training_step = training_step
finetune_cli.main(sys.argv[1:])
"""


def test_a_signal_saves_and_ends_the_run(s3dis_scenes: Path, tmp_path: Path) -> None:
    training = start(
        "finetune",
        "--config", REPOSITORY / "configs" / "downstream" / "s3dis_small.yaml",
        "--run_dir", tmp_path / "run", *COARSE, *SMALL,
        "--data.benchmark.init_args.root", s3dis_scenes,
        "--trainer.max_steps", "100000", "--trainer.val_check_interval", "100000",
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not read_metrics(tmp_path / "run") and time.monotonic() < deadline:
        time.sleep(0.2)
    training.send_signal(signal.SIGTERM)
    out = finish(training, 128 + signal.SIGTERM)
    assert "resume with the same command and --ckpt_path" in out
    assert (tmp_path / "run" / "last.ckpt").exists()


def test_the_best_and_the_last_network_are_kept(finetune: Any, s3dis_scenes: Path) -> None:
    folder = finetune(
        "s3dis_small", s3dis_scenes, *COARSE, "--trainer.max_steps", "12",
        "--trainer.val_check_interval", "1",
    )  # fmt: skip
    key = "validation/mean_iou"
    scored = [line for line in read_metrics(folder) if key in line]
    best, last = (read_network(folder / f"{name}.safetensors") for name in ("best", "last"))
    # figures are logged in single precision
    highest = pytest.approx(max(line[key] for line in scored), rel=1e-6)
    assert best.backbone.provenance["scores"]["mean_iou"] == highest
    assert last.backbone.provenance["scores"]["mean_iou"] == pytest.approx(
        scored[-1][key], rel=1e-6
    )
    assert last.backbone.provenance["step"] == 12


def test_few_scenes_and_few_points_train(finetune: Any, s3dis_scenes: Path, tmp_path: Path) -> None:
    write_scene_list(tmp_path / "one.txt", ["Area_1/office_2"], "one")
    finetune("s3dis_small", s3dis_scenes, *COARSE, "--data.scene_list", tmp_path / "one.txt")
    benchmark = S3DIS(str(s3dis_scenes))
    points, sizes = {}, {}
    for name in benchmark.names("train"):
        labels = benchmark.read(name).labels
        points[name] = limited_points(labels, 20, points_rng(0, name))
        sizes[name] = len(labels)
    path = tmp_path / "points.npz"
    write_point_list(path, PointList(points=points, num_points=sizes, source=str(path)))
    finetune("s3dis_small", s3dis_scenes, *COARSE, "--data.point_list", path, folder="points")
    data = FinetuneDataModule(
        benchmark, voxel_size=0.2, point_list=str(path), augmentation=SceneAugmentation(elastic=[])
    )
    data.setup("fit")
    sample = data.train_dataset[0, 0]
    assert 0 < (sample.labels >= 0).sum() <= 20
    plain = FinetuneDataModule(benchmark, voxel_size=0.2, point_list=str(path), augmentation=None)
    plain.setup("fit")
    labelled = plain.train_dataset[0, 0].labels
    # 20 points in 20 voxels, but for those that share one
    assert 15 <= (labelled >= 0).sum() <= 20
    assert (plain.validation_dataset[0, 0].labels >= 0).sum() > 1000


def test_workers_change_nothing(finetune: Any, s3dis_scenes: Path) -> None:
    alone = finetune("s3dis_small", s3dis_scenes, *COARSE, folder="alone")
    helped = finetune(
        "s3dis_small", s3dis_scenes, *COARSE, "--data.num_workers", "2", folder="helped"
    )
    assert_equal_states(alone, helped)


def test_several_seeds_end_in_a_table(
    s3dis_scenes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    arguments = [
        "--config", str(REPOSITORY / "configs" / "downstream" / "s3dis_small.yaml"),
        *COARSE, *SMALL,
        "--data.benchmark.init_args.root", str(s3dis_scenes), "--run_dir", "seeds",
    ]  # fmt: skip
    assert main([*arguments, "--seeds", "0,3"]) == 0
    scores = [
        json.loads(Path(f"seeds/seed_{seed}/scores.json").read_text())["voxel"]["mean_iou"]
        for seed in (0, 3)
    ]
    assert scores[0] != scores[1]
    table = Path("seeds/seeds.txt").read_text()
    line = next(line for line in table.splitlines() if line.startswith("voxel mean_iou"))
    mean, spread = (float(word) for word in line.split()[2:4])
    assert mean == pytest.approx(100 * np.mean(scores), abs=0.01)
    assert spread == pytest.approx(100 * np.std(scores, ddof=1), abs=0.01)
    capfd.readouterr()
    assert main([*arguments, "--seeds=0,3"]) == 0  # nothing is run again
    out = capfd.readouterr().out
    assert out.count("finished before") == 2
    assert table in out


def failure(capsys: pytest.CaptureFixture[str], root: Path, *arguments: object) -> str:
    """The message of a run that fails; nothing may be left behind."""
    status = main([
        "--config", str(REPOSITORY / "configs" / "downstream" / "s3dis_small.yaml"),
        "--run_dir", "failed", *SMALL, "--data.benchmark.init_args.root", str(root),
        *map(str, arguments),
    ])  # fmt: skip
    assert status == 2
    assert not Path("failed").exists()
    return capsys.readouterr().err


def test_bad_input_is_named_before_anything_is_written(
    pretrained: Path, s3dis_scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)

    def message(*arguments: object, root: Path = s3dis_scenes) -> str:
        return failure(capsys, root, *arguments)

    weights = ("--model.weights", pretrained)
    assert "voxel_size 0.15 in pretraining, 0.08 here" in message(
        *weights, "--model.accept_differences", "[]"
    )
    assert "features color in pretraining, ones here" in message(
        *weights, "--model.accept_differences", "[voxel_size]", "--data.features", "[ones]"
    )
    assert "in_channels 3, the run has 6" in message(*weights, "--data.features", "[color, normal]")
    assert "width 0.25, the run has 0.5" in message(
        *weights, "--model.backbone.init_args.width", "0.5"
    )
    assert "nothing.pth does not exist" in message("--model.weights", "nothing.pth")
    assert "nowhere is not a folder" in message(root=Path("nowhere"))
    assert "no room of area 4" in message("--data.benchmark.init_args.test_area", "4")
    assert "no.txt does not exist" in message("--data.scene_list", "no.txt")
    Path("list.txt").write_text("Area_1/attic\n")
    assert "'Area_1/attic', which the training data does not have" in message(
        "--data.scene_list", "list.txt"
    )
    assert "data.batch_size 0" in message("--data.batch_size", "0")
    with pytest.raises(SystemExit):
        message("--data.no_such_key", "1")
    assert "--seeds 'a' must be integers" in message("--seeds", "a")
    assert "names a seed twice" in message("--seeds", "1,1")


def test_a_scene_without_what_the_features_need_is_named(
    finetune: Any, s3dis_scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finetune("s3dis_small", s3dis_scenes, "--data.features", "[normal]", status=2)
    assert "features asks for 'normal' but the cloud has no normals" in capsys.readouterr().err


def test_labels_outside_the_classes_are_named(
    finetune: Any, s3dis_scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(s3dis_scenes, tmp_path / "scenes")
    folder = tmp_path / "scenes" / "Area_1" / "office_1"
    scene = read_labelled_scene(folder, mmap=False)
    write_labelled_scene(folder, replace(scene, class_names=(*scene.class_names, "attic")))
    finetune("s3dis_small", tmp_path / "scenes", status=2)
    assert "office_1 has 14 classes" in capsys.readouterr().err


def test_both_lists_choose_together(s3dis_scenes: Path, tmp_path: Path) -> None:
    benchmark = S3DIS(str(s3dis_scenes))
    points, sizes = {}, {}
    for name in benchmark.names("train"):
        labels = benchmark.read(name).labels
        points[name] = limited_points(labels, 5, points_rng(0, name))
        sizes[name] = len(labels)
    path = tmp_path / "points.npz"
    write_point_list(path, PointList(points=points, num_points=sizes, source=str(path)))
    write_scene_list(tmp_path / "one.txt", ["office_2"], "one")
    data = FinetuneDataModule(
        benchmark, point_list=str(path), scene_list=str(tmp_path / "one.txt"), voxel_size=0.2
    )
    data.setup("fit")
    assert data.train_dataset.names == ["Area_1/office_2"]
    del points["Area_1/office_2"], sizes["Area_1/office_2"]
    write_point_list(path, PointList(points=points, num_points=sizes, source=str(path)))
    apart = FinetuneDataModule(
        benchmark, point_list=str(path), scene_list=str(tmp_path / "one.txt"), voxel_size=0.2
    )
    with pytest.raises(InputError, match="have no scene in common"):
        apart.setup("fit")


def test_large_scenes_are_validated_in_blocks(finetune: Any, s3dis_scenes: Path) -> None:
    key = "validation/mean_iou"
    figures = []
    for limit in (1_000_000, 2500):
        folder = finetune(
            "s3dis_small", s3dis_scenes, *COARSE, "--model.max_validation_voxels", limit,
            folder=f"run_{limit}",
        )  # fmt: skip
        figures.append([line[key] for line in read_metrics(folder) if key in line])
    assert len(figures[0]) == 2
    assert figures[0] != figures[1]  # blocks see less
    np.testing.assert_allclose(figures[0], figures[1], atol=0.05)
