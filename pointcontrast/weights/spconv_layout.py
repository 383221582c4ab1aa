"""The weights of an SR-UNet under the names and in the layout of Pointcept's SpUNet.

Source: Pointcept (commit 10b7490) ``pointcept/models/sparse_unet/spconv_unet_v1m1_base.py
SpUNetBase``, which is built on spconv 2. A kernel there is (out, x, y, z, in), the place of a tap
along each axis counted from the lowest; here it is (taps, in, out), the tap at x + k y + k*k z. A
kernel of size 1 says (out, 1, 1, 1, in) there too, but spconv (2.3.8 ``pytorch/conv.py
_conv_forward``) reads its numbers as (in, out), which is our order: they are not transposed.
Names and what does not carry over: docs/weights.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import torch

from pointcontrast.errors import InputError

STEM = "conv_input.0.weight"
STEM_KERNEL_SIZE = 5
"""Of SpUNet's first layer, always; a smaller kernel is surrounded with zeros."""
_BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def module_names(num_blocks: Sequence[int]) -> Iterator[tuple[str, str]]:
    """(our name, SpUNet's name) of every layer that has weights.

    Args:
        num_blocks: residual blocks of each of the eight stages.
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


def _block_names(stage: int, theirs: str, num_blocks: Sequence[int]) -> Iterator[tuple[str, str]]:
    for block in range(num_blocks[stage]):
        for part, their_part in (
            ("conv1", "conv1"),
            ("norm1.bn", "bn1"),
            ("conv2", "conv2"),
            ("norm2.bn", "bn2"),
            ("downsample.0", "proj.0"),
            ("downsample.1.bn", "proj.1"),
        ):
            yield f"block{stage + 1}.{block}.{part}", f"{theirs}.block{block}.{their_part}"


def to_spconv(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our weights as SpUNet's; exact, and undone by :func:`from_spconv`.

    Raises:
        InputError: the network has layers that SpUNet has none for: bottleneck blocks, four
            dimensions, a stem wider than 5 or of size 1.
    """
    left = dict(state_dict)
    counts = [_count(left, rf"block{stage}\.(\d+)\.") for stage in range(1, 9)]
    out = {}
    for ours, theirs in module_names(counts):
        if f"{ours}.kernel" in left:
            out[f"{theirs}.weight"] = _kernel_to_spconv(ours, left.pop(f"{ours}.kernel"))
            if f"{ours}.bias" in left:
                out[f"{theirs}.bias"] = left.pop(f"{ours}.bias").reshape(-1)
        for name in _BATCH_NORM:
            if f"{ours}.{name}" in left:
                out[f"{theirs}.{name}"] = left.pop(f"{ours}.{name}")
    if left:
        raise InputError(
            f"SpUNet has no layer for {next(iter(left))}; only variants 14, 18 and 34 go to spconv"
        )
    return out


def from_spconv(
    state_dict: Mapping[str, torch.Tensor], stem_kernel_size: int = STEM_KERNEL_SIZE
) -> dict[str, torch.Tensor]:
    """SpUNet's weights as ours; what is no layer of SpUNet's is left out.

    Args:
        state_dict: under its own names, without a prefix.
        stem_kernel_size: 3 where the stem was surrounded with zeros by :func:`to_spconv`.

    Raises:
        InputError: a kernel is not of spconv 2's layout, or the stem is larger than that.
    """
    counts = [_count(state_dict, rf"enc\.{s}\.block(\d+)\.") for s in range(4)]
    counts += [_count(state_dict, rf"dec\.{s}\.block(\d+)\.") for s in reversed(range(4))]
    out = {}
    for ours, theirs in module_names(counts):
        weight = state_dict.get(f"{theirs}.weight")
        if weight is not None and weight.ndim > 1:
            out[f"{ours}.kernel"] = _kernel_from_spconv(theirs, weight, stem_kernel_size)
            if f"{theirs}.bias" in state_dict:
                out[f"{ours}.bias"] = state_dict[f"{theirs}.bias"].reshape(1, -1)
            continue
        for name in _BATCH_NORM:
            if f"{theirs}.{name}" in state_dict:
                out[f"{ours}.{name}"] = state_dict[f"{theirs}.{name}"]
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
            raise InputError(f"{name} was said to be of size 3, but has weights further out")
        weight = inner
    if weight.shape[1] == 1:
        return weight.reshape(weight.shape[-1], weight.shape[0])
    return weight.permute(3, 2, 1, 4, 0).flatten(0, 2).contiguous()
