"""The order of the taps of a kernel in MinkowskiEngine 0.4 and in 0.5, and which one a file has.

Sources: MinkowskiEngine v0.4.3 ``MinkowskiEngine/Common.py convert_region_type``, v0.5.4
``src/kernel_region.hpp``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Literal

import torch

from pointcontrast.errors import InputError

KernelOrder = Literal["auto", "hybrid", "hypercube"]
Tap = tuple[int, int, int]

_BLOCK_KERNEL = re.compile(r"block\d+\.\d+\.conv[123]\.kernel")
_CLEARLY = 1.05
"""By so much the centre's norm must be above all others' to tell the order of the taps."""


def hybrid_taps() -> list[Tap]:
    """The 27 taps in the order in which MinkowskiEngine 0.4 stores a hybrid kernel of size 3.

    The order is that of ``convert_region_type`` (MinkowskiEngine v0.4.3
    ``MinkowskiEngine/Common.py``): the centre; then axis by axis, each tap that is there already
    moved both ways along it.
    """
    taps = [(0, 0, 0)]
    for axis in range(3):
        taps += [_moved(tap, axis, step) for tap in taps for step in (-1, 1)]
    return taps


def _moved(tap: Tap, axis: int, step: int) -> Tap:
    x, y, z = (step if a == axis else place for a, place in enumerate(tap))
    return x, y, z


def hypercube_taps() -> list[Tap]:
    """The same taps in the order of MinkowskiEngine 0.5 and of this project: x fastest."""
    return [(i % 3 - 1, i // 3 % 3 - 1, i // 9 - 1) for i in range(27)]


def hypercube_from_hybrid() -> list[int]:
    """Where each tap of a hypercube kernel stands in a hybrid one: ``new = old[these]``."""
    hybrid = hybrid_taps()
    return [hybrid.index(tap) for tap in hypercube_taps()]


def block_kernels(weights: Mapping[str, torch.Tensor]) -> list[str]:
    """The kernels whose taps have another order in 0.4: of the residual blocks, wider than 1."""
    return [name for name, w in weights.items() if _BLOCK_KERNEL.fullmatch(name) and w.ndim > 2]


def reordered(path: Path, weights: MutableMapping[str, torch.Tensor]) -> int:
    """Put the block kernels of ``weights`` from hybrid into hypercube order; returns how many.

    Raises:
        InputError: one has not 27 taps.
    """
    permutation = hypercube_from_hybrid()
    names = block_kernels(weights)
    for name in names:
        if len(weights[name]) != len(permutation):
            raise InputError(
                f"{path}: {name} has {len(weights[name])} taps, not 27; only networks in three "
                "dimensions can be read"
            )
        weights[name] = weights[name][permutation].contiguous()
    return len(names)


def find_order(
    path: Path, weights: Mapping[str, torch.Tensor], told: KernelOrder
) -> tuple[Literal["hybrid", "hypercube"], str]:
    """The order of the block kernels' taps, and how it is known, in words.

    Raises:
        InputError: nothing was told, and the weights do not show it.
    """
    norms = [
        (norm := weights[name].float().flatten(1).norm(dim=1)) / norm.mean()
        for name in block_kernels(weights)
        if len(weights[name]) == 27
    ]
    mean = torch.stack(norms).mean(dim=0) if norms else torch.ones(27)
    largest, second = mean.topk(2).values.tolist()
    place = int(mean.argmax())
    clear = largest > _CLEARLY * second and place in (0, 13)
    looks: Literal["hybrid", "hypercube"] = "hybrid" if place == 0 else "hypercube"
    if told == "auto":
        if clear:
            return looks, f"tap {place} is the largest, {largest / second:.2f} times the next"
        raise InputError(
            f"{path}: the order of its kernels' taps cannot be told from the weights; say "
            "kernel_order hybrid (trained with MinkowskiEngine 0.4, as all released files were) or "
            "hypercube (0.5)"
        )
    doubt = f", though tap {place} is the largest, as in {looks} order"
    return told, "kernel_order" + (doubt if clear and looks != told else "")
