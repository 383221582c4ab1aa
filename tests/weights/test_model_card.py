from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from pointcontrast.backbones import Res16UNet
from pointcontrast.data.network_input import FeatureName, NetworkInput
from pointcontrast.files import sha256
from pointcontrast.weights.backbone_file import save_backbone
from pointcontrast.weights.convert_cli import main
from pointcontrast.weights.model_card import card_path, read_card_hash
from tests.helpers.authors_weights import in_hybrid_order, write_checkpoint
from tests.helpers.small_backbones import trained_like

INPUT = NetworkInput(0.05, ("color",), "vertical", 0.05, 0.4)
CONFIG = """
data: {root: data/rooms, batch_size: 4}
model:
  loss: {class_path: pointcontrast.losses.PointInfoNCE, init_args: {temperature: 0.1}}
trainer: {max_steps: 250}
"""


def front_matter(card: str) -> dict:
    _, head, _ = card.split("---\n", 2)
    return yaml.safe_load(head)


def code(card: str) -> str:
    (block,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    return block


def saved(folder: Path) -> tuple[Path, str]:
    path = folder / "backbone.safetensors"
    provenance = {
        "config": CONFIG,
        "step": 250,
        "commit": "abc",
        "scores_before": {"top1_accuracy": 0.002, "effective_rank": 3.0},
        "scores": {
            "top1_accuracy": 0.0575,
            "inlier_ratio": 0.25,
            "inlier_distance": 0.2,
            "effective_rank": 12.5,
        },
    }
    save_backbone(path, trained_like(), INPUT, provenance)
    return path, card_path(path).read_text(encoding="utf-8")


def test_the_card_says_what_the_file_is(tmp_path: Path) -> None:
    path, card = saved(tmp_path)
    head = front_matter(card)
    assert head["sha256"] == sha256(path) == read_card_hash(card, "card")
    assert {"library_name", "tags", "license", "license_name"} <= set(head)
    for line in (
        f"| SHA-256 | `{sha256(path)}` |",
        f"| parameters | {sum(p.numel() for p in trained_like().parameters()):,} |",
        "| variant | 14A |",
        "| voxel size | 0.05 m |",
        "| features | color |",
        "| rotation in training | vertical |",
        "| step | 250 |",
        "| data.root | data/rooms |",
        "| trainer.max_steps | 250 |",
        "| top-1 match accuracy | 0.0020 | 0.0575 |",
        "| inlier ratio (0.2 m) |  | 0.2500 |",
        "| effective rank | 3.0000 | 12.5000 |",
    ):
        assert line in card
    assert "temperature: 0.1" in card
    assert "licence of the training data" in card


def test_its_three_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, card = saved(tmp_path)
    lines = code(card)
    assert len(lines.splitlines()) == 3
    assert lines.splitlines()[0] == "import pointcontrast"
    monkeypatch.chdir(tmp_path)
    points = np.random.default_rng(0).uniform(size=(200, 3))
    names = {"points": points, "colors": points}
    exec(lines, names)
    assert names["features"].shape == (200, 8)


@pytest.mark.parametrize(
    ("features", "call"),
    [
        (("ones",), "network(points)"),
        (("color", "normal"), "network(points, colors, normals=normals)"),
        (("normal",), "network(points, normals=normals)"),
        (("height",), "network(points)"),
    ],
)
def test_the_lines_pass_what_the_network_needs(
    features: tuple[FeatureName, ...], call: str, tmp_path: Path
) -> None:
    network_input = NetworkInput(0.05, features)
    path = tmp_path / "b.safetensors"
    save_backbone(path, Res16UNet(network_input.in_channels, 8, "14A"), network_input, {})
    card = card_path(path).read_text(encoding="utf-8")
    assert f"features = {call}  # " in code(card)


def test_the_lines_of_a_network_in_space_and_time_run(tmp_path: Path) -> None:
    path = tmp_path / "b.safetensors"
    backbone = Res16UNet(3, 8, "14A", engine="native", width=0.25, dimension=4)
    save_backbone(path, backbone, INPUT, {})
    card = card_path(path).read_text(encoding="utf-8")
    coordinates = torch.tensor([[0, 1, 2, 3, 0], [0, 1, 2, 3, 1]], dtype=torch.int32)
    names = {"coordinates": coordinates, "inputs": torch.ones(2, 3)}
    exec(code(card).replace('"b.safetensors"', repr(str(path))), names)
    assert names["features"].shape == (2, 8)


def test_a_new_export_has_a_new_hash(tmp_path: Path) -> None:
    path, card = saved(tmp_path)
    save_backbone(path, trained_like(seed=1), INPUT, {})
    again = card_path(path).read_text(encoding="utf-8")
    assert front_matter(again)["sha256"] == sha256(path) != front_matter(card)["sha256"]
    assert "## Metrics" not in again
    assert "## Data and recipe" not in again


def test_converted_weights_name_their_source(tmp_path: Path) -> None:
    state = in_hybrid_order(trained_like().state_dict())
    write_checkpoint(tmp_path / "nce.pth", "PointContrast", state, legacy=True)
    output = tmp_path / "nce.safetensors"
    assert main([str(tmp_path / "nce.pth"), "--output", str(output)]) == 0
    card = card_path(output).read_text(encoding="utf-8")
    assert front_matter(card)["sha256"] == sha256(output)
    for line in (
        "| file | nce.pth |",
        f"| sha256 | {sha256(tmp_path / 'nce.pth')} |",
        "| program | PointContrast pretraining |",
        "| kernel_order | hybrid |",
    ):
        assert line in card
    lines = code(card).replace('"nce.safetensors"', repr(str(output)))
    exec(lines, {"points": np.random.default_rng(0).uniform(size=(200, 3))})
