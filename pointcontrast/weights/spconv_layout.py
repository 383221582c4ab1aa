"""Conversion of an SR-UNet's weights to and from the names and layout of Pointcept's SpUNet.

Source: Pointcept (commit 10b7490) ``pointcept/models/sparse_unet/spconv_unet_v1m1_base.py
SpUNetBase``, which is built on spconv 2. A kernel there is (out, x, y, z, in), each axis from its
lowest offset; here it is (taps, in, out), with tap x + k y + k*k z. A kernel of size 1 has the
shape (out, 1, 1, 1, in) there too, but spconv (2.3.8 ``pytorch/conv.py _conv_forward``) reads its
numbers as (in, out), the order of this project: they are not transposed. Names, and what is not
converted: docs/weights.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import torch

from pointcontrast.errors import InputError

STEM = "conv_input.0.weight"
STEM_KERNEL_SIZE = 5
"""Kernel size of SpUNet's first layer; a smaller kernel is padded with zeros."""
_BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def module_names(num_blocks: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield the name in this project and SpUNet's name of every layer with weights.

    Args:
        num_blocks: Number of residual blocks of each of the eight stages.
    """
    yield "conv0p1s1", "conv_input.0"
    yield "bn0.bn", "conv_input.1"
    for level in range(4):
        yield f"conv{level + 1}p{2**level}s2", f"down.{level}.0"
        yield f"bn{level + 1}.bn", f"down.{level}.1"
        yield from _block_names(level, f"enc.{level}", num_blocks)
    for level in range(4):  # SpUNet counts its decoder from the finest level
        yield f"convtr{7 - level}p{2 ** (level + 1)}s2", f"up.{level}.0"
        yield f"bntr{7 - level}.bn", f"up.{level}.1"
        yield from _block_names(7 - level, f"dec.{level}", num_blocks)
    yield "final", "final"


def _block_names(
    stage: int, spconv_stage: str, num_blocks: Sequence[int]
) -> Iterator[tuple[str, str]]:
    for block in range(num_blocks[stage]):
        for part, spconv_part in (
            ("conv1", "conv1"),
            ("norm1.bn", "bn1"),
            ("conv2", "conv2"),
            ("norm2.bn", "bn2"),
            ("downsample.0", "proj.0"),
            ("downsample.1.bn", "proj.1"),
        ):
            yield f"block{stage + 1}.{block}.{part}", f"{spconv_stage}.block{block}.{spconv_part}"


def to_spconv(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Convert weights to SpUNet's; exact, and undone by :func:`from_spconv`.

    Raises:
        InputError: SpUNet does not have the network's layers: bottleneck blocks, four dimensions, a
            stem wider than 5 or of size 1.
    """
    left = dict(state_dict)
    counts = [_count(left, rf"block{stage}\.(\d+)\.") for stage in range(1, 9)]
    out = {}
    for name, spconv_name in module_names(counts):
        if f"{name}.kernel" in left:
            out[f"{spconv_name}.weight"] = _kernel_to_spconv(name, left.pop(f"{name}.kernel"))
            if f"{name}.bias" in left:
                out[f"{spconv_name}.bias"] = left.pop(f"{name}.bias").reshape(-1)
        for entry in _BATCH_NORM:
            if f"{name}.{entry}" in left:
                out[f"{spconv_name}.{entry}"] = left.pop(f"{name}.{entry}")
    if left:
        raise InputError(
            f"SpUNet has no layer for {next(iter(left))}; only variants 14, 18 and 34 go to spconv"
        )
    return out


def from_spconv(
    state_dict: Mapping[str, torch.Tensor], stem_kernel_size: int = STEM_KERNEL_SIZE
) -> dict[str, torch.Tensor]:
    """Convert SpUNet's weights; entries that are not SpUNet's are left out.

    Args:
        state_dict: Weights under SpUNet's names, without a prefix.
        stem_kernel_size: Kernel size of the stem; 3 if :func:`to_spconv` padded it.

    Raises:
        InputError: A kernel does not have spconv 2's layout, or the stem is larger than given.
    """
    counts = [_count(state_dict, rf"enc\.{s}\.block(\d+)\.") for s in range(4)]
    counts += [_count(state_dict, rf"dec\.{s}\.block(\d+)\.") for s in reversed(range(4))]
    out = {}
    for name, spconv_name in module_names(counts):
        weight = state_dict.get(f"{spconv_name}.weight")
        if weight is not None and weight.ndim > 1:
            out[f"{name}.kernel"] = _kernel_from_spconv(spconv_name, weight, stem_kernel_size)
            if f"{spconv_name}.bias" in state_dict:
                out[f"{name}.bias"] = state_dict[f"{spconv_name}.bias"].reshape(1, -1)
            continue
        for entry in _BATCH_NORM:
            if f"{spconv_name}.{entry}" in state_dict:
                out[f"{name}.{entry}"] = state_dict[f"{spconv_name}.{entry}"]
    return out


def _count(names: Mapping[str, torch.Tensor], pattern: str) -> int:
    found = [int(match[1]) for name in names if (match := re.match(pattern, name))]
    return max(found, default=-1) + 1


def _kernel_to_spconv(name: str, kernel: torch.Tensor) -> torch.Tensor:
    if kernel.ndim == 2:
        return kernel.reshape(kernel.shape[1], 1, 1, 1, kernel.shape[0])
    size = round(len(kernel) ** (1 / 3))
    if size**3 != len(kernel) or (name == "conv0p1s1" and size not in (3, STEM_KERNEL_SIZE)):
        raise InputError(
            f"{name} has {len(kernel)} taps, SpUNet takes {STEM_KERNEL_SIZE}x5x5 or 3x3x3 in its "
            "stem and 3x3x3 or 2x2x2 elsewhere"
        )
    cube = kernel.reshape(size, size, size, *kernel.shape[1:]).permute(4, 2, 1, 0, 3)
    if name == "conv0p1s1" and size < STEM_KERNEL_SIZE:
        cube = torch.nn.functional.pad(cube, (0, 0, 1, 1, 1, 1, 1, 1))
    return cube.contiguous()


def _kernel_from_spconv(name: str, weight: torch.Tensor, stem_kernel_size: int) -> torch.Tensor:
    if weight.ndim != 5 or len(set(weight.shape[1:4])) != 1 or weight.shape[1] > STEM_KERNEL_SIZE:
        raise InputError(
            f"{name} has the shape {tuple(weight.shape)}, not (out, k, k, k, in) as in spconv 2.2 "
            "and later; load the file with a newer spconv and save it again"
        )
    if f"{name}.weight" == STEM and stem_kernel_size == STEM_KERNEL_SIZE - 2:
        inner = weight[:, 1:-1, 1:-1, 1:-1]
        if weight.count_nonzero() != inner.count_nonzero():
            raise InputError(
                f"{name} has weights outside of its centre, but the header says size 3"
            )
        weight = inner
    if weight.shape[1] == 1:
        return weight.reshape(weight.shape[-1], weight.shape[0])
    return weight.permute(3, 2, 1, 4, 0).flatten(0, 2).contiguous()
