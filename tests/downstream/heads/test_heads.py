from __future__ import annotations

import math

import pytest
import torch

from downstream.heads import HierarchicalHead, LinearHead, PoolingHead
from downstream.heads.classification import pooled
from downstream.heads.segmentation import rows_of_cells
from pointcontrast.backbones import Res16UNet
from pointcontrast.errors import InputError
from pointcontrast.sparse import EngineName
from tests.helpers.plain_batch import plain_batch

ENGINES: list[EngineName] = ["native", "minkowski"]


def cloud(seed: int, dimension: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    coordinates = torch.randint(-17, 30, (500, 1 + dimension), generator=generator)
    coordinates[:, 0] %= 3
    coordinates = torch.unique(coordinates, dim=0).int()
    coordinates = coordinates[torch.randperm(len(coordinates), generator=generator)]
    return coordinates, torch.randn(len(coordinates), 3, generator=generator)


def small_backbone(engine: EngineName, dimension: int = 3) -> Res16UNet:
    torch.manual_seed(0)
    return Res16UNet(3, None, "14A", engine=engine, width=0.25, dimension=dimension).eval()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dimension", [3, 4])
def test_a_voxel_takes_the_cell_it_lies_in(engine: EngineName, dimension: int) -> None:
    backbone = small_backbone(engine, dimension)
    coordinates, features = cloud(0, dimension)
    levels = backbone.forward_levels(backbone.engine.sparse_tensor(coordinates, features))
    for level in levels:
        rows = rows_of_cells(levels[-1].coordinates, level.coordinates, level.stride)
        oracle = {tuple(cell): row for row, cell in enumerate(level.coordinates.tolist())}
        for voxel, row in zip(levels[-1].coordinates.tolist(), rows.tolist(), strict=True):
            cell = [
                place
                if axis == 0
                else math.floor(place / level.stride[axis - 1]) * level.stride[axis - 1]
                for axis, place in enumerate(voxel)
            ]
            assert row == oracle[tuple(cell)]


@pytest.mark.parametrize("engine", ENGINES)
def test_hierarchical_head_is_linear_in_all_levels(engine: EngineName) -> None:
    backbone = small_backbone(engine)
    coordinates, features = cloud(1)
    levels = backbone.forward_levels(backbone.engine.sparse_tensor(coordinates, features))
    head = HierarchicalHead(backbone.level_channels, 5)
    logits = head(levels, plain_batch(coordinates, features, 3))
    voxel = 123
    parts = []
    for level in levels:
        stride = torch.tensor([1, *level.stride])
        wanted = torch.div(levels[-1].coordinates[voxel], stride, rounding_mode="floor") * stride
        row = (level.coordinates == wanted).all(dim=1).nonzero()
        assert row.shape == (1, 1)
        parts.append(level.features[row[0, 0]])
    torch.testing.assert_close(logits[voxel], head.linear(torch.cat(parts)))


def test_linear_head_is_the_output_layer_of_the_original() -> None:
    backbone = small_backbone("native")
    coordinates, features = cloud(2)
    levels = backbone.forward_levels(backbone.engine.sparse_tensor(coordinates, features))
    head = LinearHead(backbone.level_channels, 7)
    bound = 1 / math.sqrt(backbone.num_features)
    assert head.linear.weight.abs().max() <= bound
    assert head.linear.weight.abs().max() > 0.9 * bound
    convolution = backbone.engine.Convolution(backbone.num_features, 7, kernel_size=1, bias=True)
    with torch.no_grad():
        convolution.kernel.copy_(head.linear.weight.T)
        convolution.bias.copy_(head.linear.bias[None])
    torch.testing.assert_close(
        head(levels, plain_batch(coordinates, features, 3)), convolution(levels[-1]).features
    )


def test_pooling_is_the_mean_and_the_maximum_of_each_cloud() -> None:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(40, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    samples = torch.randint(0, 4, (40,), generator=generator)
    expected = torch.stack(
        [
            torch.cat([features[samples == b].mean(0), features[samples == b].amax(0)])
            for b in range(4)
        ]
    )
    torch.testing.assert_close(pooled(features, samples, 4), expected)
    assert torch.autograd.gradcheck(lambda x: pooled(x, samples, 4), (features,))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("level", ["encoder", "decoder"])
def test_a_cloud_is_classified_alone_as_in_a_batch(engine: EngineName, level: str) -> None:
    backbone = small_backbone(engine)
    head = PoolingHead(backbone.level_channels, 4, level=level).eval()
    coordinates, features = cloud(4)
    levels = backbone.forward_levels(backbone.engine.sparse_tensor(coordinates, features))
    together = head(levels, plain_batch(coordinates, features, 3))
    assert together.shape == (3, 4)
    for sample in range(3):
        rows = coordinates[:, 0] == sample
        alone = coordinates[rows].clone()
        alone[:, 0] = 0
        x = backbone.engine.sparse_tensor(alone, features[rows])
        found = head(backbone.forward_levels(x), plain_batch(alone, features[rows]))[0]
        torch.testing.assert_close(found, together[sample], rtol=1e-4, atol=1e-5)


def test_bad_values_are_named() -> None:
    with pytest.raises(InputError, match="'middle' must be encoder or decoder"):
        PoolingHead([8, 8], 4, level="middle")
    with pytest.raises(InputError, match=r"dropout 1.0"):
        PoolingHead([8, 8], 4, dropout=1.0)
