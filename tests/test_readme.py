"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from downstream.benchmarks import LabelledScenes
from pointcontrast.backbones import Res16UNet
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.weights.backbone_file import save_backbone
from tests.helpers.fork_server import output_of
from tests.helpers.repository import REPOSITORY

README = (REPOSITORY / "README.md").read_text()


def test_the_network_is_used_as_shown(prepared: Path, tmp_path: Path) -> None:
    backbone = Res16UNet(3, 32, "14A", engine="native", width=0.25)
    save_backbone(tmp_path / "backbone.safetensors", backbone, NetworkInput(0.1, ("color",)), {})
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    scene = next(path.parent for path in prepared.rglob("meta.json"))
    code = code.replace('"RUN"', repr(str(tmp_path))).replace('"data/mine/SCENE"', repr(str(scene)))
    names: dict[str, torch.Tensor] = {}
    exec(code, names)
    assert names["features"].shape == (len(names["points"]), 32)
    assert len(names["points"]) > 100


def test_files_and_configurations_that_are_named_are_there() -> None:
    named = re.findall(r"\]\(((?!http)[^)#]+)", README) + re.findall(
        r"(?:tools|configs)/[\w/.]+", README
    )
    assert len(named) > 8
    for path in named:
        assert (REPOSITORY / path).exists(), path
    for config in (REPOSITORY / "configs").glob("*/*.yaml"):
        assert f"`{config.stem}`" in README, config


DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "datasets/README.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_that_a_document_names_is_there(document: Path) -> None:
    """By its whole path, or as the one in `pointcontrast/` or `downstream/` that is spoken of."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for path in re.findall(r"`((?:pointcontrast|downstream|tests|tools|configs)/[\w/.]+)`", text):
        assert (REPOSITORY / path).exists(), path
    if document.name == "CONTRIBUTING.md":
        named = re.findall(r"`([\w/]+(?:\.py|/))`", text)
        assert len(named) > 30
        for path in named:
            folders = (REPOSITORY, REPOSITORY / "pointcontrast", REPOSITORY / "downstream")
            assert any((folder / path).exists() for folder in folders), path


def test_own_scenes_are_written_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("points.npy", rng.random((100, 3)))
    np.save("colors.npy", rng.integers(0, 256, (100, 3)))
    np.save("labels.npy", rng.integers(-1, 3, 100))
    (code,) = re.findall(
        r"```python\n(.*?)```", (REPOSITORY / "datasets" / "README.md").read_text(), re.DOTALL
    )
    exec(code, {})
    benchmark = LabelledScenes("data/mine_labelled")
    assert benchmark.class_names == ("wall", "floor", "robot")
    assert len(benchmark.read("room_1")) == 100


def test_commands_of_the_datasets_parse() -> None:
    """Every script and module that the datasets' README calls has the options it is shown with."""
    text = (REPOSITORY / "datasets" / "README.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"^python (datasets/\w+\.py|-m [\w.]+)(.*)$", text, re.MULTILINE)
    assert len(commands) > 15
    for program, rest in commands:
        words = program.split() if program.startswith("-m") else [str(REPOSITORY / program)]
        options = {word for word in rest.split() if word.startswith("--")}
        subcommand = [word for word in rest.split()[:1] if word.isidentifier()]
        if program.startswith("datasets/scannet") and subcommand == ["pairs"]:
            continue  # its further options are those of tools/prepare_pairs.py
        command = [*words, *(subcommand if "datasets/" in program else [])]
        shown = output_of([*command, "--help"], cwd=REPOSITORY)
        for option in options:
            assert option in shown, (program, option)
