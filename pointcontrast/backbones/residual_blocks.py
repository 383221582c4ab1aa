"""The residual blocks of the SR-UNet.

Source: facebookresearch/PointContrast (commit 47e8682) ``pretrain/pointcontrast/model/resnet.py``
and ``model/modules/resnet_block.py``.
"""

from __future__ import annotations

from typing import ClassVar, cast

from torch import nn

from pointcontrast.sparse import BatchNorm, Engine, KernelRegion, SparseTensor

BLOCK_BATCH_NORM_MOMENTUM = 0.1
"""Not configurable, as in the original (see :mod:`.res16unet`)."""


class BasicBlock(nn.Module):
    """Two 3x3x3 convolutions and a shortcut."""

    expansion: ClassVar[int] = 1

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
        """Build the block.

        Args:
            engine: Engine of the layers.
            in_channels: Channels of the input.
            planes: Channels within the block; the output has ``expansion`` times as many.
            dimension: Dimensions of the convolutions, 3 or 4.
            region: Shape of the kernels wider than 1.
            shortcut_momentum: Momentum of the shortcut's batch norm; that of the others is
                ``BLOCK_BATCH_NORM_MOMENTUM``.
            eps: Constant added to the variances.
        """
        super().__init__()
        wide = {"kernel_size": 3, "dimension": dimension, "region": region}
        norm = {"momentum": BLOCK_BATCH_NORM_MOMENTUM, "eps": eps}
        self.conv1 = engine.Convolution(in_channels, planes, **wide)
        self.norm1 = engine.BatchNorm(planes, **norm)
        self.conv2 = engine.Convolution(planes, planes, **wide)
        self.norm2 = engine.BatchNorm(planes, **norm)
        self.downsample = _shortcut(engine, in_channels, planes, dimension, shortcut_momentum, eps)

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Return relu(residual(x) + shortcut(x))."""
        shortcut = _apply_shortcut(self.downsample, x)
        x = self.norm1.after(self.conv1, x, rectify=True)
        return self.norm2.after(self.conv2, x, shortcut, rectify=True)


class BottleneckBlock(nn.Module):
    """Convolutions of 1x1x1, 3x3x3 and 1x1x1, the last to four times the channels; a shortcut."""

    expansion: ClassVar[int] = 4

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
        """Build the block; arguments as in :class:`BasicBlock`."""
        super().__init__()
        out_channels = planes * self.expansion
        norm = {"momentum": BLOCK_BATCH_NORM_MOMENTUM, "eps": eps}
        self.conv1 = engine.Convolution(in_channels, planes, kernel_size=1, dimension=dimension)
        self.norm1 = engine.BatchNorm(planes, **norm)
        self.conv2 = engine.Convolution(
            planes, planes, kernel_size=3, dimension=dimension, region=region
        )
        self.norm2 = engine.BatchNorm(planes, **norm)
        self.conv3 = engine.Convolution(planes, out_channels, kernel_size=1, dimension=dimension)
        self.norm3 = engine.BatchNorm(out_channels, **norm)
        self.downsample = _shortcut(
            engine, in_channels, out_channels, dimension, shortcut_momentum, eps
        )

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Return relu(residual(x) + shortcut(x))."""
        shortcut = _apply_shortcut(self.downsample, x)
        x = self.norm1.after(self.conv1, x, rectify=True)
        x = self.norm2.after(self.conv2, x, rectify=True)
        return self.norm3.after(self.conv3, x, shortcut, rectify=True)


def _shortcut(
    engine: Engine,
    in_channels: int,
    out_channels: int,
    dimension: int,
    momentum: float,
    eps: float,
) -> nn.Sequential | None:
    """1x1x1 convolution and batch norm if the channels change; None is the identity."""
    if in_channels == out_channels:
        return None
    return nn.Sequential(
        engine.Convolution(in_channels, out_channels, kernel_size=1, dimension=dimension),
        engine.BatchNorm(out_channels, momentum=momentum, eps=eps),
    )


def _apply_shortcut(layers: nn.Sequential | None, x: SparseTensor) -> SparseTensor:
    if layers is None:
        return x
    convolution, norm = layers.children()
    return cast(BatchNorm, norm).after(convolution, x)
