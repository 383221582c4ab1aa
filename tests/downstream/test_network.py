from __future__ import annotations

import pytest
import torch

from downstream.heads import LinearHead
from downstream.network import Network
from downstream.types import LabelledBatch
from pointcontrast.backbones import Backbone, Res16UNet
from pointcontrast.errors import InputError
from tests.helpers.plain_batch import plain_batch


def batch() -> LabelledBatch:
    generator = torch.Generator().manual_seed(0)
    coordinates = torch.randint(0, 20, (300, 4), generator=generator)
    coordinates[:, 0] = 0
    coordinates = torch.unique(coordinates, dim=0).int()
    return plain_batch(coordinates, torch.randn(len(coordinates), 3, generator=generator))


def network(mode: str) -> Network:
    torch.manual_seed(0)
    backbone = Res16UNet(3, None, "14A", engine="native", width=0.25)
    return Network(backbone, LinearHead(backbone.level_channels, 4), mode)


def changed_by_a_step(mode: str) -> set[str]:
    """The weights and statistics that one step of training changes."""
    made = network(mode)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    trained = [p for p in made.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    made.train()
    made(batch()).square().mean().backward()
    optimizer.step()
    after = made.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def test_full_trains_everything() -> None:
    changed = changed_by_a_step("full")
    assert {name.split(".")[1] for name in changed if name.startswith("backbone.")} == {
        name for name, _ in network("full").backbone.named_children()
    }
    assert any(name.startswith("head.") for name in changed)


def test_decoder_leaves_the_encoder_alone() -> None:
    changed = {name.split(".")[1] for name in changed_by_a_step("decoder")}
    decoder = {"linear"}
    for level in range(4, 8):
        decoder |= {f"convtr{level}p{2 ** (8 - level)}s2", f"bntr{level}", f"block{level + 1}"}
    assert changed == decoder


def test_linear_trains_the_head_alone() -> None:
    assert changed_by_a_step("linear") == {"head.linear.weight", "head.linear.bias"}


def test_encoder_and_decoder_are_the_whole_network() -> None:
    backbone = network("full").backbone
    encoder = {id(p) for module in backbone.encoder_modules() for p in module.parameters()}
    everything = {id(p) for p in backbone.parameters()}
    assert encoder < everything


def test_an_output_layer_is_refused() -> None:
    backbone = Res16UNet(3, 32, "14A", engine="native", width=0.25)
    with pytest.raises(InputError, match="out_channels must be null, got 32"):
        Network(backbone, LinearHead(backbone.level_channels, 4))


def test_bad_modes_are_named() -> None:
    with pytest.raises(InputError, match="mode 'half' must be full, decoder or linear"):
        network("half")


def test_a_backbone_that_knows_no_encoder_says_so() -> None:
    class OneLayer(Backbone):
        def __init__(self) -> None:
            super().__init__(3, None, "native")
            self.num_features = 8
            self.stem = self.engine.Convolution(3, 8, kernel_size=3)

        def forward_levels(self, x):
            return [self.stem(x)]

    backbone = OneLayer()
    assert (
        Network(backbone, LinearHead(backbone.level_channels, 4), "linear")(batch()).shape[1] == 4
    )
    with pytest.raises(InputError, match="OneLayer does not say which layers are its encoder"):
        Network(backbone, LinearHead(backbone.level_channels, 4), "decoder")
