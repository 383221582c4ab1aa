"""Order of the taps of a kernel in MinkowskiEngine 0.4 and 0.5, and its detection in a file.

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
from pointcontrast.weights.formats import KernelOrder

Tap = tuple[int, int, int]

_BLOCK_KERNEL = re.compile(r"block\d+\.\d+\.conv[123]\.kernel")
_CLEARLY = 1.05
"""Smallest ratio of the centre's norm to the next one with which the order is detected."""


def hybrid_taps() -> list[Tap]:
    """The 27 taps of a hybrid kernel of size 3, in the order of MinkowskiEngine 0.4.

    The order is that of ``convert_region_type`` (MinkowskiEngine v0.4.3
    ``MinkowskiEngine/Common.py``): the centre, then for each axis all taps so far moved by -1 and
    by 1 along it.
    """
    taps = [(0, 0, 0)]
    for axis in range(3):
        taps += [_moved(tap, axis, step) for tap in taps for step in (-1, 1)]
    return taps


def _moved(tap: Tap, axis: int, step: int) -> Tap:
    x, y, z = (step if a == axis else place for a, place in enumerate(tap))
    return x, y, z


def hypercube_taps() -> list[Tap]:
    """The 27 taps in the order of MinkowskiEngine 0.5 and of this project, x fastest."""
    return [(i % 3 - 1, i // 3 % 3 - 1, i // 9 - 1) for i in range(27)]


def hypercube_from_hybrid() -> list[int]:
    """Permutation from hybrid to hypercube order: ``hypercube = hybrid[permutation]``."""
    hybrid = hybrid_taps()
    return [hybrid.index(tap) for tap in hypercube_taps()]


def block_kernels(weights: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of the kernels whose order differs in 0.4: in residual blocks and wider than 1."""
    return [name for name, w in weights.items() if _BLOCK_KERNEL.fullmatch(name) and w.ndim > 2]


def reordered(path: Path, weights: MutableMapping[str, torch.Tensor]) -> int:
    """Reorder the block kernels of ``weights`` in place, from hybrid to hypercube order.

    Returns:
        Number of kernels.

    Raises:
        InputError: A kernel does not have 27 taps.
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
    path: Path, weights: Mapping[str, torch.Tensor], given: KernelOrder
) -> tuple[Literal["hybrid", "hypercube"], str]:
    """Find the order of the taps in the block kernels.

    Args:
        path: File of the weights, for messages.
        weights: Weights by name.
        given: Order given by the user; ``auto`` detects it.

    Returns:
        The order, and the reason for it in words.

    Raises:
        InputError: The order is neither given nor detected.
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
    if given == "auto":
        if clear:
            return looks, f"tap {place} is the largest, {largest / second:.2f} times the next"
        raise InputError(
            f"{path}: the order of the taps cannot be detected from the weights; set kernel_order "
            "to hybrid (trained with MinkowskiEngine 0.4, as all released files were) or to "
            "hypercube (0.5)"
        )
    doubt = f", though tap {place} is the largest, as in {looks} order"
    return given, "kernel_order" + (doubt if clear and looks != given else "")
