"""The contract of an engine, and the choice between the two."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Literal, Protocol, cast

import torch
from torch import nn

from pointcontrast.errors import InputError
from pointcontrast.sparse.pointwise import BatchNorm
from pointcontrast.sparse.sparse_tensor import SparseTensor

EngineName = Literal["auto", "native", "minkowski"]
ENGINE_NAMES = ("auto", "native", "minkowski")


class Engine(Protocol):
    """A module that makes sparse tensors and the layers whose rows are not independent.

    Layers (``nn.Module``, keyword arguments as in ``native.py``):
        ``Convolution``, ``ConvolutionTranspose``: parameters ``kernel`` (volume, in, out), or
        (in, out) if volume and stride are 1, and ``bias`` (1, out). The output of a transposed
        convolution has the coordinates of the finer stride that the network computed before.
        ``BatchNorm``: with ``after``, which an engine may fuse with the convolution.
        ``SumPooling``, ``AveragePooling``, ``MaxPooling``: over the occupied places of the kernel,
        0 if there are none. If the kernel is as large as the stride, each cell of the coarser grid
        is pooled, also with an odd size, whose convolution would be centred.
    """

    NAME: str
    Convolution: type[nn.Module]
    ConvolutionTranspose: type[nn.Module]
    BatchNorm: type[BatchNorm]
    SumPooling: type[nn.Module]
    AveragePooling: type[nn.Module]
    MaxPooling: type[nn.Module]
    sparse_tensor: Callable[[torch.Tensor, torch.Tensor], SparseTensor]


def get_engine(name: EngineName = "auto") -> Engine:
    """Import the engine of the given name.

    Args:
        name: ``native`` (this project's, any device, compiled kernels on the CPU), ``minkowski``
            (MinkowskiEngine 0.5.4), or ``auto``: MinkowskiEngine if there is a CUDA device and it
            was built for it, else native.

    Raises:
        InputError: The name is unknown, or MinkowskiEngine was asked for and cannot be imported.
    """
    if name not in ENGINE_NAMES:
        raise InputError(f"engine {name!r} is unknown; use one of {', '.join(ENGINE_NAMES)}")
    if name == "auto":
        name = "minkowski" if _minkowski_runs_on_cuda() else "native"
        logging.getLogger(__name__).debug("engine auto is %s", name)
    return cast(Engine, importlib.import_module(f"pointcontrast.sparse.{name}"))


def _minkowski_runs_on_cuda() -> bool:
    if not torch.cuda.is_available():
        return False
    try:
        engine = importlib.import_module("pointcontrast.sparse.minkowski")
    except InputError:
        return False
    return engine.built_for_cuda()
