"""Small SR-UNets as training leaves them, and a cloud for them."""

from __future__ import annotations

import torch
from torch import nn

from pointcontrast.backbones import Res16UNet
from pointcontrast.runs.batch_norm import measure_batch_norm
from tests.helpers.authors_weights import with_strong_centres


def trained_like(seed: int = 0, **arguments) -> Res16UNet:
    """A narrow network whose batch norms have statistics and whose kernels have centres."""
    torch.manual_seed(seed)
    given = {"in_channels": 3, "out_channels": 8, "variant": "14A", "width": 0.25} | arguments
    backbone = Res16UNet(**given, engine="native")
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    with_strong_centres(backbone)
    coordinates, _ = small_cloud(800, 24)
    features = torch.randn(len(coordinates), backbone.in_channels)
    measure_batch_norm(backbone, [lambda: backbone.encode(coordinates, features)])
    return backbone.eval()


def small_cloud(num_voxels: int = 150, side: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates of two clouds, none below zero, and features."""
    generator = torch.Generator().manual_seed(1)
    coordinates = torch.randint(0, side, (num_voxels, 4), generator=generator)
    coordinates[:, 0] %= 2
    coordinates = torch.unique(coordinates, dim=0).int()
    return coordinates, torch.randn(len(coordinates), 3, generator=generator)


def assert_same_weights(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    """Bit for bit, and nothing more or less."""
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name
