"""The contract of :class:`Backbone`, on a network of one convolution."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from downstream.initialization import load_into_backbone
from pointcontrast.backbones import Backbone, Res16UNet
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.sparse import EngineName, SparseTensor
from pointcontrast.weights.backbone_file import load_backbone, save_backbone

INPUT = NetworkInput(voxel_size=0.05, features=("color",))


class OneLayer(Backbone):
    output_layer = "projection"
    input_layer = "stem"
    free_arguments = ("out_channels", "slope")

    def __init__(
        self,
        in_channels: int,
        out_channels: int | None,
        slope: float = 0.0,
        width: int = 8,
        *,
        engine: EngineName = "auto",
    ) -> None:
        super().__init__(in_channels, out_channels, engine, slope=slope, width=width)
        self.num_features = width
        self.stem = self.engine.Convolution(in_channels, width, kernel_size=3)
        if out_channels is not None:
            self.projection = self.engine.Convolution(width, out_channels, kernel_size=1, bias=True)

    def forward_levels(self, x: SparseTensor) -> list[SparseTensor]:
        return [self.stem(x)]


def cloud() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    voxels = torch.unique(torch.randint(0, 5, (60, 3), generator=generator), dim=0).int()
    coordinates = torch.nn.functional.pad(voxels, (1, 0))
    return coordinates, torch.randn(len(coordinates), 3, generator=generator)


@pytest.mark.parametrize("engine", ["native", "minkowski"])
def test_the_output_layer_is_found_by_its_name(engine: EngineName) -> None:
    torch.manual_seed(0)
    backbone = OneLayer(3, 5, engine=engine)
    coordinates, features = cloud()
    level = backbone.forward_levels(backbone.engine.sparse_tensor(coordinates, features))[-1]
    expected = level.features @ backbone.projection.kernel + backbone.projection.bias
    torch.testing.assert_close(backbone.encode(coordinates, features), expected)
    assert [name for name in backbone.state_dict() if backbone.is_output(name)] == [
        "projection.kernel",
        "projection.bias",
    ]


def test_without_output_channels_the_last_level_comes_out() -> None:
    backbone = OneLayer(3, None, engine="native")
    coordinates, features = cloud()
    level = backbone.stem(backbone.engine.sparse_tensor(coordinates, features))
    assert torch.equal(backbone.encode(coordinates, features), level.features)
    assert backbone.level_channels == [8]


def test_finetuning_leaves_the_named_output_layer_out(tmp_path: Path) -> None:
    pretrained = OneLayer(3, 5, slope=0.5, engine="native")
    save_backbone(tmp_path / "b.safetensors", pretrained, INPUT, {})
    backbone = OneLayer(3, None, engine="native")
    report = load_into_backbone(backbone, tmp_path / "b.safetensors", network_input=INPUT)
    assert set(report.dropped) == {"projection.kernel", "projection.bias"}
    assert torch.equal(backbone.stem.kernel, pretrained.stem.kernel)
    with pytest.raises(InputError, match="trained with width 8, the run has 16"):
        load_into_backbone(
            OneLayer(3, None, width=16, engine="native"),
            tmp_path / "b.safetensors",
            network_input=INPUT,
        )
    loaded, _ = load_backbone(tmp_path / "b.safetensors", "native")
    assert loaded.arguments == {"in_channels": 3, "out_channels": 5, "slope": 0.5, "width": 8}


def test_the_names_of_res16unet_are_those_of_its_files() -> None:
    backbone = Res16UNet(3, 5, "14A", engine="native", width=0.25)
    names = list(backbone.state_dict())
    assert names[0] == f"{Res16UNet.input_layer}.kernel" == "conv0p1s1.kernel"
    output = {name for name in names if Res16UNet.is_output(name)}
    assert output == {"final.kernel", "final.bias"}
