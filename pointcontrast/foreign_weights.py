"""Weights of other programs: ``.pth`` files of the released code and of its relatives.

PointContrast, ContrastiveSceneContexts, DepthContrast and SpatioTemporalSegmentation all hold the
same network, under prefixes of their own, and were trained with MinkowskiEngine
0.4. There the kernels of the residual blocks are "hybrid": the same 27 taps as a cube, in another
order. Version 0.5 and this project load them without a word and compute something else; so they
are put in order here, those kernels and no others: MinkowskiEngine v0.4.3
``MinkowskiEngine/Common.py convert_region_type``, v0.5.4 ``src/kernel_region.hpp``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from pointcontrast.errors import InputError
from pointcontrast.inert_pickle import read_inert

KernelOrder = Literal["auto", "hybrid", "hypercube"]
Tap = tuple[int, int, int]

STEM = "conv0p1s1.kernel"
_BLOCK_KERNEL = re.compile(r"block\d+\.\d+\.conv[12]\.kernel")
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


@dataclass(frozen=True, kw_only=True)
class ForeignWeights:
    """What was found in a file of another program.

    Attributes:
        state_dict: in our names and in our order of taps.
        prefix: what stood before the names.
        kernel_order: of the file: hybrid (MinkowskiEngine 0.4) or hypercube (0.5).
        num_permuted: how many kernels were put in order.
    """

    state_dict: dict[str, torch.Tensor]
    prefix: str
    kernel_order: Literal["hybrid", "hypercube"]
    num_permuted: int


def read_foreign_weights(path: Path, kernel_order: KernelOrder = "auto") -> ForeignWeights:
    """Read the weights of an SR-UNet from a ``.pth`` file, running nothing that is in it.

    Args:
        path: the file; the network's weights may be anywhere in it, under any prefix.
        kernel_order: of the residual blocks' kernels. ``auto`` looks where the centre is: in
            trained kernels its weights are larger than those of the other taps.

    Raises:
        InputError: the file is missing, damaged or holds no such network, or several; or the
            order of the taps cannot be told.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a file of weights")
    try:
        value = read_inert(path)
    except Exception as error:  # a damaged file can fail anywhere in the reader
        raise InputError(
            f"{path} is no whole file of weights ({type(error).__name__}: {error}); download it "
            "again"
        ) from error
    found = dict(_networks(value))
    if not found:
        raise InputError(
            f"{path} holds no sparse residual U-Net: nothing in it is called ...{STEM}; it has "
            f"{_describe(value)}"
        )
    if len(found) > 1:
        prefixes = ", ".join(repr(prefix) for prefix in found)
        raise InputError(f"{path} holds several networks, under {prefixes}; keep one in the file")
    prefix, weights = next(iter(found.items()))
    order = _kernel_order(path, weights) if kernel_order == "auto" else kernel_order
    if order not in ("hybrid", "hypercube"):
        raise InputError(f"kernel_order {kernel_order!r} must be auto, hybrid or hypercube")
    kernels = [name for name in weights if _BLOCK_KERNEL.fullmatch(name)]
    if order == "hybrid":
        permutation = hypercube_from_hybrid()
        for name in kernels:
            if weights[name].shape[0] != len(permutation):
                raise InputError(
                    f"{path}: {name} has {weights[name].shape[0]} taps, not 27; only networks in "
                    "three dimensions can be read"
                )
            weights[name] = weights[name][permutation].contiguous()
    return ForeignWeights(
        state_dict=weights,
        prefix=prefix,
        kernel_order=order,
        num_permuted=len(kernels) if order == "hybrid" else 0,
    )


def _networks(value: Any, depth: int = 0) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """(prefix, weights) of each SR-UNet anywhere in nested dictionaries."""
    if not isinstance(value, Mapping) or depth > 4:
        return
    tensors = {k: v for k, v in value.items() if isinstance(k, str) and torch.is_tensor(v)}
    prefixes = [name[: -len(STEM)] for name in tensors if name.endswith(STEM)]
    for prefix in prefixes:
        yield (
            prefix,
            {
                name.removeprefix(prefix): tensor.detach()
                for name, tensor in tensors.items()
                if name.startswith(prefix)
            },
        )
    if not prefixes:
        for below in value.values():
            yield from _networks(below, depth + 1)


def _kernel_order(
    path: Path, weights: Mapping[str, torch.Tensor]
) -> Literal["hybrid", "hypercube"]:
    """Where the centre is, by the mean norm of each tap over all blocks' kernels."""
    norms = [
        (norm := kernel.float().flatten(1).norm(dim=1)) / norm.mean()
        for name, kernel in weights.items()
        if _BLOCK_KERNEL.fullmatch(name) and kernel.shape[0] == 27
    ]
    if norms:
        mean = torch.stack(norms).mean(dim=0)
        largest, second = mean.topk(2).values.tolist()
        place = int(mean.argmax())
        if largest > _CLEARLY * second and place in (0, 13):
            return "hybrid" if place == 0 else "hypercube"
    raise InputError(
        f"{path}: the order of its kernels' taps cannot be told from the weights; say "
        "kernel_order hybrid (trained with MinkowskiEngine 0.4, as all released files were) or "
        "hypercube (0.5)"
    )


def _describe(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"the keys {', '.join(map(str, list(value)[:8]))}" if value else "no keys"
    return f"a {type(value).__name__}"
