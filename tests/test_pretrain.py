"""The real command line on generated rooms: runs, resumes, kills, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from PIL import Image

from pointcontrast.backbones import Res16UNet
from pointcontrast.pretrain_cli import main
from pointcontrast.runs.folder import read_metrics
from pointcontrast.weights.backbone_file import load_backbone
from tests.helpers.repository import REPOSITORY


def run(config: Path, folder: str, *arguments: str) -> int:
    return main(["--config", str(config), "--run_dir", folder, *arguments])


def losses(folder: str) -> list[float]:
    return [line["train/loss"] for line in read_metrics(Path(folder)) if "train/loss" in line]


def weights(folder: str, num_steps: int = 8) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(Path(folder) / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == num_steps
    return checkpoint["state_dict"]


def assert_equal_weights(first: str, second: str, num_steps: int = 8) -> None:
    one, other = weights(first, num_steps), weights(second, num_steps)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("engine", ["native", "minkowski"])
def test_a_run_leaves_all_that_it_should(
    config: Path, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, "run", f"--model.backbone.engine={engine}", "--picture=true") == 0
    said = capsys.readouterr().out
    for name in (
        "config.yaml", "run.json", "metrics.jsonl", "last.ckpt", "backbone.safetensors",
        "curves.png", "features.png",
    ):  # fmt: skip
        assert Path("run", name).stat().st_size > 0
    assert any(Path("run/tensorboard").iterdir())
    for path in ("run/last.ckpt", "run/backbone.safetensors", "run/features.png"):
        assert path in said
    assert "top-1 match accuracy" in said
    assert "inlier ratio (0.3 m)" in said  # two voxels
    assert np.asarray(Image.open("run/features.png")).std() > 10

    metrics = read_metrics(Path("run"))
    scored = [line["step"] for line in metrics if "validation/top1_accuracy" in line]
    assert scored[0] == 0
    assert len(scored) == 4  # before, twice during, after
    assert len(losses("run")) == 8
    assert np.isfinite(losses("run")).all()

    backbone, metadata = load_backbone(Path("run/backbone.safetensors"), engine="native")
    assert metadata.network_input.features == ("color",)
    assert metadata.provenance["step"] == 8
    assert metadata.provenance["scores"]["top1_accuracy"] == pytest.approx(
        metrics[-1]["validation/top1_accuracy"]
    )
    assert metadata.provenance["scores"]["inlier_distance"] == 0.3
    assert yaml.safe_load(metadata.provenance["config"])["name"] == "small"
    trained = weights("run")
    for name, value in backbone.state_dict().items():
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(value, trained[f"backbone.{name}"])


def test_a_written_config_runs_again_to_the_same_numbers(config: Path) -> None:
    assert run(config, "first", "--trainer.max_steps=3") == 0
    assert run(Path("first/config.yaml"), "second", "--run_dir=second") == 0
    assert losses("second") == losses("first")


def test_losses_do_not_depend_on_the_number_of_workers(config: Path) -> None:
    for workers in (0, 2):
        arguments = (f"--data.num_workers={workers}", "--trainer.max_steps=4")
        assert run(config, f"with{workers}", *arguments) == 0
    assert losses("with0") == losses("with2")
    assert len(losses("with0")) == 4
    assert run(config, "other", "--seed_everything=1", "--trainer.max_steps=4") == 0
    assert losses("other") != losses("with0")


def test_training_lowers_the_loss(config: Path) -> None:
    arguments = ("--trainer.max_steps=60", "--trainer.val_check_interval=60",
                 "--model.optimizer=torch.optim.AdamW", "--model.optimizer.lr=0.003")  # fmt: skip
    assert run(config, "run", *arguments) == 0
    assert np.mean(losses("run")[-10:]) < np.mean(losses("run")[:5]) - 0.5


def test_hardest_contrastive_runs_through_the_same_config(config: Path) -> None:
    value = yaml.safe_load(config.read_text())
    value["model"]["loss"] = {"class_path": "pointcontrast.losses.HardestContrastive"}
    config.write_text(yaml.safe_dump(value))
    assert run(config, "run", "--trainer.max_steps=3") == 0
    line = read_metrics(Path("run"))[1]
    assert line["train/loss"] == pytest.approx(line["train/positive"] + line["train/negative"])


def test_features_of_any_length_are_normalised_by_the_loss_or_refused(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free = "--model.backbone.normalize_output=false"
    assert run(config, "refused", free) == 2
    assert "PointInfoNCE takes rows of unit length" in capsys.readouterr().err
    assert not Path("refused").exists()
    assert run(config, "run", free, "--model.loss.normalize=true", "--trainer.max_steps=2") == 0
    assert np.isfinite(losses("run")).all()


def test_a_learnt_temperature_is_trained_without_weight_decay(config: Path) -> None:
    arguments = ("--model.loss.learn_temperature=true", "--trainer.max_steps=8")
    assert run(config, "run", *arguments) == 0
    learnt = [m["train/temperature"] for m in read_metrics(Path("run")) if "train/temperature" in m]
    assert learnt[0] == pytest.approx(0.1)
    assert learnt[-1] != pytest.approx(0.1, abs=1e-6)
    groups = torch.load("run/last.ckpt", weights_only=True)["optimizer_states"][0]["param_groups"]
    assert [group["weight_decay"] for group in groups] == [1e-4, 0.0]


def test_batches_without_a_match_are_counted_and_do_no_harm(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "pointcontrast.data.pair_dataset.find_correspondences",
        lambda *_: np.zeros((0, 2), np.int64),
    )
    assert run(config, "run", "--trainer.max_steps=3", "--model.optimizer.weight_decay=0") == 0
    metrics = read_metrics(Path("run"))
    assert [m["train/dropped_pairs"] for m in metrics if "train/dropped_pairs" in m] == [2, 4, 6]
    assert "no held-out pairs were scored" in capsys.readouterr().out
    trained = torch.load("run/last.ckpt", weights_only=True)
    assert trained["global_step"] == 3
    pl.seed_everything(0)
    fresh = Res16UNet(3, 16, "14A", engine="native", width=0.25, normalize_output=True)
    for name, value in fresh.named_parameters():
        assert torch.equal(trained["state_dict"][f"backbone.{name}"], value), name


def test_a_collapse_is_warned_of(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointcontrast.pretrain.effective_rank", lambda _: 1.2)
    with pytest.warns(UserWarning, match=r"collapse at step [01]: .*1\.20 of 16 channels"):
        run(config, "run", "--trainer.max_steps=1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data.colour=true"], "colour"),
        (["--model.loss.temprature=0.1"], "temprature"),
        (["--data.batch_size=many"], "batch_size"),
        (["--data.features=[smell]"], "features"),
        (["--model.backbone.variant=35C"], "variant"),
    ],
)
def test_wrong_keys_and_values_are_named(
    config: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        raise SystemExit(run(config, "run", *arguments))
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
    assert not Path("run").exists()


def test_missing_data_is_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, "run", "--data.root=nowhere") == 2
    assert "nowhere" in capsys.readouterr().err
    assert not Path("run").exists()


@pytest.mark.parametrize("name", sorted((REPOSITORY / "configs" / "pretrain").glob("*.yaml")))
def test_every_config_parses_and_says_the_recipe(
    name: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--config", str(name), "--print_config"])
    assert stopped.value.code == 0
    resolved = yaml.safe_load(capsys.readouterr().out)
    assert resolved["name"] == name.stem
    assert resolved["model"]["backbone"]["init_args"]["normalize_output"] is True


@pytest.mark.parametrize("name", ["demo", "rgbd_small"])
def test_the_small_recipes_have_adamws_own_weight_decay(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--config", f"{REPOSITORY}/configs/pretrain/{name}.yaml", "--print_config"])
    optimizer = yaml.safe_load(capsys.readouterr().out)["model"]["optimizer"]
    assert optimizer["class_path"] == "torch.optim.AdamW"
    assert optimizer["init_args"]["weight_decay"] == 0.01


def test_the_authors_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    recipes = {}
    for name in ("scannet_infonce", "scannet_hardest"):
        with pytest.raises(SystemExit):
            main(["--config", f"{REPOSITORY}/configs/pretrain/{name}.yaml", "--print_config"])
        recipes[name] = yaml.safe_load(capsys.readouterr().out)
    for recipe in recipes.values():
        assert recipe["trainer"]["max_steps"] == 60_000
        assert recipe["trainer"]["devices"] * recipe["data"]["batch_size"] == 32
        assert recipe["data"]["voxel_size"] == 0.025
        assert recipe["data"]["features"] == ["ones"]
        assert recipe["data"]["feature_noise"] == 0.01
        assert recipe["data"]["rotation"] == "free"
        assert recipe["data"]["match_radius"] == 1.5
        assert recipe["model"]["backbone"]["init_args"]["variant"] == "34C"
        assert recipe["model"]["backbone"]["init_args"]["batch_norm_momentum"] == 0.05
    infonce, hardest = (recipes[n]["model"] for n in ("scannet_infonce", "scannet_hardest"))
    assert infonce["loss"]["init_args"]["temperature"] == 0.4
    assert infonce["loss"]["init_args"]["num_positives"] == 4096
    assert hardest["optimizer"]["init_args"]["lr"] == 0.1
    assert hardest["optimizer"]["init_args"]["momentum"] == 0.8
    assert hardest["loss"]["init_args"]["num_negatives_per_pair"] == 256
    assert infonce["optimizer"]["class_path"] == "torch.optim.SGD"
    released = infonce["optimizer"]["init_args"]
    assert {name: released[name] for name in ("lr", "momentum", "weight_decay")} == {
        "lr": 0.05,
        "momentum": 0.8,
        "weight_decay": 1e-4,
    }
