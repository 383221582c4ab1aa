"""Sparse tensors and convolutions behind one door: two engines, the same layers and weights.

``engine = get_engine("auto")`` gives a module with the names of :class:`Engine`; networks are
written once against it. Both engines hold the same parameters under the same names and layout,
those of MinkowskiEngine 0.5, so that a checkpoint moves freely between them.
"""

from __future__ import annotations

import importlib
import logging
from typing import Literal, cast

from pointcontrast.errors import InputError
from pointcontrast.sparse.engine import Engine, SparseTensor
from pointcontrast.sparse.kernel_region import KernelRegion, kernel_offsets
from pointcontrast.sparse.pointwise import (
    BatchNorm,
    GlobalAveragePooling,
    GlobalMaxPooling,
    GlobalSumPooling,
    ReLU,
    concatenate,
    normalize,
)

__all__ = [
    "BatchNorm",
    "Engine",
    "EngineName",
    "GlobalAveragePooling",
    "GlobalMaxPooling",
    "GlobalSumPooling",
    "KernelRegion",
    "ReLU",
    "SparseTensor",
    "concatenate",
    "get_engine",
    "kernel_offsets",
    "normalize",
]

EngineName = Literal["auto", "native", "minkowski"]
ENGINE_NAMES = ("auto", "native", "minkowski")


def get_engine(name: EngineName = "auto") -> Engine:
    """The engine of that name.

    Args:
        name: ``native`` (ours, any device, compiled kernels on the CPU), ``minkowski``
            (MinkowskiEngine 0.5.4), or ``auto``: MinkowskiEngine where a CUDA device is there and
            it was built for it, else native.

    Raises:
        InputError: the name is unknown, or MinkowskiEngine was asked for and cannot be imported;
            the message says why and how to get it.
    """
    if name not in ENGINE_NAMES:
        raise InputError(f"engine {name!r} is unknown; use one of {', '.join(ENGINE_NAMES)}")
    if name == "auto":
        name = "minkowski" if _minkowski_runs_on_cuda() else "native"
        logging.getLogger(__name__).debug("engine auto is %s", name)
    return cast(Engine, importlib.import_module(f"pointcontrast.sparse.{name}"))


def _minkowski_runs_on_cuda() -> bool:
    import torch

    if not torch.cuda.is_available():
        return False
    try:
        engine = importlib.import_module("pointcontrast.sparse.minkowski")
    except InputError:
        return False
    return engine.built_for_cuda()
