from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from downstream.initialization import load_into_backbone
from pointcontrast.backbones import Backbone, Res16UNet
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.sparse import EngineName
from pointcontrast.weights.backbone_file import save_backbone
from tests.helpers.authors_weights import in_hybrid_order, with_strong_centres, write_authors_file

INPUT = NetworkInput(voxel_size=0.05, features=("color",))


def network(seed: int, out_channels: int | None = None, **arguments) -> Res16UNet:
    torch.manual_seed(seed)
    given = {"in_channels": 3, "variant": "14A", "width": 0.25, "engine": "native"} | arguments
    return Res16UNet(out_channels=out_channels, **given)


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    path = tmp_path / "backbone.safetensors"
    save_backbone(path, network(0, 32), INPUT, {})
    return path


def assert_same(backbone: Backbone, source: Backbone) -> None:
    for name, tensor in backbone.state_dict().items():
        torch.testing.assert_close(tensor, source.state_dict()[name], rtol=0, atol=0)


@pytest.mark.parametrize("engine", ["native", "minkowski"])
def test_all_but_the_output_layer_is_loaded(pretrained: Path, engine: EngineName) -> None:
    backbone = network(1, engine=engine)
    report = load_into_backbone(backbone, pretrained, network_input=INPUT)
    assert_same(backbone, network(0, 32))
    assert report.num_loaded == len(backbone.state_dict())
    assert set(report.dropped) == {"final.bias", "final.kernel"}
    assert f"loaded: {report.num_loaded} entries, all" in str(report)
    assert "final.kernel" in str(report)


def test_an_output_layer_of_the_same_shape_is_left_out_too(pretrained: Path) -> None:
    backbone = network(1, 32)  # a benchmark with 32 classes
    load_into_backbone(backbone, pretrained, network_input=INPUT)
    fresh = network(1, 32)
    torch.testing.assert_close(backbone.final.kernel, fresh.final.kernel, rtol=0, atol=0)
    torch.testing.assert_close(backbone.bn0.bn.weight, network(0, 32).bn0.bn.weight, rtol=0, atol=0)


def test_the_authors_files_load(tmp_path: Path) -> None:
    source = with_strong_centres(network(0, 32))
    write_authors_file(tmp_path / "w.pth", in_hybrid_order(source.state_dict()))
    backbone = network(1)
    report = load_into_backbone(backbone, tmp_path / "w.pth", network_input=INPUT)
    assert_same(backbone, source)
    assert report.source["kernel_order"] == "hybrid"
    assert report.not_recorded == ("voxel_size", "features")
    assert "not recorded in the file: voxel_size, features" in str(report)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "18A"}, "variant 14A, the run has 18A; set model.backbone.init_args.variant"),
        ({"width": 0.5}, "width 0.25, the run has 0.5"),
        ({"in_channels": 4}, "in_channels 3, the run has 4; set data.features"),
        ({"stem_kernel_size": 5}, "stem_kernel_size 3, the run has 5"),
    ],
)
def test_another_network_is_refused(pretrained: Path, arguments: dict, message: str) -> None:
    backbone = network(1, **arguments)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    with pytest.raises(InputError, match=re.escape(message)):
        load_into_backbone(backbone, pretrained, network_input=INPUT)
    for name, tensor in backbone.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "18A"}, r"another network .*entries are not there, such as block1\.1"),
        ({"width": 0.5}, r"another network .*is \(27, 3, 8\) there and \(27, 3, 16\) here"),
        ({"in_channels": 4}, "in_channels 3, the run has 4"),
    ],
)
def test_another_network_in_a_foreign_file_is_refused(
    tmp_path: Path, arguments: dict, message: str
) -> None:
    write_authors_file(
        tmp_path / "w.pth", in_hybrid_order(with_strong_centres(network(0, 32)).state_dict())
    )
    with pytest.raises(InputError, match=message):
        load_into_backbone(network(1, **arguments), tmp_path / "w.pth", network_input=INPUT)


@pytest.mark.parametrize(
    ("here", "name", "message"),
    [
        (NetworkInput(voxel_size=0.02, features=("color",)), "voxel_size",
         "voxel_size 0.05 in pretraining, 0.02 here"),
        (NetworkInput(voxel_size=0.05, features=("ones",)), "features",
         "features color in pretraining, ones here"),
    ],
)  # fmt: skip
def test_another_input_is_refused_unless_accepted(
    pretrained: Path, here: NetworkInput, name: str, message: str
) -> None:
    expected = f"{message}; set data.{name} as it was, or add {name} to model.accept_differences"
    with pytest.raises(InputError, match=re.escape(expected)):
        load_into_backbone(network(1), pretrained, network_input=here)
    report = load_into_backbone(
        network(1), pretrained, network_input=here, accept_differences=[name]
    )
    assert report.differences == (message,)
    assert f"accepted: {message}" in str(report)


def test_unknown_differences_are_named(pretrained: Path) -> None:
    with pytest.raises(InputError, match="accept_differences names 'width'"):
        load_into_backbone(
            network(1), pretrained, network_input=INPUT, accept_differences=["width"]
        )


def test_an_older_file_means_the_defaults_that_it_does_not_name(tmp_path: Path) -> None:
    source = network(0)
    del source.arguments["batch_norm_eps"], source.arguments["widen_at"]
    save_backbone(tmp_path / "old.safetensors", source, INPUT, {})
    backbone = network(1)
    load_into_backbone(backbone, tmp_path / "old.safetensors", network_input=INPUT)
    assert_same(backbone, source)
    with pytest.raises(InputError, match=r"with batch_norm_eps 1e-05, the run has 0\.001"):
        load_into_backbone(
            network(1, batch_norm_eps=1e-3), tmp_path / "old.safetensors", network_input=INPUT
        )
