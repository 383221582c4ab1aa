"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from conftest import REPOSITORY

from pointcontrast.backbones import Res16UNet
from pointcontrast.checkpoint import save_backbone
from pointcontrast.network_input import NetworkInput

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
