"""Architecture of an SR-UNet, inferred from the shapes of its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pointcontrast.backbones import VARIANTS, Res16UNet
from pointcontrast.backbones.res16unet import STEM_CHANNELS, scaled_channels
from pointcontrast.errors import InputError

STEM = f"{Res16UNet.input_layer}.kernel"
"""Entry of the state dict that the input features enter: (taps, in_channels, channels)."""


def infer_arguments(path: Path, state_dict: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Infer the arguments of the :class:`Res16UNet` that has these weights.

    Args:
        path: File of the weights, for messages.
        state_dict: Weights in the names and layout of this project.

    Returns:
        Channels, variant, width, size of the stem, and ``widen_at``. If several variants are the
        same network (by their width), the first in ``VARIANTS``.

    Raises:
        InputError: No variant fits; the message says why.
    """
    stem = state_dict.get(STEM)
    if stem is None:
        raise InputError(f"{path} holds no Res16UNet: it has no {STEM}")
    layers = tuple(_num_blocks(state_dict, stage) for stage in range(1, 9))
    planes = tuple(_channels(state_dict, f"block{stage}.0.conv1.kernel") for stage in range(1, 9))
    bottleneck = "block1.0.conv3.kernel" in state_dict
    found = _fitting_variant(layers, (stem.shape[-1], *planes), bottleneck)
    if found is None:
        raise InputError(
            f"{path} holds a network that is none of the variants: its eight stages have {layers} "
            f"{'bottleneck' if bottleneck else 'basic'} blocks with {planes} channels, its stem "
            f"{stem.shape[-1]}; known are {', '.join(VARIANTS)} and their multiples (width)"
        )
    variant, width = found
    final = state_dict.get(f"{Res16UNet.output_layer}.kernel")
    size = 1 if stem.ndim == 2 else round(len(stem) ** (1 / 3))
    widens = state_dict.get("conv2p2s2.kernel")
    arguments = {
        "in_channels": stem.shape[-2],
        "out_channels": None if final is None else final.shape[-1],
        "variant": variant,
        "stem_kernel_size": size,
        "width": width,
        "widen_at": "stride"
        if widens is not None and widens.shape[-2] != widens.shape[-1]
        else "block",
    }
    _check(path, arguments, state_dict)
    return arguments


def _num_blocks(state_dict: Mapping[str, torch.Tensor], stage: int) -> int:
    pattern = re.compile(rf"block{stage}\.(\d+)\.")
    return len({match[1] for name in state_dict if (match := pattern.match(name))})


def _channels(state_dict: Mapping[str, torch.Tensor], name: str) -> int:
    return state_dict[name].shape[-1] if name in state_dict else 0


def _fitting_variant(
    layers: tuple[int, ...], channels: tuple[int, ...], bottleneck: bool
) -> tuple[str, float] | None:
    """Variant and width with these numbers of blocks and channels (the stem's first)."""
    fitting = []
    for variant, (its_layers, planes) in VARIANTS.items():
        if its_layers == layers and (variant in ("50", "101")) == bottleneck:
            full = (STEM_CHANNELS, *planes)
            width = next((w for w in _widths(full, channels) if _scaled(full, w) == channels), None)
            if width is not None:
                fitting.append((variant, width))
    return min(fitting, key=lambda one: (one[1] != 1, len(f"{one[1]:g}")), default=None)


def _scaled(full: tuple[int, ...], width: float) -> tuple[int, ...]:
    return tuple(scaled_channels(channels, width) for channels in full)


def _widths(full: tuple[int, ...], channels: tuple[int, ...]) -> list[float]:
    """Widths to try: 1, then round numbers with few digits."""
    # channels are rounded to multiples of 8, so each is exact to within 4
    lowest = max((c - 4) / f for f, c in zip(full, channels, strict=True))
    highest = min((c + 4) / f for f, c in zip(full, channels, strict=True))
    middle = (lowest + highest) / 2
    return [1.0, *(round(middle, digits) for digits in range(5)), middle]


def _check(path: Path, arguments: dict[str, Any], state_dict: Mapping[str, torch.Tensor]) -> None:
    """Build the network and compare every name and shape.

    Raises:
        InputError: One differs.
    """
    with torch.random.fork_rng(devices=[]):
        network = Res16UNet(**arguments, engine="native")
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in state_dict.items()}
    for name in [*wanted, *given]:
        if wanted.get(name) != given.get(name):
            raise InputError(
                f"{path} looks like a Res16UNet {arguments['variant']}, but the shape of {name} is "
                f"{given.get(name, 'none')} in the file and {wanted.get(name, 'none')} in Res16UNet"
            )
