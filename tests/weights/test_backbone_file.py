from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pointcontrast.backbones import Res16UNet
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.weights.backbone_file import load_backbone, read_weights, save_backbone

INPUT = NetworkInput(0.05, ("color", "height"), "vertical", 0.05, 1.0)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    backbone = Res16UNet(4, 8, "14A", engine="native", width=0.25, normalize_output=True)
    save_backbone(tmp_path / "b.safetensors", backbone, INPUT, {"step": 3})
    return tmp_path / "b.safetensors"


def rewrite(path: Path, **changes: str) -> None:
    with safe_open(path, framework="pt") as file:
        header = dict(file.metadata())
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(weights, path, metadata=header | changes)


@pytest.mark.parametrize("engine", ["native", "minkowski"])
def test_comes_back_on_both_engines_with_the_same_features(saved: Path, engine: str) -> None:
    torch.manual_seed(0)
    original = Res16UNet(4, 8, "14A", engine="native", width=0.25, normalize_output=True).eval()
    backbone, metadata = load_backbone(saved, engine=engine)
    assert not backbone.training
    assert engine == backbone.engine.NAME
    assert metadata.network_input == INPUT
    assert metadata.provenance == {"step": 3}
    coordinates = torch.unique(torch.randint(0, 12, (500, 3)), dim=0).int()
    coordinates = torch.cat([torch.zeros_like(coordinates[:, :1]), coordinates], dim=1)
    features = torch.randn(len(coordinates), 4)
    with torch.no_grad():
        torch.testing.assert_close(
            backbone.encode(coordinates, features),
            original.encode(coordinates, features),
            rtol=1e-4,
            atol=1e-5,
        )


def test_paths_may_be_strings(saved: Path, tmp_path: Path) -> None:
    backbone, metadata = load_backbone(str(saved), engine="native")
    save_backbone(f"{tmp_path}/again.safetensors", backbone, metadata.network_input, {"step": 3})
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()
    assert read_weights(str(saved)).metadata == metadata


def test_header_is_plain_and_holds_no_engine(saved: Path) -> None:
    with safe_open(saved, framework="pt") as file:
        header = file.metadata()
    value = json.loads(header["backbone"])
    assert header["layout"] == "minkowski-0.5"
    assert value["class"] == "pointcontrast.backbones.res16unet.Res16UNet"
    assert "engine" not in value["arguments"]


def test_damage_is_named(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    for size in (0, 5, len(whole) // 2):
        broken = tmp_path / f"broken{size}.safetensors"
        broken.write_bytes(whole[:size])
        with pytest.raises(InputError, match=broken.name):
            read_weights(broken)
    with pytest.raises(InputError, match="does not exist"):
        read_weights(tmp_path / "nothing.safetensors")


def test_a_run_folder_or_a_resume_file_in_its_place(saved: Path) -> None:
    named = saved.rename(saved.with_name("backbone.safetensors"))
    assert read_weights(named.parent).metadata.provenance == {"step": 3}
    with pytest.raises(InputError, match=r"give the \.safetensors file next to it"):
        read_weights(named.parent / "last.ckpt")


def test_foreign_and_newer_files_are_refused(saved: Path, tmp_path: Path) -> None:
    save_file({"w": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="not a backbone"):
        read_weights(tmp_path / "foreign.safetensors")
    with safe_open(saved, framework="pt") as file:
        value = json.loads(file.metadata()["backbone"])
    value["arguments"]["attention"] = True
    rewrite(saved, backbone=json.dumps(value))
    with pytest.raises(InputError, match="has the argument attention, which this version does not"):
        load_backbone(saved)
    for version in ("99", "two"):
        rewrite(saved, format_version=version)
        with pytest.raises(InputError, match=f"version {version}"):
            read_weights(saved)


def test_missing_weights_are_an_error(saved: Path) -> None:
    with safe_open(saved, framework="pt") as file:
        header = dict(file.metadata())
        weights = {n: file.get_tensor(n) for n in file.keys() if n != "final.bias"}  # noqa: SIM118
    save_file(weights, saved, metadata=header)
    with pytest.raises(InputError, match=r"final\.bias"):
        load_backbone(saved)


def test_a_file_cannot_make_us_import_what_it_likes(saved: Path) -> None:
    with safe_open(saved, framework="pt") as file:
        value = json.loads(file.metadata()["backbone"])
    for path in ("antigravity.Backbone", "os.system", "pointcontrast.weights.backbone_file.Path"):
        rewrite(saved, backbone=json.dumps(value | {"class": path}))
        with pytest.raises(InputError, match="unknown"):
            load_backbone(saved)


def test_the_same_weights_are_the_same_bytes(saved: Path) -> None:
    first = saved.read_bytes()
    backbone, metadata = load_backbone(saved, engine="native")
    for _ in range(5):  # the library's own order of keys is random
        save_backbone(saved, backbone, metadata.network_input, metadata.provenance)
        assert saved.read_bytes() == first
