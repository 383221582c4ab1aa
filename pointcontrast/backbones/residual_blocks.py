"""The residual blocks of the SR-UNet.

Source: facebookresearch/PointContrast (commit 47e8682) ``pretrain/pointcontrast/model/resnet.py``
and ``model/modules/resnet_block.py``.
"""

from __future__ import annotations

from typing import cast

from torch import nn

from pointcontrast.sparse import BatchNorm, Engine, KernelRegion, SparseTensor

BLOCK_BATCH_NORM_MOMENTUM = 0.1
"""Whatever the configuration says, as in the original (see :mod:`.res16unet`)."""


class ResidualBlock(nn.Module):
    """A shortcut around some layers; the shortcut has a 1x1 convolution where channels change."""

    expansion: int

    def __init__(
        self,
        engine: Engine,
        in_channels: int,
        planes: int,
        *,
        dimension: int,
        region: KernelRegion,
        shortcut_momentum: float,
        eps: float = 1e-5,
    ) -> None:
        """Make the block.

        Args:
            engine: whose layers it is made of.
            in_channels: channels that come in.
            planes: channels inside; ``expansion`` times as many leave.
            dimension: of the convolutions, 3 or 4.
            region: of the kernels wider than 1.
            shortcut_momentum: of batch norm on the shortcut; the rest keeps
                ``BLOCK_BATCH_NORM_MOMENTUM``.
            eps: of every batch norm.
        """
        super().__init__()
        out_channels = planes * self.expansion
        self._add_layers(engine, in_channels, planes, dimension, region, eps)
        self.downsample = (
            None
            if in_channels == out_channels
            else nn.Sequential(
                engine.Convolution(in_channels, out_channels, kernel_size=1, dimension=dimension),
                engine.BatchNorm(out_channels, momentum=shortcut_momentum, eps=eps),
            )
        )

    def _add_layers(
        self,
        engine: Engine,
        in_channels: int,
        planes: int,
        dimension: int,
        region: KernelRegion,
        eps: float,
    ) -> None:
        raise NotImplementedError

    def _finish(self, x: SparseTensor, shortcut: SparseTensor) -> SparseTensor:
        """relu(residual(x) + shortcut)."""
        raise NotImplementedError

    def forward(self, x: SparseTensor) -> SparseTensor:
        """relu(residual(x) + shortcut(x))."""
        if self.downsample is None:
            return self._finish(x, x)
        convolution, norm = self.downsample.children()
        return self._finish(x, cast(BatchNorm, norm).after(convolution, x))


class BasicBlock(ResidualBlock):
    """Two 3x3x3 convolutions."""

    expansion = 1

    def _add_layers(
        self,
        engine: Engine,
        in_channels: int,
        planes: int,
        dimension: int,
        region: KernelRegion,
        eps: float,
    ) -> None:
        self.conv1 = engine.Convolution(
            in_channels, planes, kernel_size=3, dimension=dimension, region=region
        )
        self.norm1 = engine.BatchNorm(planes, momentum=BLOCK_BATCH_NORM_MOMENTUM, eps=eps)
        self.conv2 = engine.Convolution(
            planes, planes, kernel_size=3, dimension=dimension, region=region
        )
        self.norm2 = engine.BatchNorm(planes, momentum=BLOCK_BATCH_NORM_MOMENTUM, eps=eps)

    def _finish(self, x: SparseTensor, shortcut: SparseTensor) -> SparseTensor:
        x = self.norm1.after(self.conv1, x, rectify=True)
        return self.norm2.after(self.conv2, x, shortcut, rectify=True)


class BottleneckBlock(ResidualBlock):
    """1x1x1, 3x3x3, 1x1x1 to four times the channels."""

    expansion = 4

    def _add_layers(
        self,
        engine: Engine,
        in_channels: int,
        planes: int,
        dimension: int,
        region: KernelRegion,
        eps: float,
    ) -> None:
        out_channels = planes * self.expansion
        self.conv1 = engine.Convolution(in_channels, planes, kernel_size=1, dimension=dimension)
        self.norm1 = engine.BatchNorm(planes, momentum=BLOCK_BATCH_NORM_MOMENTUM, eps=eps)
        self.conv2 = engine.Convolution(
            planes, planes, kernel_size=3, dimension=dimension, region=region
        )
        self.norm2 = engine.BatchNorm(planes, momentum=BLOCK_BATCH_NORM_MOMENTUM, eps=eps)
        self.conv3 = engine.Convolution(planes, out_channels, kernel_size=1, dimension=dimension)
        self.norm3 = engine.BatchNorm(out_channels, momentum=BLOCK_BATCH_NORM_MOMENTUM, eps=eps)

    def _finish(self, x: SparseTensor, shortcut: SparseTensor) -> SparseTensor:
        x = self.norm1.after(self.conv1, x, rectify=True)
        x = self.norm2.after(self.conv2, x, rectify=True)
        return self.norm3.after(self.conv3, x, shortcut, rectify=True)
