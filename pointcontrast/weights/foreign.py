"""Weights of other programs: ``.pth`` files of the released code and of related programs.

The files of PointContrast, ContrastiveSceneContexts, DepthContrast and SpatioTemporalSegmentation
hold the same network, under different prefixes, trained with MinkowskiEngine 0.4. There the kernels
of the residual blocks are "hybrid": the 27 taps of a cube in another order. Without reordering they
would load in version 0.5 and in this project, and give wrong features. So these kernels, and no
others, are reordered (``kernel_order.py``). Weights of Pointcept's SpUNet are converted
(``spconv_layout.py``). Files that this project exported for either library have a header, and their
kernels are not reordered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from pointcontrast.errors import InputError
from pointcontrast.weights.formats import KernelOrder
from pointcontrast.weights.kernel_order import find_order, reordered
from pointcontrast.weights.networks_in_file import the_network
from pointcontrast.weights.program import program_of
from pointcontrast.weights.spconv_layout import STEM as SPCONV_STEM
from pointcontrast.weights.spconv_layout import from_spconv
from pointcontrast.weights.torch_file import Container, read_torch_file

HEADER = "pointcontrast"
"""Key of the header in a file that this project wrote."""
_LAYER = re.compile(r"(conv\d+p\d+s\d+|bn\d+|block\d+|convtr\d+p\d+s\d+|bntr\d+|final)\.")


@dataclass(frozen=True, kw_only=True)
class ForeignWeights:
    """Weights from a file of another program.

    Attributes:
        state_dict: Weights in the names and the order of taps of this project.
        place: Key of the dictionary in the file that holds the weights; empty at its top.
        prefix: Prefix of the names in the file.
        program: Program that wrote the file, inferred from its keys.
        container: File format of ``torch.save``.
        kernel_order: Order of the taps in the file: hybrid (MinkowskiEngine 0.4), hypercube (0.5)
            or spconv.
        decided_by: Reason for that order, in words.
        num_permuted: Number of kernels that were reordered.
        dropped: Names of the weights that are not the network's, those of heads.
        header: Header of a file that this project wrote.
    """

    state_dict: dict[str, torch.Tensor]
    place: str
    prefix: str
    program: str
    container: Container
    kernel_order: Literal["hybrid", "hypercube", "spconv"]
    decided_by: str
    num_permuted: int
    dropped: tuple[str, ...]
    header: Mapping[str, str] | None

    def to_json(self) -> dict[str, Any]:
        """Return everything but the weights as JSON values."""
        return {
            "format": "torch",
            "container": self.container,
            "program": self.program,
            "place": self.place,
            "prefix": self.prefix,
            "kernel_order": self.kernel_order,
            "decided_by": self.decided_by,
            "num_permuted": self.num_permuted,
        }


def read_foreign_weights(
    path: Path, kernel_order: KernelOrder = "auto", network: str | None = None
) -> ForeignWeights:
    """Read the weights of an SR-UNet from a ``.pth`` or ``.ckpt`` file, without running its code.

    Args:
        path: File; the weights may be anywhere in it, under any prefix.
        kernel_order: Order of the taps in the residual blocks. ``auto`` detects it by the centre,
            whose weights are larger than those of the other taps in trained kernels.
        network: Which network of the file (``networks_in_file``); None where there is one.

    Raises:
        InputError: The file is missing or damaged, or holds no such network or several; or the
            order of the taps cannot be detected, or contradicts the header.
    """
    if kernel_order not in ("auto", "hybrid", "hypercube"):
        raise InputError(f"kernel_order {kernel_order!r} must be auto, hybrid or hypercube")
    file = read_torch_file(path)
    header = _header(path, file.value)
    chosen = the_network(path, file.value, network)
    prefix, weights = chosen.prefix, chosen.weights
    spconv = SPCONV_STEM in weights
    program = program_of(file.value, prefix, weights, own=header is not None, spconv=spconv)
    dropped: tuple[str, ...] = ()
    num_permuted = 0
    if spconv:
        order, decided_by = "spconv", "the names of SpUNet"
        size = 5 if header is None else int(header.get("stem_kernel_size", "5"))
        found = from_spconv(weights, size)
    else:
        dropped = tuple(name for name in weights if not _LAYER.match(name))
        found = {name: tensor for name, tensor in weights.items() if name not in dropped}
        if header is not None:
            order, decided_by = "hypercube", "the file says so"
            if kernel_order == "hybrid":
                raise InputError(
                    f"{path} says that its kernels have been reordered; leave kernel_order auto"
                )
        else:
            order, decided_by = find_order(path, found, kernel_order)
            num_permuted = reordered(path, found) if order == "hybrid" else 0
    return ForeignWeights(
        state_dict=found,
        place=chosen.place,
        prefix=prefix,
        program=program,
        container=file.container,
        kernel_order=order,
        decided_by=decided_by,
        num_permuted=num_permuted,
        dropped=dropped,
        header=header,
    )


def _header(path: Path, value: Any) -> Mapping[str, str] | None:
    """Header of a file that this project wrote, else None."""
    header = value.get(HEADER) if isinstance(value, Mapping) else None
    if header is None:
        return None
    if isinstance(header, Mapping) and "architecture" in header:  # runs.checkpoints.FACTS
        raise InputError(
            f"{path} is a checkpoint of a run of this program; give the .safetensors file next to "
            "it, which the end of the run or a validation writes"
        )
    if not isinstance(header, Mapping) or not all(
        isinstance(text, str) for pair in header.items() for text in pair
    ):
        raise InputError(f"{path} has a damaged header; export it again")
    return header
