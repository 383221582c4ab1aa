"""The residual sparse U-Net of PointContrast (SR-UNet), after SpatioTemporalSegmentation.

Source: facebookresearch/PointContrast (commit 47e8682)
``pretrain/pointcontrast/model/res16unet.py`` and ``resnet.py``; the variants 14, 18, 50 and 101
are from chrischoy/SpatioTemporalSegmentation (commit 4afee29) ``models/res16unet.py``. The state
dict has the names and shapes of the authors' code.

Deliberate deviations:
    * Kernels are hypercubes. In three dimensions the authors' "hybrid" kernel has the same taps
      in another order (``convert_region_type`` in MinkowskiEngine v0.4.3
      ``MinkowskiEngine/Common.py``), which matters only when published weights are read. In four
      dimensions it is another kernel, here ``kernel_region: hybrid``.
    * The output layer of the bottleneck variants has ``PLANES[7] * expansion`` input channels, as
      many as the layer before it returns; in the original they do not match.

As in the original, batch norm in the residual blocks has momentum 0.1 whatever the configuration
says: the setting never reaches the blocks there, and the published weights were trained so.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, cast

from torch import nn

from pointcontrast.backbones.backbone import Backbone
from pointcontrast.backbones.res16unet_variants import VARIANTS, VariantName
from pointcontrast.backbones.residual_blocks import BasicBlock, BottleneckBlock
from pointcontrast.errors import InputError
from pointcontrast.sparse import (
    BatchNorm,
    EngineName,
    KernelRegion,
    SparseTensor,
    concatenate,
    normalize,
)

STEM_CHANNELS = 32

WidenAt = Literal["block", "stride"]
"""Layer of an encoder stage that increases the channels."""


class Res16UNet(Backbone):
    """A U-Net of five levels with residual blocks at each.

    With variant 34C, 3 input and 32 output channels: 37,847,808 parameters, 374 state-dict
    entries.
    """

    input_layer = "conv0p1s1"
    free_arguments = ("out_channels", "batch_norm_momentum", "normalize_output")

    def __init__(
        self,
        in_channels: int,
        out_channels: int | None,
        variant: VariantName = "34C",
        *,
        engine: EngineName = "auto",
        dimension: int = 3,
        stem_kernel_size: int = 3,
        kernel_region: KernelRegion = "hypercube",
        batch_norm_momentum: float = 0.05,
        normalize_output: bool = False,
        width: float = 1.0,
        checkpoint_activations: bool = False,
        widen_at: WidenAt = "block",
        batch_norm_eps: float = 1e-5,
    ) -> None:
        """Build the network, with weights from torch's global generator.

        Args:
            in_channels: Channels of the input features.
            out_channels: Channels of the output. None builds no output layer.
            variant: Depth (14, 18, 34, 50, 101) and letter of the table of channels.
            engine: ``auto``, ``native`` or ``minkowski``.
            dimension: 3, or 4 with time last. Time is never strided, and the stem and the strided
                layers have size 1 in time, as in the authors' 4D networks.
            stem_kernel_size: Kernel size of the first layer; 3 in pretraining, 5 in some published
                models.
            kernel_region: Kernel shape of the residual blocks. ``hybrid`` (native engine, 4D) is a
                cube in space and a cross in time.
            batch_norm_momentum: Weight of the newest batch, outside the residual blocks. 0.05 in
                the authors' pretraining, 0.02 in their finetuning.
            normalize_output: Whether to scale each output row to unit length, as in pretraining.
            width: Factor of all channels except the input's and the output's, rounded to multiples
                of 8, for small networks. Not in the original.
            checkpoint_activations: See :class:`Backbone`.
            widen_at: Layer of an encoder stage that increases the channels. ``block``: the first
                residual block, as in the original. ``stride``: the strided convolution before it,
                as in Pointcept's SpUNet (``spconv_unet_v1m1_base.py``), which can then load the
                weights unchanged (docs/weights.md). Not for variants 50 and 101.
            batch_norm_eps: Constant added to variances; 1e-5 in the original, 1e-3 in SpUNet.

        Raises:
            InputError: The engine is unknown or missing, or does not support the kernel region;
                the variant is unknown, or a value is out of range.
            ValueError: No engine supports the kernel size or region.
        """
        super().__init__(
            in_channels,
            out_channels,
            engine,
            variant=variant,
            dimension=dimension,
            stem_kernel_size=stem_kernel_size,
            kernel_region=kernel_region,
            batch_norm_momentum=batch_norm_momentum,
            normalize_output=normalize_output,
            width=width,
            widen_at=widen_at,
            batch_norm_eps=batch_norm_eps,
        )
        _check_widening(widen_at, variant, batch_norm_eps)
        _check(variant, dimension, width, in_channels, out_channels, batch_norm_momentum)
        layers, planes = VARIANTS[variant]
        planes = tuple(scaled_channels(channels, width) for channels in planes)
        stem = scaled_channels(STEM_CHANNELS, width)
        self.normalize_output = normalize_output
        self.checkpoint_activations = checkpoint_activations
        self._block = BottleneckBlock if variant in ("50", "101") else BasicBlock
        self._region: KernelRegion = kernel_region
        self._dimension = dimension
        self._momentum = batch_norm_momentum
        self._eps = batch_norm_eps
        space = dimension - 1 if dimension == 4 else dimension
        over_space = {
            size: (size,) * space + (1,) * (dimension - space) for size in (2, stem_kernel_size)
        }

        self.conv0p1s1 = self.engine.Convolution(
            in_channels, stem, kernel_size=over_space[stem_kernel_size], dimension=dimension
        )
        self.bn0 = self._norm(stem)
        channels = stem
        skips = [stem]
        for level in range(1, 5):
            halved = planes[level - 1] if widen_at == "stride" else channels
            self.add_module(
                f"conv{level}p{2 ** (level - 1)}s2",
                self.engine.Convolution(
                    channels,
                    halved,
                    kernel_size=over_space[2],
                    stride=over_space[2],
                    dimension=dimension,
                ),
            )
            self.add_module(f"bn{level}", self._norm(halved))
            channels = self._add_stage(level, halved, planes[level - 1], layers[level - 1])
            skips.append(channels)
        self._level_channels = [channels]
        for level in range(4, 8):
            width_here = planes[level]
            self.add_module(
                f"convtr{level}p{2 ** (8 - level)}s2",
                self.engine.ConvolutionTranspose(
                    channels,
                    width_here,
                    kernel_size=over_space[2],
                    stride=over_space[2],
                    dimension=dimension,
                ),
            )
            self.add_module(f"bntr{level}", self._norm(width_here))
            channels = self._add_stage(
                level + 1, width_here + skips[7 - level], width_here, layers[level]
            )
            self._level_channels.append(channels)
        self.num_features = channels
        if out_channels is not None:
            self.final = self.engine.Convolution(
                channels, out_channels, kernel_size=1, bias=True, dimension=dimension
            )

    def _norm(self, channels: int) -> BatchNorm:
        return self.engine.BatchNorm(channels, momentum=self._momentum, eps=self._eps)

    def _add_stage(self, index: int, channels: int, planes: int, num_blocks: int) -> int:
        """Add ``block<index>`` and return its output channels."""
        blocks: list[nn.Module] = []
        for _ in range(num_blocks):
            blocks.append(
                self._block(
                    self.engine,
                    channels,
                    planes,
                    dimension=self._dimension,
                    region=self._region,
                    shortcut_momentum=self._momentum,
                    eps=self._eps,
                )
            )
            channels = planes * self._block.expansion
        self.add_module(f"block{index}", nn.Sequential(*blocks))
        return channels

    def forward_levels(self, x: SparseTensor) -> list[SparseTensor]:
        """Compute features at strides 16 (the end of the encoder), 8, 4, 2 and 1."""
        x = self._normalized("conv0p1s1", "bn0", x)
        skips = [x]
        for level in range(1, 5):
            x = self._normalized(f"conv{level}p{2 ** (level - 1)}s2", f"bn{level}", x)
            x = self.run_stage(self.get_submodule(f"block{level}"), x)
            skips.append(x)
        levels = [skips.pop()]
        for level in range(4, 8):
            x = self._normalized(f"convtr{level}p{2 ** (8 - level)}s2", f"bntr{level}", x)
            x = self.run_stage(self.get_submodule(f"block{level + 1}"), concatenate(x, skips.pop()))
            levels.append(x)
        return levels

    @property
    def level_channels(self) -> list[int]:
        """Channels at strides 16, 8, 4, 2 and 1."""
        return list(self._level_channels)

    def encoder_modules(self) -> list[nn.Module]:
        """Return the stem, the four strided convolutions and the blocks after them."""
        names = ["conv0p1s1", "bn0"]
        for level in range(1, 5):
            names += [f"conv{level}p{2 ** (level - 1)}s2", f"bn{level}", f"block{level}"]
        return [self.get_submodule(name) for name in names]

    def unread_modules(self, levels: Collection[int]) -> list[nn.Module]:
        """Return the transposed convolutions and blocks after the finest of ``levels``."""
        names: list[str] = []
        for level in range(4 + max(levels), 8):
            names += [f"convtr{level}p{2 ** (8 - level)}s2", f"bntr{level}", f"block{level + 1}"]
        return [self.get_submodule(name) for name in names]

    def _normalized(self, convolution: str, batch_norm: str, x: SparseTensor) -> SparseTensor:
        norm = cast(BatchNorm, self.get_submodule(batch_norm))
        return norm.after(self.get_submodule(convolution), x, rectify=True)

    def output(self, x: SparseTensor) -> SparseTensor:
        """Apply the 1x1 output layer, if any, and normalize if ``normalize_output`` is set."""
        x = super().output(x)
        return normalize(x) if self.normalize_output else x


def _check(
    variant: str,
    dimension: int,
    width: float,
    in_channels: int,
    out_channels: int | None,
    batch_norm_momentum: float,
) -> None:
    if variant not in VARIANTS:
        raise InputError(f"variant {variant!r} is unknown; use one of {', '.join(VARIANTS)}")
    if dimension not in (3, 4):
        raise InputError(f"dimension {dimension} must be 3, or 4 with time last")
    if width <= 0:
        raise InputError(f"width {width} must be positive")
    if in_channels < 1 or (out_channels is not None and out_channels < 1):
        raise InputError(
            f"in_channels {in_channels} and out_channels {out_channels} must be 1 or more"
        )
    if not 0 <= batch_norm_momentum <= 1:
        raise InputError(f"batch_norm_momentum {batch_norm_momentum} must be between 0 and 1")


def _check_widening(widen_at: str, variant: str, batch_norm_eps: float) -> None:
    if widen_at not in ("block", "stride"):
        raise InputError(f"widen_at {widen_at!r} is unknown; use block or stride")
    if widen_at == "stride" and variant in ("50", "101"):
        raise InputError(f"widen_at stride does not work with variant {variant}; use 14, 18 or 34")
    if not batch_norm_eps > 0:
        raise InputError(f"batch_norm_eps {batch_norm_eps} must be positive")


def scaled_channels(channels: int, width: float) -> int:
    """Number of channels in a network of the given width, a multiple of 8 unless the width is 1."""
    return channels if width == 1 else max(8, round(channels * width / 8) * 8)
